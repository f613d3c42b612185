cdef struct Capture:
    Py_ssize_t start
    Py_ssize_t size

# `captures` has room for one entry a `*` of the pattern.
cdef bint matches(
    const char* pattern, Py_ssize_t pattern_size, const char* text, Py_ssize_t text_size, Capture* captures
) noexcept nogil
