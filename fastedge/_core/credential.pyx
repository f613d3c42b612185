"""Where a request shows a credential, and how it is kept from the origin and from the cache key.

Gives spans of what the request holds, and copies nothing; decides nothing about a credential's worth. A credential that is
shown in two ways that differ is never chosen from: what the edge checks would not be what an origin reads.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp

from urllib.parse import unquote_to_bytes

from fastedge._core.cookies import is_cookie_name
from fastedge._core.cookies cimport find as find_cookie
from fastedge._core.fields cimport AUTHORIZATION, COOKIE, Line, intern_text, known
from fastedge._core.message cimport OriginField

cdef FieldName _AUTHORIZATION = known(AUTHORIZATION)
cdef FieldName _COOKIE = known(COOKIE)


@cython.final
cdef class CredentialSource:
    """A place: "header" (Authorization, behind `scheme`), "header:NAME", "cookie:NAME" or "query:NAME".

    Raises ValueError for any other text. Names of cookies and parameters are compared exactly, the latter decoded.
    """

    def __init__(self, str text not None, *, str scheme="bearer"):
        kind, colon, name = text.partition(":")
        self.text = text
        self.name = name.encode()
        if text == "header" or (kind == "header" and name.lower() == "authorization"):
            self.place, self.field, self.name = IN_AUTHORIZATION, _AUTHORIZATION, scheme.lower().encode("ascii")
        elif kind == "header" and name:
            self.place, self.field = IN_FIELD, intern_text(name)
        elif kind == "cookie" and is_cookie_name(self.name):
            self.place, self.field = IN_COOKIE, _COOKIE
        elif kind == "query" and name and not set(name) & set("*&=#"):
            self.place, self.without = IN_QUERY, QueryRules([self.name], False, False)
        else:
            raise ValueError(f'"header", "header:NAME", "cookie:NAME" or "query:NAME" is expected, not {text!r}')

    def __repr__(self):
        return f"<CredentialSource {self.text}>"

    def shown(self, Request request not None):
        """The credential's bytes, None without one, or "several"; for tests and tools."""
        cdef Span found
        cdef Shown shown = self.find(request, &found)
        return "several" if shown == SEVERAL_SHOWN else found.at[:found.size] if shown == ONE_SHOWN else None

    cdef Shown find(self, Request request, Span* found) except *:
        if self.place == IN_QUERY:
            return _in_query(request.target_wire, request.path_length, self.name, found)
        if self.place == IN_COOKIE:
            return _in_cookies(request, self.name, found)
        return self._in_field(request, found)

    cdef Shown _in_field(self, Request request, Span* found) except *:
        if self.place == IN_AUTHORIZATION:
            return _in_authorization(request, self.name, found)
        if request.fields.count(self.field) > 1:
            return SEVERAL_SHOWN
        return _span_of(request.fields.find(self.field), found)

    cdef int conceal(self, Request request, Plan plan) except -1:
        """The edit of a header is made without one too, so that the key is the same for all who are let in."""
        if self.place == IN_QUERY:
            plan.target_wire = self.without.normal(plan.target_wire)
        elif self.place == IN_COOKIE:
            _drop_cookie(request, plan, self.name)
        else:
            plan.edit(self.field, None, True, True)
        return 0


def conceal(CredentialSource source not None, Request request not None, Plan plan not None):
    """For tests and tools."""
    source.conceal(request, plan)


cdef Shown credential(list sources, Request request, Span* found) except *:
    cdef Shown shown, all_shown = NONE_SHOWN
    cdef Span other
    for source in sources:
        shown = (<CredentialSource> source).find(request, &other)
        if shown == SEVERAL_SHOWN or (shown and all_shown and not _is_same(found, &other)):
            return SEVERAL_SHOWN
        if shown and not all_shown:
            found[0], all_shown = other, ONE_SHOWN
    return all_shown


cdef bint is_shown_elsewhere(list sources, Request request) except -1:
    cdef Span found
    for source in sources:
        if (<CredentialSource> source).place != IN_AUTHORIZATION and (<CredentialSource> source).find(request, &found):
            return True
    return False


cdef tuple hidden(list sources):
    cdef CredentialSource source
    return (
        tuple([source.name.decode() for source in sources if source.place == IN_QUERY]),
        tuple([source.field.text for source in sources if source.place == IN_FIELD]),
    )


cdef int conceal_all(list sources, Request request, Plan plan) except -1:
    for source in sources:
        (<CredentialSource> source).conceal(request, plan)
    return 0


cdef bint _is_same(const Span* one, const Span* other) noexcept:
    return one.size == other.size and memcmp(one.at, other.at, one.size) == 0


cdef Shown _span_of(bytes value, Span* found) noexcept:
    """`value` is held by the request's fields."""
    if value is None:
        return NONE_SHOWN
    found.at, found.size = PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)
    return ONE_SHOWN


cdef Shown _in_authorization(Request request, bytes scheme, Span* found) except *:
    cdef Line* line = NULL
    cdef Py_ssize_t i
    if not request.fields.may_have(AUTHORIZATION):
        return NONE_SHOWN
    for i in range(request.fields.total):
        if request.fields.name_at(i) is _AUTHORIZATION:
            if line is not NULL:
                return SEVERAL_SHOWN
            line = &request.fields.lines[i]
    if line is NULL:
        return NONE_SHOWN
    found.at, found.size = line.at, line.size
    return ONE_SHOWN if _behind_scheme(scheme, found) else NONE_SHOWN


cdef bint _behind_scheme(bytes scheme, Span* found) noexcept:
    """Whether the scheme is this one, in any case (RFC 9110 §11.1); `found` is then what follows it, nonsense included."""
    cdef Py_ssize_t i, size = PyBytes_GET_SIZE(scheme)
    cdef const char* wanted = PyBytes_AS_STRING(scheme)
    if found.size < size or (found.size > size and found.at[size] != c" "):
        return False
    for i in range(size):
        if (found.at[i] | 0x20 if c"A" <= found.at[i] <= c"Z" else found.at[i]) != wanted[i]:
            return False
    found.at, found.size = found.at + size, found.size - size
    while found.size and found.at[0] == c" ":     # RFC 9110 §11.4: one or more
        found.at, found.size = found.at + 1, found.size - 1
    return True


cdef Shown _in_cookies(Request request, bytes name, Span* found) except *:
    """Every cookie of that name in every line: nobody knows which of them an origin would take."""
    cdef Shown shown = NONE_SHOWN
    cdef Span other
    cdef const char* at
    cdef const char* end
    cdef Py_ssize_t i
    if not request.fields.may_have(COOKIE):
        return NONE_SHOWN
    for i in range(request.fields.total):
        if request.fields.name_at(i) is not _COOKIE:
            continue
        at, end = request.fields.lines[i].at, request.fields.lines[i].at + request.fields.lines[i].size
        while find_cookie(at, end - at, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), &other.at, &other.size):
            if shown and not _is_same(found, &other):
                return SEVERAL_SHOWN
            found[0], shown = other, ONE_SHOWN
            at = other.at + other.size
    return shown


cdef Shown _in_query(bytes target, Py_ssize_t path_length, bytes name, Span* found) except *:
    """Values as they were spelled: what is base64url and dots has no other spelling that counts."""
    cdef Shown shown = NONE_SHOWN
    cdef Span spelled, other
    cdef const char* at = PyBytes_AS_STRING(target) + path_length + 1
    cdef const char* end = PyBytes_AS_STRING(target) + PyBytes_GET_SIZE(target)
    while next_parameter(&at, end, &spelled, &other):
        if is_name(&spelled, name):
            if shown and not _is_same(found, &other):
                return SEVERAL_SHOWN
            found[0], shown = other, ONE_SHOWN
    return shown


cdef bint next_parameter(const char** at, const char* end, Span* name, Span* value) noexcept:
    cdef const char* stop
    cdef const char* equals
    if at[0] >= end:
        return False
    stop = <const char*> memchr(at[0], c"&", end - at[0])
    stop = end if stop is NULL else stop
    equals = <const char*> memchr(at[0], c"=", stop - at[0])
    equals = stop if equals is NULL else equals
    name.at, name.size = at[0], equals - at[0]
    value.at = equals + 1 if equals < stop else stop
    value.size = stop - value.at
    at[0] = stop + 1
    return True


cdef bint is_name(const Span* spelled, bytes name) except -1:
    if memchr(spelled.at, c"%", spelled.size) or memchr(spelled.at, c"+", spelled.size):
        return unquote_to_bytes((<bytes> spelled.at[:spelled.size]).replace(b"+", b" ")) == name
    return spelled.size == PyBytes_GET_SIZE(name) and memcmp(spelled.at, PyBytes_AS_STRING(name), spelled.size) == 0


cdef int _drop_cookie(Request request, Plan plan, bytes name) except -1:
    """The other cookies stay as they would have been without it: a stage's choice in the key, a client's own outside."""
    cdef OriginField edit, last = None
    cdef bytes line
    for edit in plan.edits:
        if edit.name is _COOKIE and edit.replaces:
            last = edit
    line = request.fields.combined(_COOKIE) if last is None else last.value
    if line is None or name not in line:
        return 0
    edit = OriginField.__new__(OriginField)
    edit.name, edit.replaces = _COOKIE, True
    edit.value = _without_cookie(line, name)
    edit.keyed = last is not None and last.keyed
    plan.add(edit)
    return 0


cdef bytes _without_cookie(bytes line, bytes name):
    """The pairs that have another name, white space around it or not; None if there are none."""
    cdef list rest = [pair for pair in line.split(b";") if pair.partition(b"=")[0].strip(b" \t") != name]
    return b";".join(rest).strip(b" \t;") or None
