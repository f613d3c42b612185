from libc.stdint cimport uint8_t, uint32_t


cdef uint32_t crc_of(uint32_t crc, const uint8_t* data, Py_ssize_t size) noexcept nogil
cdef uint32_t crc_operator(Py_ssize_t size) noexcept nogil
cdef uint32_t crc_joined(uint32_t crc, uint32_t behind, uint32_t operator) noexcept nogil
cdef bytes deflated(object data)

cdef class Fragment:
    cdef readonly bytes data
    cdef bytes deflate
    cdef uint32_t crc
    cdef uint32_t operator

cdef class GzipWriter:
    cdef list parts
    cdef uint32_t crc
    cdef Py_ssize_t size        # of what is compressed

    cdef int begin(self) except -1
    cdef int add(self, bytes deflate, uint32_t crc, uint32_t operator, Py_ssize_t size) except -1
    cdef int add_value(self, bytes value) except -1
    cdef tuple finish(self)
