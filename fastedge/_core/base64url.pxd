cdef bytes decode_span(const unsigned char* at, Py_ssize_t length)
