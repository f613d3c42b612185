from fastedge._core.fields cimport FieldName
from fastedge._core.message cimport Context, Request
from fastedge._core.pipeline cimport BoundPipeline


cdef class ValueSource:
    """Where a slot's value comes from."""
    cdef readonly tuple differs_by      # fields of the request, beside its target, that belong into the answer's Vary
    # bytes, str, Fragment, or None where there is none; raises what a policy's function raises
    cdef object value(self, Request request, Context ctx)
    cdef int bound_in(self, BoundPipeline pipeline, int serial) except -1   # of the stage that it is a source of


cdef class UrlSource(ValueSource):
    """A value that is the body of another URL of the site: the shell fetches it, `value` is never asked."""
    cdef readonly int wait_ms           # 0: as long as the stage says
    # Where it is, as the policy or the page wrote it; `alternative`: where to ask if that failed. None: nowhere
    cdef bytes url(self, Request request, Context ctx, bint alternative)


cdef class ClaimValue(ValueSource):
    cdef str name
    cdef dict mapping           # of str; None: what the claim says is the value


cdef class CookieValue(ValueSource):
    cdef bytes name
    cdef dict mapping           # of bytes; None: what it says, up to `bytes_max`
    cdef Py_ssize_t bytes_max


cdef class GeoValue(ValueSource):
    cdef int fact
    cdef dict mapping           # of bytes


cdef class VariantValue(ValueSource):
    cdef str experiment
    cdef dict mapping           # of str


cdef class FragmentsValue(ValueSource):
    cdef dict table             # of bytes → Fragment
    cdef ValueSource by


cdef class CallValue(ValueSource):
    cdef object function
    cdef str slot
    cdef BoundPipeline pipeline
    cdef int serial

    cdef int mark(self, bint runs) noexcept


cdef class UrlValue(UrlSource):
    cdef list parts             # of bytes and ValueSource


cdef class EsiVariable(ValueSource):
    cdef int kind
    cdef bytes key
    cdef FieldName field
    cdef ValueSource source     # of a cookie or a fact
    cdef readonly bytes default


cdef class EsiInclude(UrlSource):
    cdef list parts, alternatives   # of bytes and EsiVariable
