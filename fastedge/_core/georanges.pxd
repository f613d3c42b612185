from libc.stdint cimport uint32_t, uint64_t


cdef class Ranges:
    cdef uint64_t* highs
    cdef uint64_t* lows
    cdef uint32_t* owners
    cdef readonly uint32_t count
    cdef uint32_t room

    cdef int put(self, uint64_t high, uint64_t low, uint32_t owner) except -1
    cdef int grow(self) except -1
