cdef bint strongly_equal(bytes one, bytes other) noexcept
cdef bint weakly_equal(bytes one, bytes other) noexcept
