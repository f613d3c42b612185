from libc.stdint cimport uint64_t


cdef struct Digest:             # of a revocable name; 128 bits, keyed, so that nobody can make two names meet
    uint64_t high
    uint64_t low


cdef class Revocable:
    """What of a token a revocation can name; shared by all requests that show it."""
    cdef readonly str jti       # None: it has none
    cdef readonly str sub
    cdef readonly double issued_s   # its `iat`; -inf without one: then each "issued before" concerns it
    cdef Digest jti_digest      # worked out when a table that is not empty is first asked
    cdef Digest sub_digest
    cdef bint has_digests


cdef class Revocations:
    # Whether a token is revoked. Without an entry in the table it costs one load.
    cdef bint revokes(self, Revocable who, double now) except -1
