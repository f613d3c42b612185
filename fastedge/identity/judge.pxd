from fastedge._core.tokens cimport VerifiedTokens
from fastedge.identity.jwt cimport Trial, Verifier


cdef class Judge:
    cdef Verifier verifier
    cdef list claims                # what origins are told: the claim,
    cdef list names                 # its field (FieldName),
    cdef list keyed                 # and whether it is in the cache key
    cdef VerifiedTokens tokens
    cdef VerifiedTokens refused

    cdef object _admit(self, bytes token, dict claims, Trial* trial)
    cdef int _remember(self, bytes token, object refusal, Trial* trial) except -1
