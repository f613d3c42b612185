from fastedge._core.message cimport Request


cdef class Condition:
    cdef bint test(self, Request request) except -1


cdef class Pattern:
    cdef readonly bytes text
    cdef Py_ssize_t stars

    cdef bint match(self, bytes subject) noexcept
    cdef bint fits(self, const char* at, Py_ssize_t length) noexcept
