from cpython.object cimport PyObject

from fastedge._core.stored cimport Stored

cdef enum:
    SLOTS = 512


cdef struct Ready:
    PyObject* stored    # owned, as is the answer
    PyObject* answer    # bytes: head and body, as they were sent
    long long age_s


cdef class ReadyHits:
    cdef Ready slots[SLOTS]

    cdef bytes find(self, Stored stored, long long age_s)
    cdef int keep(self, Stored stored, long long age_s, bytes answer) except -1
