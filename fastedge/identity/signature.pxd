cdef class Check:
    """Whether a signature belongs to a signing input, by one key and one algorithm."""

    cdef bint holds(self, bytes signing_input, bytes signature) except -1
