cdef double wall_seconds() noexcept nogil
cdef long long monotonic_us() noexcept nogil
cdef long long steady_us(long long monotonic) noexcept nogil
