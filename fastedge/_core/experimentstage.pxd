cimport cython

from fastedge._core.bucket cimport Buckets
from fastedge._core.fields cimport FieldName
from fastedge._core.message cimport Context, Request
from fastedge._core.pipeline cimport NativeStage

cdef enum Sticky:
    BY_OWN_COOKIE
    BY_COOKIE
    BY_CLAIM
    BY_ADDRESS

cdef struct Key:
    const char* at
    Py_ssize_t size


@cython.final
cdef class ExperimentStage(NativeStage):
    cdef str name
    cdef Buckets buckets
    cdef Sticky sticky
    cdef bytes cookie           # whose value is the key, by BY_COOKIE
    cdef str claim              # whose value is the key, by BY_CLAIM
    cdef bytes own_cookie
    cdef str fresh_key          # where ctx.vars holds an id that the client has not got yet
    cdef bytes attributes, secure_attributes
    cdef FieldName header       # None: the origin is not told
    cdef tuple members          # of the header, one a variant
    cdef object random_bytes
    cdef bytes pool
    cdef Py_ssize_t pool_at

    cdef bytes find_key(self, Request request, Context ctx, Key* key)
    cdef bytes own_id(self, Context ctx, Key* key)
    cdef str new_id(self)
    cdef int explain(self, Context ctx, Key* key, int index) except -1
