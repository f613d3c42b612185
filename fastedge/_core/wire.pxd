from fastedge._core.body cimport Framing
from fastedge._core.fields cimport FieldName, Fields
from fastedge._core.llhttp cimport HeadParser
from fastedge._core.message cimport Request


cdef struct Options:
    # what the Connection fields of a head ask for
    bint closes
    bint keeps
    bint upgrades


cdef class RequestReader:
    cdef HeadParser parser
    cdef Fields fields
    cdef bytes host
    cdef int hosts, lengths, codings, problem_status
    cdef str problem
    cdef Options said
    cdef bint is_10
    # what the last head said, beside the Request itself
    cdef readonly Framing framing
    cdef readonly long long content_length
    cdef readonly bint keep_alive
    cdef readonly bint expects_continue
    cdef readonly bint accepts_trailers
    cdef readonly bytes upgrade         # the protocol asked for, or None
    cdef readonly list nominated        # FieldNames that Connection names, or None

    cdef Request read(self, bytes head, bint secure)
    cdef int _on(self, FieldName name, bytes value) except -1
    cdef int _feed(self, bytes head) except -1
    cdef _reset(self, int minor)
    cdef tuple _authority(self)
    cdef tuple _other_form(self, bytes method, bytes target, bytes authority, bytes host, bint secure)
    cdef int _frame(self) except -1
    cdef int _refuse(self, int status, str reason) except -1


cdef class ResponseReader:
    cdef HeadParser parser
    cdef Fields fields
    cdef int lengths, codings
    cdef str problem
    cdef Options said
    cdef readonly int status
    cdef readonly int minor
    cdef readonly Framing framing
    cdef readonly long long content_length
    cdef readonly bint keep_alive
    cdef readonly bytes upgrade
    cdef readonly list nominated

    cdef Fields read(self, bytes head, bint to_head)
    cdef int _feed(self, bytes head) except -1
    cdef int _on(self, FieldName name, bytes value) except -1
    cdef int _status_line(self, bytes head) except -1
    cdef int _frame(self, bint to_head) except -1


cdef Py_ssize_t head_end(bytes data, Py_ssize_t start) noexcept
cdef int check_partial_head(bytes data, Py_ssize_t start) except -1


cdef Py_ssize_t check_target(bytes target) except -1
