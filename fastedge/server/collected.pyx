"""Bodies of pages and fragments on their way to being whole: bounded each by itself, and all of a worker's together."""

cimport cython

from fastedge.limits import collected_bytes_max

cdef long long ALL_MAX = collected_bytes_max


@cython.final
@cython.no_gc               # the front knows nothing of it
cdef class Collected:
    """Whoever lets go of it gives back what it held."""

    def __dealloc__(self):
        self.front.collected_bytes -= self.counted

    cdef bint expects(self, long long length) noexcept:
        if length > self.bytes_max:
            self.objection = "too_large"
        return self.objection is None

    cdef bint add(self, bytes data, Reader reader) except -1:
        """What a flight is about to store is bounded there, and the same for all who read it."""
        self.pieces.append(data)
        self.size += len(data)
        if reader is None or reader.flight is None or not reader.flight.storing:
            self.counted += len(data)
            self.front.collected_bytes += len(data)
            if self.front.collected_bytes > ALL_MAX:
                self.objection = "busy"
        return self.expects(self.size)

    cdef bytes whole(self):
        return <bytes> self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)


cdef Collected collected(Front front, long long bytes_max):
    cdef Collected made = Collected.__new__(Collected)
    made.front, made.bytes_max, made.pieces = front, bytes_max, []
    return made
