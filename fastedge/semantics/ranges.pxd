cdef enum:
    SPANS_ROOM = 16


cdef struct Span:
    long long first     # positions of bytes, both within
    long long last


cdef class Ranges:
    """What a Range asks of a representation of `length` bytes. Made by parse_ranges."""
    cdef Span[SPANS_ROOM] spans     # in the order in which they were asked for; no two overlap or abut
    cdef readonly Py_ssize_t count  # 0: none can be satisfied, which is a 416
    cdef readonly long long length
    cdef int overlaps

    cdef bint _read(self, const char* at, Py_ssize_t size) noexcept
    cdef bint _read_suffix(self, long long size) noexcept
    cdef int _add(self, Span span) noexcept


cdef Ranges parse_ranges(bytes value, long long length)

# Values of Content-Range, of a 206 and of a 416.
cdef bytes content_range(long long first, long long last, long long length)
cdef bytes unsatisfied_range(long long length)

# A body of multipart/byteranges: each of `part_heads` stands before the bytes of its span, the last one behind them all.
cdef bytes multipart_type(bytes boundary)
cdef list part_heads(Ranges ranges, bytes boundary, bytes content_type)
cdef long long multipart_length(Ranges ranges, list heads) except -1
