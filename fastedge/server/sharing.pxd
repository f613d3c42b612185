from fastedge.engine cimport Exchange


cdef class Unshared:
    cdef dict entries           # key, or (key, reason of a client's own) → (until, reason, what the answer said)

    cdef str reason_for(self, Exchange exchange)
    cdef str _reason(self, object key, long long now_us)
    cdef int reconsider(self, bytes key, tuple said) except -1
    cdef int remember(self, bytes key, str reason, long long now_us, tuple said) except -1


cdef bint is_reason_for(str reason, Exchange exchange) except -1
cdef bint is_a_clients_own(str reason) except -1
