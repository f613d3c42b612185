from fastedge._core.condition cimport Condition
from fastedge._core.fields cimport FieldName
from fastedge._core.message cimport Context, OriginField, Plan, Request
from fastedge._core.pipeline cimport NativeStage
from fastedge._core.queryrules cimport QueryRules

cdef enum Source:
    FROM_COOKIE
    FROM_FIELD
    FROM_QUERY
    FROM_VARIANT
    FROM_CLAIM
    FROM_PLACE


cdef class KeyPart:
    """One fact that splits the cache."""
    cdef Source source
    cdef bytes name         # as the key spells it: b"cookie:uid"
    cdef bytes of           # what follows the colon
    cdef str of_text
    cdef int fact           # FROM_PLACE
    cdef FieldName field    # FROM_FIELD

    cdef bytes value(self, Request request, Context ctx)


cdef class CacheStage(NativeStage):
    # None, or -1: the plan keeps what it has
    cdef object ttl, default_ttl, stale_while_revalidate, stale_if_error
    cdef tuple status_ttls
    cdef int ignores_request, ignores_cookies
    cdef QueryRules query
    cdef Condition bypass
    cdef tuple key_parts            # of KeyPart
    cdef tuple tags                 # of bytes, or None
    cdef tuple tags_by_path         # of (Condition, tuple of bytes)
    cdef OriginField no_cookie      # the edit that takes Cookie away; None: it stays
    cdef bint edits                 # something that is stored and not in the key
    cdef tuple kept_cookies         # of bytes: those that stay all the same

    cdef int set_lifetimes(self, Plan plan) except -1
    cdef int set_tags(self, Request request, Plan plan) except -1
    cdef int set_key(self, Request request, Context ctx) except -1
    cdef int strip_cookies(self, Request request, Plan plan) except -1
