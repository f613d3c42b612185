cdef struct Validity:           # not_before <= now < expires, leeway included
    double not_before
    double expires
    double issued               # `iat` as it stands; -inf without one


cdef class Rules:
    """What a token has to say beside being signed."""
    cdef readonly frozenset algorithms
    cdef readonly frozenset issuers         # None: any, said or not
    cdef readonly frozenset audiences       # the same
    cdef readonly frozenset types           # media types in lower case; None: any, said or not
    cdef readonly double leeway_s
    cdef readonly bint require_issuer
    cdef readonly bint require_audience
    cdef readonly bint require_expiry
    cdef readonly tuple required

    cpdef object check_header(self, str algorithm, str type)
    cpdef object check_names(self, dict claims)
    cpdef object check_issuer(self, dict claims)
    cpdef object check_audience(self, dict claims)
    cdef object check_dates(self, dict claims, double now, Validity* validity)
