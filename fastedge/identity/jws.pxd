cdef struct Parts:          # of a compact serialisation, by where they end
    Py_ssize_t header
    Py_ssize_t payload


cdef class Header:
    cdef readonly str algorithm
    cdef readonly str kid       # None: it says none
    cdef readonly str type


cdef object check_form(bytes token, Parts* parts)
cpdef object parse_header(bytes encoded)
