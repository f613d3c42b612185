cdef double wall_seconds() noexcept nogil
cdef long long monotonic_us() noexcept nogil
