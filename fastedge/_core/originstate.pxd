cdef class OriginState:
    cdef bint is_up(self, long long now_us) noexcept
