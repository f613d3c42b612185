from libc.stdint cimport uint64_t

from fastedge._core.message cimport Plan, Request


cdef struct KeyHash:
    uint64_t high
    uint64_t low


cdef bytes key_of(Request request, Plan plan)
cdef KeyHash hash_of(bytes key) except *
cdef int url_span(bytes key, Py_ssize_t* at, Py_ssize_t* size) except -1
cdef bytes url_of(Request request, bytes target)
cdef bytes origin_of(Request request)
