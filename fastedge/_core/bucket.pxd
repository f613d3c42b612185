cimport cython
from libc.stdint cimport uint64_t

cdef enum:
    VARIANTS = 64
    BUCKETS = 10_000


@cython.final
cdef class Buckets:
    cdef bytes salt                     # with the NUL that ends it
    cdef readonly tuple variants
    cdef int[VARIANTS] shares           # how many buckets each variant has
    cdef unsigned char[BUCKETS] of      # each bucket's variant, as its number

    cdef uint64_t hash(self, const char* key, Py_ssize_t size) except? 0


@cython.final
cdef class LayerRange:
    cdef bytes salt
    cdef readonly int first, end

    cdef bint holds(self, const char* key, Py_ssize_t size) except -1
