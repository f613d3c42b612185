cdef struct Span:
    const char* at
    Py_ssize_t size


cdef class HeadParser:
    cdef void* parser
    cdef Span* names
    cdef Span* values
    cdef readonly int count         # field lines of the last head
    cdef int error
    cdef bint overflow, complete

    cdef int split(self, const char* head, Py_ssize_t size) except -1
    cdef str reason(self)
    cdef bint unknown_method(self) noexcept
