from fastedge._core.gate cimport Gate
from fastedge._core.message cimport Context, Request


cdef class CombinedGate(Gate):
    cdef list gates


cdef class AnyGate(CombinedGate):
    pass


cdef class AllGate(CombinedGate):
    cdef object go_on(self, Py_ssize_t at, object found, list admissions, Request request, Context ctx)
