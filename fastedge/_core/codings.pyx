"""Accept-Encoding (RFC 9110 §12.5.3): whether a client takes gzip. What cannot be read accepts nothing."""

from libc.string cimport memchr

from fastedge._core.fields cimport ACCEPT_ENCODING

cdef extern from "strings.h" nogil:
    int strncasecmp(const char*, const char*, size_t)

cdef enum Says:
    NOTHING_OF_IT
    REFUSES
    ACCEPTS


def takes_gzip(Fields fields not None):
    """The Python face of `accepts_gzip`."""
    return accepts_gzip(fields)


cdef bint accepts_gzip(Fields fields) noexcept:
    """By name, or as one of "*". A client that says nothing may be none that can: RFC 9110 would allow it all codings."""
    cdef Py_ssize_t i
    cdef Says by_name = NOTHING_OF_IT, by_star = NOTHING_OF_IT
    if not fields.may_have(ACCEPT_ENCODING):
        return False
    for i in range(fields.total):
        if fields.name_at(i).id == ACCEPT_ENCODING:
            _read(fields.lines[i].at, fields.lines[i].size, &by_name, &by_star)
    return by_name == ACCEPTS or (by_name == NOTHING_OF_IT and by_star == ACCEPTS)


cdef int _read(const char* at, Py_ssize_t size, Says* by_name, Says* by_star) noexcept:
    """The members of one line; of two that speak of gzip, the first counts."""
    cdef const char* end = at + size
    cdef const char* stop
    cdef const char* name
    while at < end:
        stop = <const char*> memchr(at, c",", end - at)
        if stop == NULL:
            stop = end
        name = at = _pass_blanks(at, stop)
        while at < stop and at[0] != c";" and at[0] != c" " and at[0] != c"\t":
            at += 1
        if at - name == 1 and name[0] == c"*":
            if by_star[0] == NOTHING_OF_IT:
                by_star[0] = _weight(at, stop)
        elif by_name[0] == NOTHING_OF_IT and _is_gzip(name, at - name):
            by_name[0] = _weight(at, stop)
        at = stop + 1
    return 0


cdef inline bint _is_gzip(const char* name, Py_ssize_t size) noexcept:
    """By its name or its alias (§8.4.1.3)."""
    return (size == 4 and strncasecmp(name, b"gzip", 4) == 0) or (size == 6 and strncasecmp(name, b"x-gzip", 6) == 0)


cdef Says _weight(const char* at, const char* stop) noexcept:
    """What stands behind a coding: nothing, or `;q=` and a number, of which 0 refuses (§12.4.2)."""
    cdef bint more_than_0 = False
    at = _pass_blanks(at, stop)
    if at == stop:
        return ACCEPTS
    if at[0] != c";":
        return REFUSES
    at = _pass_blanks(at + 1, stop)
    if stop - at < 3 or (at[0] | 0x20) != c"q" or at[1] != c"=":
        return REFUSES
    at += 2
    while at < stop and at[0] != c" " and at[0] != c"\t":
        if c"1" <= at[0] <= c"9":
            more_than_0 = True
        elif at[0] != c"0" and at[0] != c".":
            return REFUSES
        at += 1
    return ACCEPTS if more_than_0 and _pass_blanks(at, stop) == stop else REFUSES


cdef inline const char* _pass_blanks(const char* at, const char* stop) noexcept:
    while at < stop and (at[0] == c" " or at[0] == c"\t"):
        at += 1
    return at
