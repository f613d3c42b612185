from fastedge._core.message cimport Request

cdef enum Outcome:
    PASSES
    NOT_MODIFIED    # 304
    FAILED          # 412


cdef bint strongly_equal(bytes one, bytes other) noexcept
cdef bint weakly_equal(bytes one, bytes other) noexcept

# Of the stored response: the values of ETag, Last-Modified and Date, or None.
cdef Outcome evaluate(Request request, int status, bytes etag, bytes last_modified, bytes date, double now) except *
cdef bint range_applies(Request request, bytes etag, bytes last_modified, bytes date, double now) except -1
