from fastedge._core.body cimport Framing
from fastedge._core.fields cimport FieldName, Fields
from fastedge._core.message cimport Plan, Request, Response


cdef class HeadWriter:
    cdef char* buffer
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity

    cdef int grow(self, Py_ssize_t more) except -1
    cdef int put(self, bytes data) except -1
    cdef int put_field(self, bytes name, bytes value) except -1
    cdef int put_line(self, FieldName name, const char* value, Py_ssize_t size) except -1
    cdef int _put(self, const char* name, Py_ssize_t name_size, const char* value, Py_ssize_t value_size) except -1
    cdef int put_number_field(self, const char* name, Py_ssize_t size, long long value) except -1
    cdef bytes take(self)
    cdef bytes response(self, Response response, Framing framing, long long length, bytes date, bytes via, int minor, bint keep_alive, list nominated, bytes lines)
    cdef int _put_fields(self, Fields fields, bytes date, list nominated) except -1
    cdef bytes informational(self, int status, Fields fields)
    cdef bytes origin_request(
        self, Request request, Plan plan, bytes host, bytes forwarded, bytes forwarded_for, bytes via, bytes cdn_loop,
        Framing framing, long long length, bint expects_continue, bint accepts_trailers, bytes upgrade, list nominated,
        bint whole, list conditions
    )


cdef bytes chunk(bytes data)
cdef bytes last_chunk(Fields trailers, list edits)
