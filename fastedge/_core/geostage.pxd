from fastedge._core.geotable cimport CODES
from fastedge._core.pipeline cimport NativeStage


cdef class RouteByCountry(NativeStage):
    cdef tuple origins


cdef class GateByCountry(NativeStage):
    cdef unsigned char refused[CODES]
    cdef int status
    cdef bytes body
