"""What decisions may know of an origin: whether it is any use to ask it now. The shell's pools say so."""


cdef class OriginState:
    cdef bint is_up(self, long long now_us) noexcept:
        """Whether any of its servers may be asked at this monotonic time."""
        return True
