"""JSON objects that two parsers cannot read differently. Never accepts a member twice (RFC 7515 §4, RFC 8725 §2.4)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from msgspec import MsgspecError
from msgspec.json import Decoder

from fastedge.limits import json_depth_max

cdef Py_ssize_t DEPTH_MAX = json_depth_max
cdef object _decode = Decoder().decode


cpdef dict parse_object(bytes data):
    """The object that `data` spells, or None when it is none, is not UTF-8, is too deep, or names a member twice at any
    depth. Integers are exact, whatever their size."""
    cdef const unsigned char* at = <const unsigned char*> PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), at_most = 0, openings = 0, held
    _survey(at, size, &at_most, &openings)
    if openings > DEPTH_MAX and _members_written(at, size) < 0:
        return None
    try:
        value = _decode(data)
    except (MsgspecError, ValueError):  # ValueError: no UTF-8, or a number of thousands of digits
        return None
    if type(value) is not dict:
        return None
    # A parser keeps one of two members with the same name, however they are spelled: then it holds fewer than were written.
    held = len(<dict> value) if openings == 1 else _members_held(value)
    return <dict> value if held == at_most or held == _members_written(at, size) else None


cdef void _survey(const unsigned char* at, Py_ssize_t size, Py_ssize_t* members, Py_ssize_t* openings) noexcept:
    """Bounds of how many members there are, and how many arrays and objects; they are nearly always exact. Members are
    colons behind a quote or white space. Counted in runs, in bytes, which compilers do sixteen at a time."""
    cdef unsigned char colons, opened
    cdef Py_ssize_t i, start, end
    openings[0] = size > 0 and (at[0] | 0x20) == c"{"
    for start in range(1, size, 128):
        colons = opened = 0
        end = min(start + 128, size)
        for i in range(start, end):
            colons += (at[i] == c":") & ((at[i - 1] == c'"') | (at[i - 1] <= c" "))
            opened += (at[i] | 0x20) == c"{"  # "[" differs from it in that bit
        members[0] += colons
        openings[0] += opened


cdef Py_ssize_t _members_written(const unsigned char* at, Py_ssize_t size) noexcept:
    """Colons outside strings; -1 where it is too deep. Exact for JSON, and nothing but JSON gets past the parser."""
    cdef const unsigned char* end = at + size
    cdef Py_ssize_t members = 0, depth = 0
    while at < end:
        if at[0] == c'"':
            at += 1
            while at < end and at[0] != c'"':
                at += 1 + (at[0] == c"\\")
        elif at[0] == c":":
            members += 1
        elif at[0] | 0x20 == c"{":
            depth += 1
            if depth > DEPTH_MAX:
                return -1
        elif at[0] | 0x20 == c"}":
            depth -= 1
        at += 1
    return members


cdef Py_ssize_t _members_held(object value) except -1:
    cdef Py_ssize_t members = 0
    if type(value) is dict:
        members = len(<dict> value)
        for one in (<dict> value).values():
            members += _members_held(one)
    elif type(value) is list:
        for one in <list> value:
            members += _members_held(one)
    return members
