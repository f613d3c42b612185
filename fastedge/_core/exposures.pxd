cimport cython
from libc.stdint cimport int64_t, uint64_t

from fastedge._core.bucket cimport Buckets


@cython.final
cdef class Exposures:
    """Who has met which variant in this window, and how many; one mapping, read and written by every worker."""
    cdef Py_buffer view
    cdef uint64_t* seen
    cdef int64_t* rows
    cdef bytes key
    cdef readonly long long window_s
    cdef public bint is_written     # whether somebody writes them down: then each has the visitor's hash

    cdef bint is_first(self, int row, int variant, uint64_t hash, double now) noexcept
    cdef int count(self, int row, int variant, Buckets buckets, double now) noexcept
    cdef str visitor(self, const char* key, Py_ssize_t size)
