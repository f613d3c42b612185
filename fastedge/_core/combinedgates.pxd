from fastedge._core.gate cimport Gate
from fastedge._core.message cimport Context, Request


cdef class AnyGate(Gate):
    cdef list gates


cdef class AllGate(Gate):
    cdef list gates

    cdef object examine_from(self, Py_ssize_t first, list admissions, Request request, Context ctx)
