"""Conditions on a request, compiled: host, path, method, field, query, and their combinations.

A condition looks at the request alone, so that its answer holds for the whole of the request's life.
"""

cimport cython
from libc.string cimport memcmp

from fastedge._core.fields cimport FieldName, Fields, intern_text
from fastedge._core.message cimport Request
from fastedge.errors import ConfigError


cdef class Condition:
    """Something that holds or does not hold for a request. Combine with `&`, `|` and `~`."""

    cdef bint test(self, Request request) except -1:
        raise NotImplementedError

    def holds(self, Request request):
        return self.test(request)

    def __and__(self, Condition other):
        return _AllOf([self, other])

    def __or__(self, Condition other):
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


@cython.final
cdef class _Not(Condition):
    cdef Condition part

    def __init__(self, Condition part):
        self.part = part

    cdef bint test(self, Request request) except -1:
        return not self.part.test(request)


@cython.final
cdef class Pattern:
    """A glob in which `*` stands for any run of bytes: exact, prefix and general patterns by one comparison each."""

    cdef readonly bytes text
    cdef Py_ssize_t stars

    def __init__(self, bytes text):
        self.text = text
        self.stars = text.count(b"*")

    def matches(self, bytes subject):
        return self.match(subject)

    cdef bint match(self, bytes subject) noexcept:
        cdef Py_ssize_t size = len(self.text)
        cdef const char* text = self.text
        cdef const char* at = subject
        if self.stars == 0:
            return size == len(subject) and memcmp(text, at, size) == 0
        if self.stars == 1 and text[size - 1] == c"*":
            return len(subject) >= size - 1 and memcmp(text, at, size - 1) == 0
        return _glob(text, size, at, len(subject))


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

    def __init__(self, str text):
        if not text.startswith(("/", "*")):
            raise ConfigError(f'a path pattern begins with "/": {text!r} does not')
        self.pattern = Pattern(text.encode("ascii"))
        if text.endswith("/*") and text.count("*") == 1 and text != "/*":
            self.itself = Pattern(text.removesuffix("/*").encode("ascii"))

    cdef bint test(self, Request request) except -1:
        cdef bytes path = request.match_path()
        return self.pattern.match(path) or (self.itself is not None and self.itself.match(path))


@cython.final
cdef class _Host(Condition):
    cdef Pattern pattern

    def __init__(self, str text):
        self.pattern = Pattern(text.lower().encode("ascii"))

    cdef bint test(self, Request request) except -1:
        return self.pattern.match(request.host_wire)


@cython.final
cdef class _Method(Condition):
    cdef bytes method

    def __init__(self, str text):
        if not text.isupper():
            raise ConfigError(f"a method is case-sensitive and upper-case (RFC 9110 §9.1): {text!r} is not")
        self.method = text.encode("ascii")

    cdef bint test(self, Request request) except -1:
        return request.method_wire == self.method


@cython.final
cdef class _Field(Condition):
    cdef FieldName name
    cdef Pattern pattern

    def __init__(self, str name, str text):
        self.name = intern_text(name)
        self.pattern = Pattern(text.encode("latin-1"))

    cdef bint test(self, Request request) except -1:
        cdef bytes value = request.fields.combined(self.name)
        return value is not None and self.pattern.match(value)


@cython.final
cdef class _Query(Condition):
    cdef bytes name
    cdef Pattern pattern

    def __init__(self, str name, str text):
        self.name = name.encode()
        self.pattern = Pattern(text.encode())

    cdef bint test(self, Request request) except -1:
        cdef bytes value = request.query_first(self.name)
        return value is not None and self.pattern.match(value)


def Match(*, path=None, host=None, method=None, field=None, query=None):
    """A condition in which all that is given must hold; of a list, any one.

    Patterns: `*` stands for any run of characters. `path` is compared after decoding %-encoded unreserved characters
    and merging "//"; "/shop/*" holds for "/shop" too. `host` has no port. `field` and `query` are dictionaries of name
    to pattern; "*" asks only that it is there. ConfigError for what cannot match.
    """
    parts = [any_of(kind, texts) for kind, texts in ((_Path, path), (_Host, host), (_Method, method)) if texts is not None]
    for kind, wanted in ((_Field, field), (_Query, query)):
        for name, texts in (wanted or {}).items():
            parts.append(any_of(lambda text, kind=kind, name=name: kind(name, text), texts))
    if not parts:
        raise ConfigError("Match() needs at least one of path, host, method, field, query")
    return parts[0] if len(parts) == 1 else _AllOf(parts)


def any_of(make, texts):
    options = [make(text) for text in ([texts] if isinstance(texts, str) else texts)]
    if not options:
        raise ConfigError("an empty list of patterns never matches")
    return options[0] if len(options) == 1 else _AnyOf(options)
