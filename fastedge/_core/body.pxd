from fastedge._core.fields cimport Fields

cdef enum Framing:
    NO_BODY
    LENGTH
    CHUNKED
    UNTIL_CLOSE


cdef class BodyReader:
    cdef readonly Framing framing
    cdef readonly bint done
    cdef readonly long long remaining   # of the body (LENGTH) or of the current chunk (CHUNKED), bytes
    cdef readonly Fields trailers       # None, or the trailer fields that may be passed on
    cdef readonly Py_ssize_t position   # in the last fed data: the first byte that is not of this body
    cdef int state
    cdef bytes line                     # the incomplete line that the next data continues

    cdef int start(self, Framing framing, long long length) except -1
    cdef bytes feed(self, bytes data, Py_ssize_t position)
    cdef bytes _chunked(self, bytes data)
    cdef bytes _line(self, bytes data, Py_ssize_t bound)
    cdef int _trailer(self, bytes line) except -1
