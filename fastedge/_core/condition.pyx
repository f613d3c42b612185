"""Conditions on a request, compiled: host, path, method, field, cookie, query, and their combinations.

A condition looks at the request alone, so that its answer holds for the whole of the request's life.
"""

cimport cython
from libc.string cimport memcmp

from fastedge._core.cookies cimport find
from fastedge._core.fields cimport COOKIE, FieldName, Line, intern_text, is_forgeable, value_to_wire
from fastedge._core.message cimport Request, normal_path
from fastedge._core.cookies import is_cookie_name
from fastedge.errors import ConfigError


cdef class Condition:
    """Something that holds or does not hold for a request. Combine with `&`, `|` and `~`."""

    cdef bint test(self, Request request) except -1:
        raise NotImplementedError

    cdef int collect(self, list inputs) except -1:
        """Appends what the condition looks at that is in no cache key: a field's FieldName, a cookie's name as bytes."""
        return 0

    def holds(self, Request request not None):
        return self.test(request)

    def __and__(self, Condition other not None):
        return _AllOf([self, other])

    def __or__(self, Condition other not None):
        return _AnyOf([self, other])

    def __invert__(self):
        return _Not(self)


@cython.final
cdef class _AllOf(Condition):
    cdef list parts

    def __init__(self, list parts):
        self.parts = parts

    cdef bint test(self, Request request) except -1:
        cdef Condition part
        for part in self.parts:
            if not part.test(request):
                return False
        return True

    cdef int collect(self, list inputs) except -1:
        cdef Condition part
        for part in self.parts:
            part.collect(inputs)
        return 0



@cython.final
cdef class _AnyOf(Condition):
    cdef list parts

    def __init__(self, list parts):
        self.parts = parts

    cdef bint test(self, Request request) except -1:
        cdef Condition part
        for part in self.parts:
            if part.test(request):
                return True
        return False

    cdef int collect(self, list inputs) except -1:
        cdef Condition part
        for part in self.parts:
            part.collect(inputs)
        return 0



@cython.final
cdef class _Not(Condition):
    cdef Condition part

    def __init__(self, Condition part):
        self.part = part

    cdef bint test(self, Request request) except -1:
        return not self.part.test(request)

    cdef int collect(self, list inputs) except -1:
        return self.part.collect(inputs)


@cython.final
cdef class Pattern:
    """A glob in which `*` stands for any run of bytes: exact, prefix and general patterns by one comparison each."""

    def __init__(self, bytes text):
        self.text = text
        self.stars = text.count(b"*")

    def matches(self, bytes subject):
        return self.match(subject)

    cdef bint match(self, bytes subject) noexcept:
        return self.fits(subject, len(subject))

    cdef bint fits(self, const char* at, Py_ssize_t length) noexcept:
        cdef Py_ssize_t size = len(self.text)
        cdef const char* text = self.text
        if self.stars == 0:
            return size == length and memcmp(text, at, size) == 0
        if self.stars == 1 and text[size - 1] == c"*":
            return length >= size - 1 and memcmp(text, at, size - 1) == 0
        return _glob(text, size, at, length)


cdef bint _glob(const char* pattern, Py_ssize_t size, const char* at, Py_ssize_t length) noexcept nogil:
    """Greedy matching with one point to return to: O(size × length) at the worst."""
    cdef Py_ssize_t p = 0, i = 0, star = -1, mark = 0
    while i < length:
        if p < size and pattern[p] == c"*":
            star, mark = p, i
            p += 1
        elif p < size and pattern[p] == at[i]:
            p += 1
            i += 1
        elif star >= 0:
            mark += 1
            p, i = star + 1, mark
        else:
            return False
    while p < size and pattern[p] == c"*":
        p += 1
    return p == size


@cython.final
cdef class _Path(Condition):
    cdef Pattern pattern
    cdef Pattern itself     # "/shop/*" holds for "/shop" too: nobody means to leave it open

    def __init__(self, str text not None):
        cdef bytes wire
        if not text.startswith(("/", "*")):
            raise ConfigError(f'a path pattern begins with "/": {text!r} does not')
        if not all("!" <= c <= "~" and c not in "?#" for c in text):
            raise ConfigError(f"a path pattern is printable ASCII without query, percent-encoded: {text!r} is not")
        if ";" in text:
            raise ConfigError(f"paths are compared without the parameters that `;` begins: {text!r} could hold for none")
        wire = normal_path(text.encode("ascii"))
        self.pattern = Pattern(wire)
        if wire.endswith(b"/*") and wire.count(b"*") == 1 and wire != b"/*":
            self.itself = Pattern(wire.removesuffix(b"/*"))

    cdef bint test(self, Request request) except -1:
        cdef bytes path = request.match_path()
        return self.pattern.match(path) or (self.itself is not None and self.itself.match(path))


@cython.final
cdef class _Host(Condition):
    cdef Pattern pattern

    def __init__(self, str text not None):
        host = text.lower().removesuffix(".")
        if not host or not all(c in "abcdefghijklmnopqrstuvwxyz0123456789-._*[]:" for c in host) or (":" in host and host[0] != "["):
            raise ConfigError(f"a host pattern is a name in ASCII (IDNA) without port: {text!r} is not")
        self.pattern = Pattern(host.encode("ascii"))

    cdef bint test(self, Request request) except -1:
        return self.pattern.match(request.host_wire)


@cython.final
cdef class _Method(Condition):
    cdef bytes method

    def __init__(self, str text not None):
        if not text.isupper() or not text.isascii():
            raise ConfigError(f"a method is case-sensitive and upper-case (RFC 9110 §9.1): {text!r} is not")
        self.method = text.encode("ascii")

    cdef bint test(self, Request request) except -1:
        return request.method_wire == self.method


@cython.final
cdef class _Field(Condition):
    cdef FieldName name
    cdef Pattern pattern

    def __init__(self, str name not None, str text not None):
        try:
            self.name = intern_text(name)
            self.pattern = Pattern(value_to_wire(text))
        except ValueError as error:
            raise ConfigError(f"Match(field=...): {error}") from None
        if is_forgeable(self.name):
            raise ConfigError(f"Match(field=...): {name!r} never comes from a client: it is dropped at the rim")

    cdef bint test(self, Request request) except -1:
        cdef bytes value = request.fields.combined(self.name)
        return value is not None and self.pattern.match(value)

    cdef int collect(self, list inputs) except -1:
        inputs.append(self.name)
        return 0


@cython.final
cdef class _Cookie(Condition):
    cdef bytes name
    cdef Pattern pattern

    def __init__(self, str name not None, str text not None):
        if not is_cookie_name(name.encode("utf-8", "replace")):
            raise ConfigError(f"Match(cookie=...): expected a cookie's name (a token), found {name!r}")
        self.name = name.encode("ascii")
        self.pattern = Pattern(text.encode("latin-1", "replace"))

    cdef bint test(self, Request request) except -1:
        cdef const char* value
        cdef Py_ssize_t i, size
        cdef Line* line
        if not request.fields.may_have(COOKIE):
            return False
        for i in range(request.fields.total):
            if request.fields.name_at(i).id == COOKIE:
                line = &request.fields.lines[i]
                if find(line.at, line.size, self.name, len(self.name), &value, &size):
                    return self.pattern.fits(value, size)
        return False

    cdef int collect(self, list inputs) except -1:
        inputs.append(self.name)
        return 0


@cython.final
cdef class _Query(Condition):
    cdef bytes name
    cdef Pattern pattern

    def __init__(self, str name not None, str text not None):
        self.name = name.encode()
        self.pattern = Pattern(text.encode())

    cdef bint test(self, Request request) except -1:
        cdef bytes value = request.query_first(self.name)
        return value is not None and self.pattern.match(value)


def Match(*, path=None, host=None, method=None, field=None, cookie=None, query=None):
    """A condition in which all that is given must hold; of a list, any one.

    Patterns: `*` stands for any run of characters. `path` is compared after dropping `;` parameters, decoding
    %-encoded unreserved characters and merging "//"; "/shop/*" holds for "/shop" too. `host` has no port. `field`, `cookie` and `query` are dictionaries
    of name to pattern; "*" asks only that it is there. ConfigError for what cannot match.
    """
    parts = [any_of(kind, texts) for kind, texts in ((_Path, path), (_Host, host), (_Method, method)) if texts is not None]
    for kind, wanted in ((_Field, field), (_Cookie, cookie), (_Query, query)):
        for name, texts in (wanted or {}).items():
            parts.append(any_of(lambda text, kind=kind, name=name: kind(name, text), texts))
    if not parts:
        raise ConfigError("Match() needs at least one of path, host, method, field, cookie, query")
    return parts[0] if len(parts) == 1 else _AllOf(parts)


def any_of(make, texts):
    options = [make(text) for text in ([texts] if isinstance(texts, str) else texts)]
    if not options:
        raise ConfigError("an empty list of patterns never matches")
    return options[0] if len(options) == 1 else _AnyOf(options)
