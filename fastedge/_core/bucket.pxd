cimport cython
from libc.stdint cimport uint16_t

cdef enum:
    VARIANTS = 64


@cython.final
cdef class Buckets:
    cdef bytes salt             # with the NUL that ends it
    cdef readonly tuple variants
    cdef uint16_t[VARIANTS] edges
    cdef int count

    cdef int bucket(self, const char* key, Py_ssize_t size) except -1
    cdef int index(self, const char* key, Py_ssize_t size) except -1
