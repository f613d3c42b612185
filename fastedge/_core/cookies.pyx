"""One cookie's value in a Cookie field, as spans of the field's bytes: no copy, no decoding, no dictionary.

Never reads a quoted string as a unit: to RFC 6265 a `;` ends a pair wherever it stands.
"""

from libc.string cimport memchr, memcmp


cdef bint find(
    const char* field, Py_ssize_t field_size, const char* name, Py_ssize_t name_size,
    const char** value, Py_ssize_t* value_size,
) noexcept nogil:
    """The first pair with exactly this name (RFC 6265 §5.4; names differ by case). A pair without `=` has no name."""
    cdef const char* at = field
    cdef const char* end = field + field_size
    cdef const char* stop
    cdef const char* equals
    while at < end:
        stop = <const char*> memchr(at, c";", end - at)
        if stop == NULL:
            stop = end
        while at < stop and is_blank(at[0]):
            at += 1
        equals = at + name_size
        if equals < stop and equals[0] == c"=" and memcmp(at, name, name_size) == 0:
            trim(equals + 1, stop, value, value_size)
            return True
        at = stop + 1
    return False


cdef inline void trim(
    const char* start, const char* stop, const char** value, Py_ssize_t* value_size
) noexcept nogil:
    """White space around a value is not part of it (RFC 6265 §5.2, step 4); quotes are."""
    while start < stop and is_blank(start[0]):
        start += 1
    while stop > start and is_blank((stop - 1)[0]):
        stop -= 1
    value[0] = start
    value_size[0] = stop - start


cdef inline bint is_blank(char c) noexcept nogil:
    return c == c" " or c == c"\t"


def find_cookie(bytes field not None, bytes name not None):
    """The named cookie's value in a Cookie field's value, or None. A name that no cookie can have finds nothing."""
    cdef const char* value = NULL
    cdef Py_ssize_t size = 0
    if not is_cookie_name(name) or not find(field, len(field), name, len(name), &value, &size):
        return None
    return value[:size]


def is_cookie_name(bytes name not None):
    """Whether the bytes are a token (RFC 6265 §4.1.1, RFC 9110 §5.6.2): the only names a cookie can have."""
    cdef unsigned char c
    for c in name:
        if c <= 0x20 or c >= 0x7F or c in b"()<>@,;:\\\"/[]?={}":
            return False
    return len(name) > 0
