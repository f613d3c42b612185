from libc.stdint cimport uint64_t

cdef struct Hash128:        # XXH128_hash_t
    uint64_t low, high

cdef Hash128 checksum(const void* data, size_t size) noexcept nogil

cdef class Checksum:
    cdef void* state

# for callers without the interpreter's lock, who cannot make an object
cdef void* new_state() noexcept nogil
cdef int update_state(void* state, const void* data, size_t size) noexcept nogil
cdef Hash128 digest_state(void* state) noexcept nogil
cdef void free_state(void* state) noexcept nogil
