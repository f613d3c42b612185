from fastedge._core.credential cimport CredentialSource
from fastedge._core.gate cimport Gate, Refusal
from fastedge._core.tokens cimport VerifiedTokens


cdef class BasicGate(Gate):
    cdef readonly VerifiedTokens right      # by a keyed digest of what the client sent: who it lets in,
    cdef readonly VerifiedTokens wrong      # and what is refused without another check
    cdef readonly int waiting               # checks under way, or that wait for their turn
    cdef CredentialSource source
    cdef object split
    cdef object knows
    cdef object admission_of
    cdef object keyed                       # a hash that has read its key
    cdef dict checks                        # digest → Check, for those who show the same meanwhile
    cdef double remember_s
    cdef bint forward_password
    cdef dict refusals
    cdef Refusal busy

    cdef object first_sight(self, bytes digest, bytes token, double now)


cdef class Check:
    """One password that is looked at off the loop, for all who show it meanwhile."""
    cdef BasicGate gate
    cdef bytes digest
    cdef str user
    cdef bytes password
    cdef object outcome         # None: not known yet
