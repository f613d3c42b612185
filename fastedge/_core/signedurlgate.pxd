from fastedge._core.credential cimport Span
from fastedge._core.gate cimport Admission, Gate
from fastedge._core.message cimport Context, Request
from fastedge._core.queryrules cimport QueryRules


cdef struct Shown:              # the gate's own parameters, in the order of PARAMETERS
    Span parts[3]
    int counts[3]


cdef class SignedUrlGate(Gate):
    cdef dict checks            # key id → check(text, signature)
    cdef QueryRules own         # without our parameters
    cdef QueryRules signed      # of the others, those that are signed; None: all
    cdef bint signs_host
    cdef bint signs_address
    cdef bint signs_method
    cdef double leeway_s
    cdef double expires_s_max
    cdef bytes seen             # the last target whose signature was looked at,
    cdef bytes rest             # and what it is without it
    cdef Admission admission
    cdef dict refusals

    cdef str objection(self, Request request, Context ctx, Shown* shown)
    cdef bytes text(self, Request request, Context ctx, Shown* shown)
    cdef bytes remaining(self, bytes target)
