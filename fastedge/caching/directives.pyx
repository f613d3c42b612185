"""Cache directives of requests and responses (RFC 9111 §5.2), read into a struct: nothing is allocated for the usual ones.

Of two occurrences of one directive with an argument the first counts, and an argument that makes no sense means 0, so that
the response is stale (§4.2.1). Conflicting directives are all kept: who asks honours the most restrictive.
"""

from libc.math cimport INFINITY
from libc.string cimport memset, strlen

from fastedge._core.fields cimport (
    CACHE_CONTROL, CDN_CACHE_CONTROL, EDGE_CACHE_CONTROL, PRAGMA, SURROGATE_CONTROL, FieldName, Fields, intern_wire, known,
)
from fastedge.caching.structured cimport (
    BOOLEAN, INTEGER, STRING, Member, Reader, is_token, is_token_char, next_in_dictionary, reader_of,
)
from fastedge.limits import cache_ttl_s_max

cdef double TTL_S_MAX = cache_ttl_s_max

# Ours first, then that of every CDN (RFC 9213 §3.1).
cdef FieldName _EDGE_CACHE_CONTROL = known(EDGE_CACHE_CONTROL)
cdef FieldName _CDN_CACHE_CONTROL = known(CDN_CACHE_CONTROL)

cdef enum Argument:
    NONE
    SECONDS
    SECONDS_OR_ALL      # without an argument: without end
    NAMES               # of fields, optional

cdef struct Directive:
    const char* name
    Argument argument
    Py_ssize_t at       # of its member in the struct

cdef struct Table:
    Directive* rows
    int count

cdef ResponseDirectives _r
cdef RequestDirectives _q

cdef Directive[12] _response_rows = [
    Directive(b"max-age", SECONDS, <char*> &_r.max_age_s - <char*> &_r),
    Directive(b"s-maxage", SECONDS, <char*> &_r.s_maxage_s - <char*> &_r),
    Directive(b"no-store", NONE, <char*> &_r.no_store - <char*> &_r),
    Directive(b"no-cache", NAMES, <char*> &_r.no_cache - <char*> &_r),
    Directive(b"private", NAMES, <char*> &_r.is_private - <char*> &_r),
    Directive(b"public", NONE, <char*> &_r.is_public - <char*> &_r),
    Directive(b"must-revalidate", NONE, <char*> &_r.must_revalidate - <char*> &_r),
    Directive(b"proxy-revalidate", NONE, <char*> &_r.proxy_revalidate - <char*> &_r),
    Directive(b"must-understand", NONE, <char*> &_r.must_understand - <char*> &_r),
    Directive(b"immutable", NONE, <char*> &_r.is_immutable - <char*> &_r),
    Directive(b"stale-while-revalidate", SECONDS, <char*> &_r.stale_while_revalidate_s - <char*> &_r),
    Directive(b"stale-if-error", SECONDS, <char*> &_r.stale_if_error_s - <char*> &_r),
]
cdef Directive[7] _request_rows = [
    Directive(b"max-age", SECONDS, <char*> &_q.max_age_s - <char*> &_q),
    Directive(b"no-cache", NONE, <char*> &_q.no_cache - <char*> &_q),
    Directive(b"no-store", NONE, <char*> &_q.no_store - <char*> &_q),
    Directive(b"min-fresh", SECONDS, <char*> &_q.min_fresh_s - <char*> &_q),
    Directive(b"max-stale", SECONDS_OR_ALL, <char*> &_q.max_stale_s - <char*> &_q),
    Directive(b"only-if-cached", NONE, <char*> &_q.only_if_cached - <char*> &_q),
    Directive(b"stale-if-error", SECONDS, <char*> &_q.stale_if_error_s - <char*> &_q),
]
cdef Table _of_responses = Table(&_response_rows[0], 12)
cdef Table _of_requests = Table(&_request_rows[0], 7)
cdef Table _of_pragma = Table(&_request_rows[1], 1)     # no-cache


def of_response(Fields fields not None):
    """The Python face of `response_directives`: what was said, and the names of the fields not to be stored."""
    cdef ResponseDirectives said
    cdef FieldName name
    cdef list names = response_directives(fields, &said)
    return {key: value for key, value in (<dict> said).items() if value is not False}, names and [name.text for name in names]


def of_request(Fields fields not None):
    """The Python face of `request_directives`."""
    cdef RequestDirectives said
    request_directives(fields, &said)
    return <dict> said


cdef list response_directives(Fields fields, ResponseDirectives* said):
    """What holds for a shared cache, in `said`: the first of Edge-Cache-Control, CDN-Cache-Control (RFC 9213),
    Surrogate-Control and Cache-Control that is there and makes sense takes the place of all that follow.

    Gives the FieldNames that `private` and `no-cache` list, whose lines must not be stored; or None.
    """
    cdef list names = []
    if (
        _read_targeted(fields, _EDGE_CACHE_CONTROL, said, names)
        or _read_targeted(fields, _CDN_CACHE_CONTROL, said, names)
        or _read_surrogate(fields, said, names)
    ):
        said.targeted = True
    else:
        _read_lines(fields, CACHE_CONTROL, &_of_responses, said, names)
    return names or None


cdef int request_directives(Fields fields, RequestDirectives* said) except -1:
    memset(said, 0, sizeof(RequestDirectives))
    said.max_age_s = said.min_fresh_s = said.max_stale_s = said.stale_if_error_s = ABSENT
    if fields.may_have(CACHE_CONTROL):
        _read_lines(fields, CACHE_CONTROL, &_of_requests, said, None)
    elif fields.may_have(PRAGMA):   # §5.4
        _read_lines(fields, PRAGMA, &_of_pragma, said, None)
    return 0


cdef double seconds_of(const char* at, Py_ssize_t size) noexcept:
    """delta-seconds (§1.2.2), at most cache_ttl_s_max; ABSENT for anything but digits."""
    cdef double seconds = 0
    cdef Py_ssize_t i
    for i in range(size):
        if not c"0" <= at[i] <= c"9":
            return ABSENT
        seconds = min(10 * seconds + (at[i] - c"0"), TTL_S_MAX)
    return seconds if size else ABSENT


cdef void _clear_response(ResponseDirectives* said) noexcept:
    memset(said, 0, sizeof(ResponseDirectives))
    said.max_age_s = said.s_maxage_s = said.stale_while_revalidate_s = said.stale_if_error_s = ABSENT


# --- Cache-Control, as it is found in the wild -----------------------------------------------------------------------


cdef bint _read_surrogate(Fields fields, ResponseDirectives* said, list names) except -1:
    """Surrogate-Control has the syntax of Cache-Control; one that says nothing of caching (content="ESI/1.0") is none."""
    _clear_response(said)
    return fields.may_have(SURROGATE_CONTROL) and _read_lines(fields, SURROGATE_CONTROL, &_of_responses, said, names) > 0


cdef int _read_lines(Fields fields, int field_id, Table* table, void* said, list names) except -1:
    """How many directives were found that the table knows."""
    cdef Py_ssize_t i
    cdef int found = 0
    if fields.may_have(field_id):
        for i in range(fields.total):
            if fields.name_at(i).id == field_id:
                found += _read_line(fields.lines[i].at, fields.lines[i].size, table, said, names)
    return found


cdef int _read_line(const char* at, Py_ssize_t size, Table* table, void* said, list names) except -1:
    cdef const char* end = at + size
    cdef const char* name
    cdef const char* argument
    cdef Py_ssize_t name_size, argument_size
    cdef int found = 0
    while at < end:
        name = at
        while at < end and is_token_char(at[0]):
            at += 1
        name_size = at - name
        argument = NULL
        argument_size = 0
        if name_size and at < end and at[0] == c"=":
            at = _pass_argument(at + 1, end, &argument, &argument_size)
        at = _pass_rest(at, end, &argument)
        if name_size:
            found += _apply(table, name, name_size, argument, argument_size, said, names)
    return found


cdef const char* _pass_argument(const char* at, const char* end, const char** argument, Py_ssize_t* size) noexcept:
    """A token, or what stands between quotes: recipients ought to take both (§5.2)."""
    cdef const char* quote
    if at < end and at[0] == c'"':
        quote = _closing(at + 1, end)
        if quote is not NULL:
            argument[0] = at + 1
            size[0] = quote - at - 1
            return quote + 1
    argument[0] = at
    while at < end and is_token_char(at[0]):
        at += 1
    size[0] = at - argument[0]
    return at


cdef const char* _pass_rest(const char* at, const char* end, const char** argument) noexcept:
    """Behind the next comma that stands in no quotes. Anything but white space before it spoils the argument."""
    cdef const char* quote
    while at < end and at[0] != c",":
        if at[0] != c" " and at[0] != c"\t":
            argument[0] = _SPOILT
        if at[0] == c'"':
            quote = _closing(at + 1, end)
            if quote is not NULL:
                at = quote
        at += 1
    while at < end and (at[0] == c"," or at[0] == c" " or at[0] == c"\t"):
        at += 1
    return at


cdef const char* _SPOILT = b""


cdef const char* _closing(const char* at, const char* end) noexcept:
    """The quote that ends a quoted-string; NULL where none does, and the opening one is a character like others."""
    while at < end:
        if at[0] == c'"':
            return at
        at += 2 if at[0] == c"\\" else 1
    return NULL


cdef bint _apply(
    Table* table, const char* name, Py_ssize_t name_size, const char* argument, Py_ssize_t size, void* said, list names
) except -1:
    """Whether the table knows the directive."""
    cdef Directive* row = _find(table, name, name_size)
    cdef void* member
    if row is NULL:
        return False
    if argument is _SPOILT:
        size = 0
    member = <char*> said + row.at
    if row.argument == NONE:
        (<bint*> member)[0] = True
    elif row.argument == NAMES:
        if argument is NULL or not _add_names(argument, size, names):
            (<bint*> member)[0] = True
    elif (<double*> member)[0] == ABSENT:
        if argument is NULL and row.argument == SECONDS_OR_ALL:
            (<double*> member)[0] = INFINITY
        else:
            (<double*> member)[0] = max(seconds_of(argument, size), 0)
    return True


cdef Directive* _find(Table* table, const char* name, Py_ssize_t size) noexcept:
    cdef Directive* row
    cdef int i
    for i in range(table.count):
        row = &table.rows[i]
        if strlen(row.name) == <size_t> size and _same_letters(name, row.name, size):
            return row
    return NULL


cdef bint _same_letters(const char* one, const char* lower, Py_ssize_t size) noexcept:
    cdef Py_ssize_t i
    for i in range(size):
        if (one[i] | 0x20 if c"A" <= one[i] <= c"Z" else one[i]) != lower[i]:
            return False
    return True


cdef bint _add_names(const char* at, Py_ssize_t size, list names) except -1:
    """Whether it is a list of field names, which are then added; what is none cannot soften a directive."""
    cdef bytes name
    cdef list found = [name.strip(b" \t") for name in at[:size].lower().split(b",")]
    for name in found:
        if not is_token(name):
            return False
    names.extend([intern_wire(name) for name in found])
    return True


# --- targeted fields: Structured Fields, all or nothing (RFC 9213 §2) --------------------------------------------------


cdef bint _read_targeted(Fields fields, FieldName field, ResponseDirectives* said, list names) except -1:
    """False where the field is absent, empty, malformed or has a directive with a value of the wrong type: then it is
    as if it were not there (§2.2)."""
    cdef Reader reader
    cdef Member member
    cdef bytes value
    cdef list listed = []
    cdef int more
    cdef bint empty = True
    _clear_response(said)
    if not fields.may_have(field.id):
        return False
    value = fields.combined(field)
    if value is None:
        return False
    reader = reader_of(value)
    while (more := next_in_dictionary(&reader, &member)) > 0:
        empty = False
        if not _apply_member(&member, said, listed):
            return False
    if more < 0 or empty:
        return False
    names.extend(listed)
    return True


cdef bint _apply_member(Member* member, ResponseDirectives* said, list names) except -1:
    """False for a value of the wrong type. Of two members with one key the last counts (RFC 9651 §3.2)."""
    cdef Directive* row = _find(&_of_responses, member.key, member.key_size)
    cdef void* at
    if row is NULL:
        return True
    at = <char*> said + row.at
    if row.argument == SECONDS:
        if member.kind != INTEGER or member.number < 0:
            return False
        (<double*> at)[0] = min(<double> member.number, TTL_S_MAX)
    elif member.kind == BOOLEAN:
        (<bint*> at)[0] = member.number
    elif row.argument == NAMES and member.kind == STRING:
        return _add_names(member.at, member.size, names)
    else:
        return False
    return True
