from fastedge._core.gate cimport Refusal
from fastedge._core.pipeline cimport NativeStage

cdef enum Relation:
    ALL_IN = 1      # every one of `values` is among the claim's
    ANY_IN          # one of `values` is among the claim's, or is the claim
    IS_ONE_OF       # the claim is one of `values`
    CONTAINS        # the claim is an array, and holds all of `values`


cdef class ClaimRule:
    cdef Relation relation
    cdef tuple paths            # of tuples of names: the first that leads to something counts
    cdef frozenset values       # of (type, value): True is not 1
    cdef bint splits            # a text stands for its words (RFC 6749 §3.3)
    cdef Refusal refusal

    cdef bint holds(self, object claims) except -1


cdef class RequireStage(NativeStage):
    cdef list rules
    cdef Refusal nobody
