from fastedge._core.pipeline cimport NativeStage

cdef enum:
    CODES = 677     # unknown, and every pair of letters: what geotable.code_of gives


cdef class RouteByCountry(NativeStage):
    cdef tuple origins


cdef class GateByCountry(NativeStage):
    cdef unsigned char refused[CODES]
    cdef int status
    cdef bytes body
