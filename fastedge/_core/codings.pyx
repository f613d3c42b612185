"""Accept-Encoding (RFC 9110 §12.5.3): whether a client takes gzip. What cannot be read accepts nothing."""

from libc.string cimport memchr

from fastedge._core.fields cimport ACCEPT_ENCODING

cdef extern from "strings.h" nogil:
    int strncasecmp(const char*, const char*, size_t)


def takes_gzip(Fields fields not None):
    """The Python face of `accepts_gzip`."""
    return accepts_gzip(fields)


cdef bint accepts_gzip(Fields fields) noexcept:
    """By name, or as one of "*". A client that says nothing may be none that can: RFC 9110 would allow it all codings."""
    cdef Py_ssize_t i
    cdef Acceptance by_name = UNNAMED, by_star = UNNAMED
    if not fields.may_have(ACCEPT_ENCODING):
        return False
    for i in range(fields.total):
        if fields.name_at(i).id == ACCEPT_ENCODING:
            _read(fields.lines[i].at, fields.lines[i].size, &by_name, &by_star)
    return by_name == ACCEPTED or (by_name == UNNAMED and by_star == ACCEPTED)


cdef int _read(const char* at, Py_ssize_t size, Acceptance* by_name, Acceptance* by_star) noexcept:
    """The members of one line; of two that speak of gzip, the first counts."""
    cdef const char* end = at + size
    cdef const char* stop
    cdef const char* name
    while at < end:
        stop = <const char*> memchr(at, c",", end - at)
        if stop == NULL:
            stop = end
        name = at = pass_blanks(at, stop)
        while at < stop and at[0] != c";" and at[0] != c" " and at[0] != c"\t":
            at += 1
        if at - name == 1 and name[0] == c"*":
            if by_star[0] == UNNAMED:
                by_star[0] = weigh(at, stop)
        elif by_name[0] == UNNAMED and _is_gzip(name, at - name):
            by_name[0] = weigh(at, stop)
        at = stop + 1
    return 0


cdef inline bint _is_gzip(const char* name, Py_ssize_t size) noexcept:
    """By its name or its alias (§8.4.1.3)."""
    return (size == 4 and strncasecmp(name, b"gzip", 4) == 0) or (size == 6 and strncasecmp(name, b"x-gzip", 6) == 0)


cdef Acceptance weigh(const char* at, const char* end) noexcept:
    """What stands behind a coding: nothing, or its weight (§12.4.2), and q=0 refuses it."""
    cdef Acceptance acceptance = REFUSED
    at = pass_blanks(at, end)
    if at == end:
        return ACCEPTED
    if at[0] != c";":
        return UNCLEAR
    at = pass_blanks(at + 1, end)
    if end - at < 3 or (at[0] | 0x20) != c"q" or at[1] != c"=":
        return UNCLEAR
    at += 2
    while at < end and at[0] != c" " and at[0] != c"\t":
        if c"1" <= at[0] <= c"9":
            acceptance = ACCEPTED
        elif at[0] != c"0" and at[0] != c".":
            return UNCLEAR
        at += 1
    return acceptance if pass_blanks(at, end) == end else UNCLEAR
