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
    cdef Py_ssize_t members = _members_written(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    if members < 0:
        return None
    try:
        value = _decode(data)
    except (MsgspecError, ValueError):  # ValueError: no UTF-8, or a number of thousands of digits
        return None
    # A parser keeps one of two members with the same name, however they are spelled: then it holds fewer than were written.
    return <dict> value if type(value) is dict and _members_held(value) == members else None


cdef Py_ssize_t _members_written(const char* at, Py_ssize_t size) noexcept:
    """Colons outside strings; -1 where it is too deep. Exact for JSON, and nothing but JSON gets past the parser."""
    cdef const char* end = at + size
    cdef Py_ssize_t members = 0, depth = 0
    while at < end:
        if at[0] == c'"':
            at += 1
            while at < end and at[0] != c'"':
                at += 1 + (at[0] == c"\\")
        elif at[0] == c":":
            members += 1
        elif at[0] == c"{" or at[0] == c"[":
            depth += 1
            if depth > DEPTH_MAX:
                return -1
        elif at[0] == c"}" or at[0] == c"]":
            depth -= 1
        at += 1
    return members


cdef Py_ssize_t _members_held(object value) except -1:
    cdef Py_ssize_t members = 0
    if type(value) is dict:
        members = len(<dict> value)
        for one in (<dict> value).values():
            if type(one) is dict or type(one) is list:
                members += _members_held(one)
    elif type(value) is list:
        for one in <list> value:
            if type(one) is dict or type(one) is list:
                members += _members_held(one)
    return members
