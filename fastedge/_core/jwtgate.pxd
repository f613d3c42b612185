from fastedge._core.gate cimport Admission, Gate, Refusal
from fastedge._core.keyslot cimport KeySlot
from fastedge._core.message cimport Request
from fastedge._core.revocations cimport Revocations
from fastedge._core.tokens cimport VerifiedTokens


cdef class JwtGate(Gate):
    cdef readonly VerifiedTokens tokens
    cdef list sources               # of CredentialSource, in their order
    cdef KeySlot keys
    cdef object make_judge          # of a key set: what judges a token by it
    cdef object judge               # judge(token, now) gives an Admission or a reason; None: there are no keys
    cdef long long keys_version     # of the keys that it judges by
    cdef dict refusals              # reason → Refusal
    cdef Refusal several
    cdef Admission nobody           # for a preflight; None: it needs a token too
    cdef bint forward_token
    cdef Revocations revocations    # or None
    cdef object tracer              # of a key set: what `explain` is told about a token

    cdef bint _needs_none(self, Request request) except -1
    cdef int take_keys(self) except -1
    cdef object judged(self, bytes token, double now, bint may_renew)
    cdef object unless_revoked(self, Admission admission, double now)
