"""Entity-tags (RFC 9110 §8.8.3) and what a request's conditions say of a stored representation (§13).

An entity-tag that lacks its quotes is equal to itself, for weak comparison alone.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memcmp

cdef struct Tag:
    const char* at      # without W/
    Py_ssize_t size
    bint weak


cdef bint strongly_equal(bytes one, bytes other) noexcept:
    """Strong comparison (RFC 9110 §8.8.3.2); None is equal to nothing."""
    return one is not None and other is not None and _same_strong(_tag(one), _tag(other))


cdef bint weakly_equal(bytes one, bytes other) noexcept:
    """Weak comparison (RFC 9110 §8.8.3.2); None is equal to nothing."""
    return one is not None and other is not None and _same_weak(_tag(one), _tag(other))


cdef inline bint _same_strong(Tag one, Tag other) noexcept:
    return not one.weak and not other.weak and _same_weak(one, other) and one.size >= 2 and one.at[0] == c'"'


cdef inline bint _same_weak(Tag one, Tag other) noexcept:
    return one.size == other.size and one.size > 0 and memcmp(one.at, other.at, one.size) == 0


cdef inline Tag _tag(bytes value) noexcept:
    return _tag_of(PyBytes_AS_STRING(value), len(value))


cdef inline Tag _tag_of(const char* at, Py_ssize_t size) noexcept:
    cdef bint weak = size >= 2 and at[0] == c"W" and at[1] == c"/"     # in this case alone (§8.8.3)
    return Tag(at + 2, size - 2, True) if weak else Tag(at, size, False)


def compares_strongly(bytes one, bytes other):
    """`strongly_equal`, for tests and tools."""
    return strongly_equal(one, other)


def compares_weakly(bytes one, bytes other):
    """`weakly_equal`, for tests and tools."""
    return weakly_equal(one, other)
