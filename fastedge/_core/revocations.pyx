"""Revocations: which tokens are no longer good, before they have expired."""

cimport cython


@cython.final
@cython.freelist(256)
cdef class Revocable:
    def __init__(self, jti, sub, double issued_s):
        self.jti, self.sub, self.issued_s = jti, sub, issued_s


@cython.final
cdef class Revocations:
    cdef bint revokes(self, Revocable who, double now) except -1:
        return False
