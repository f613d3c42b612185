cimport cython
from libc.stdint cimport uint64_t

from fastedge._core.bucket cimport LayerRange
from fastedge._core.experimentslot cimport ExperimentSlot
from fastedge._core.exposures cimport Exposures
from fastedge._core.fields cimport FieldName
from fastedge._core.message cimport Context, Request
from fastedge._core.pipeline cimport NativeStage
from fastedge._core.target cimport Target

cdef enum Sticky:
    BY_OWN_COOKIE
    BY_COOKIE
    BY_CLAIM
    BY_ADDRESS

cdef struct Key:
    const char* at
    Py_ssize_t size


@cython.final
cdef class Way:
    """One thing that a visitor may be known by."""
    cdef Sticky kind
    cdef bytes cookie
    cdef str claim


@cython.final
cdef class ExperimentStage(NativeStage):
    cdef readonly tuple hidden_parameters   # that no log may hold (_core/reserved)
    cdef ExperimentSlot slot
    cdef list ways              # of Way: the first that is there
    cdef LayerRange layer       # None: everyone may be in it
    cdef Target target
    cdef list override_sources  # of CredentialSource; None: there are no overrides
    cdef object judge           # judge(override, now): a variant, None if it is another experiment's, or a Why
    cdef Exposures exposures    # None: nobody counts
    cdef bytes own_cookie
    cdef str fresh_key          # where ctx.vars holds an id that the client has not got yet
    cdef bytes attributes, secure_attributes
    cdef FieldName header       # None: the origin is not told
    cdef tuple members          # of the header, one a variant
    cdef bint keyed             # whether the variant is in the cache key
    cdef str name
    cdef object random_bytes
    cdef bytes pool
    cdef Py_ssize_t pool_at

    cdef int variant(self, Request request, Context ctx) except -2
    cdef int overridden(self, Request request, Context ctx) except -2
    cdef int judged(self, Context ctx, bytes override) except -2
    cdef int exposed(self, Context ctx, Key* key, uint64_t hash, int variant) except -1
    cdef bytes find_key(self, Request request, Context ctx, Key* key)
    cdef bytes own_id(self, Context ctx, Key* key)
    cdef str new_id(self)
    cdef int said(self, Context ctx, str what) except -1
