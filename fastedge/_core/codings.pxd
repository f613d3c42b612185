from fastedge._core.fields cimport Fields

cdef bint accepts_gzip(Fields fields) noexcept
