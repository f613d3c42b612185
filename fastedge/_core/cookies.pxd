cdef bint find(
    const char* field, Py_ssize_t field_size, const char* name, Py_ssize_t name_size,
    const char** value, Py_ssize_t* value_size,
) noexcept nogil
