cdef double parse_date(const char* at, Py_ssize_t size, double now) noexcept
cdef bytes format_date(double seconds)
