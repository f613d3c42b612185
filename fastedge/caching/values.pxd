from fastedge._core.fields cimport FieldName

cdef struct Span:
    const char* at
    Py_ssize_t size


cdef Py_ssize_t normalise(char* value, Py_ssize_t size, FieldName name) noexcept
cdef const char* next_member(const char* at, const char* end, Span* member) noexcept
