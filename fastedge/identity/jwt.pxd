from fastedge.identity.rules cimport Rules, Validity
from fastedge.identity.signature cimport Check


cdef struct Trial:              # what is known of a token beside the answer
    bint checked                # its signature was looked at, so the answer has cost something
    Validity validity           # set where it holds, has expired, or does not hold yet


cdef class Verified:
    """A token's claims and the time in which they hold: not_before <= now < expires, leeway included."""
    cdef readonly dict claims
    cdef readonly double not_before
    cdef readonly double expires


cdef class Verifier:
    cdef object keys
    cdef Rules rules
    cdef dict checks
    cdef bytes last_head            # one of `checks`: the one that was asked for last
    cdef Check last_check

    cdef object examine(self, bytes token, double now, Trial* trial)
    cdef Check _known(self, const unsigned char* at, Py_ssize_t size)
    cdef object _choose(self, bytes head)
    cdef object _judge(self, bytes payload, double now, Trial* trial)
