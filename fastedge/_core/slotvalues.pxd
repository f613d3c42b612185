from fastedge._core.message cimport Context, Request

# What of the request a value differs by, beside its path: these fields belong into the answer's Vary.
cdef enum:
    BY_COOKIE = 1
    BY_CREDENTIAL = 2


cdef class ValueSource:
    """Where a slot's value comes from."""
    cdef readonly int differs_by
    # bytes, str, Fragment, or None where there is none; raises what a policy's function raises
    cdef object value(self, Request request, Context ctx)


cdef class UrlSource(ValueSource):
    """A value that is the body of another URL of the site: the shell fetches it, `value` is never asked."""
    cdef readonly int wait_ms           # 0: as long as the stage says
    # Where it is, as the policy or the page wrote it; `alternative`: where to ask if that failed. None: nowhere
    cdef bytes url(self, Request request, Context ctx, bint alternative)
