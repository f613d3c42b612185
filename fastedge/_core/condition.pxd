from fastedge._core.message cimport Request


cdef class Condition:
    cdef bint test(self, Request request) except -1
