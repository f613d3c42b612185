"""The query of a target, normalised: which parameters stay, by name, and in which order (RFC 3986 §3.4).

Names are compared percent-decoded, `+` as a space. What stays, stays as it was spelled.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memchr, memcpy

from urllib.parse import unquote_to_bytes

from fastedge._core.condition cimport Pattern


@cython.final
cdef class QueryRules:
    """Parameters whose name fits one of `patterns` stay (`keeps`) or go; None: all stay. `sorts`: by name, stable."""

    def __init__(self, patterns, bint keeps, bint sorts):
        self.patterns = None if patterns is None else tuple([Pattern(text) for text in patterns])
        self.keeps = keeps
        self.sorts = sorts

    def apply(self, bytes target not None):
        return self.normal(target)

    cdef bytes normal(self, bytes target):
        """`target` itself where there is nothing to do."""
        cdef const char* at = PyBytes_AS_STRING(target)
        cdef const char* end = at + len(target)
        cdef const char* mark = <const char*> memchr(at, c"?", end - at)
        cdef const char* stop
        cdef bint all_stay = True
        if mark is NULL:
            return target
        at = mark + 1
        while all_stay and at <= end:
            stop = _end_of_pair(at, end)
            all_stay = self.patterns is None or self.stays(at, stop)
            at = stop + 1
        if not all_stay:
            target = self.reduced(target, mark - PyBytes_AS_STRING(target))
        return _in_order(target) if self.sorts else target

    cdef bint stays(self, const char* at, const char* stop) except -1:
        cdef const char* equals = <const char*> memchr(at, c"=", stop - at)
        cdef Py_ssize_t size = (stop if equals is NULL else equals) - at
        cdef bytes name
        cdef Pattern pattern
        if memchr(at, c"%", size) or memchr(at, c"+", size):
            name = _decoded(at[:size])
            at, size = name, len(name)
        for pattern in self.patterns:
            if pattern.fits(at, size):
                return self.keeps
        return not self.keeps

    cdef bytes reduced(self, bytes target, Py_ssize_t mark):
        cdef bytes out = PyBytes_FromStringAndSize(NULL, len(target))
        cdef char* to = PyBytes_AS_STRING(out)
        cdef const char* at = PyBytes_AS_STRING(target) + mark + 1
        cdef const char* end = PyBytes_AS_STRING(target) + len(target)
        cdef const char* stop
        cdef Py_ssize_t size = mark
        memcpy(to, PyBytes_AS_STRING(target), mark)
        while at <= end:
            stop = _end_of_pair(at, end)
            if self.stays(at, stop):
                to[size] = c"?" if size == mark else c"&"
                memcpy(to + size + 1, at, stop - at)
                size += 1 + stop - at
            at = stop + 1
        return out[:size]


cdef inline const char* _end_of_pair(const char* at, const char* end) noexcept:
    cdef const char* stop = <const char*> memchr(at, c"&", end - at)
    return end if stop is NULL else stop


cdef bytes _decoded(bytes name):
    return unquote_to_bytes(name.replace(b"+", b" "))


cdef bytes _in_order(bytes target):
    """Parameters of one name keep their order among themselves: the last, or the first, may be the one that counts."""
    path, mark, query = target.partition(b"?")
    return path + mark + b"&".join(sorted(query.split(b"&"), key=_name_of)) if b"&" in query else target


def _name_of(bytes pair):
    return pair.partition(b"=")[0]


cdef bytes raw_values(bytes target, bytes name):
    """All values of a parameter as they were spelled, with the `=`, joined by `&`; None where it is missing."""
    found = [
        pair[len(_name_of(pair)):] for pair in target.partition(b"?")[2].split(b"&") if _decoded(_name_of(pair)) == name
    ]
    return b"&".join(found) if found else None
