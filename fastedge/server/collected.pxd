from fastedge.server.flight cimport Reader
from fastedge.server.front cimport Front


cdef class Collected:
    """A body that is to be whole before anything is made of it."""
    cdef readonly str objection     # why it cannot be, one of html.reply.REASONS; or None
    cdef readonly list pieces
    cdef Front front
    cdef long long size, bytes_max
    cdef long long counted          # of `size`: bytes that nobody else holds anyway

    cdef bint expects(self, long long length) noexcept          # whether that many bytes may come; -1: nobody knows
    cdef bint add(self, bytes data, Reader reader) except -1    # whether more may come
    cdef bytes whole(self)


cdef Collected collected(Front front, long long bytes_max)
