# An address is 16 bytes, IPv4 as ::ffff:a.b.c.d.
cdef int parse_address(const char* text, Py_ssize_t size, unsigned char* packed16) noexcept
cdef bytes format_address(const unsigned char* packed16)
cdef const unsigned char* sixteen(bytes packed) except NULL
