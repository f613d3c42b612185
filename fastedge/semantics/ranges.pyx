"""Range, and the partial responses that answer it (RFC 9110 §14, §15.3.7).

Never lets a byte be sent twice, however often it was asked for, nor more parts than a bound (§14.2, §17.15).
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING

from fastedge._core.forwarded cimport next_entry
from fastedge.limits import range_overlaps_max, ranges_max

cdef extern from "strings.h" nogil:
    int strncasecmp(const char*, const char*, size_t)

cdef enum:
    UNIT_SIZE = 6   # "bytes="

cdef long long POSITION_MAX = (<long long> 1 << 62) - 1     # longer than any representation

cdef Py_ssize_t RANGES_MAX = ranges_max
cdef int OVERLAPS_MAX = range_overlaps_max
assert ranges_max <= SPANS_ROOM


cdef Ranges parse_ranges(bytes value, long long length):
    """What is asked of a representation of `length` bytes; None where it is as if there were no Range: another unit, what
    is no list of ranges (§14.2), an attack (§17.15), or the end of a representation that is empty."""
    cdef Ranges ranges
    cdef const char* at = PyBytes_AS_STRING(value)
    cdef const char* end = at + len(value)
    cdef const char* entry
    cdef Py_ssize_t size, asked = 0
    if len(value) <= UNIT_SIZE or strncasecmp(at, b"bytes=", UNIT_SIZE) != 0:
        return None
    at += UNIT_SIZE
    ranges = Ranges.__new__(Ranges)
    ranges.length = length
    while next_entry(&at, end, &entry, &size):
        asked += 1
        if asked > RANGES_MAX or not ranges._read(entry, size):
            return None
    return ranges if asked and ranges.overlaps <= OVERLAPS_MAX else None


@cython.final
@cython.freelist(16)
cdef class Ranges:
    """The parts of a representation that a request asks for, in its order; those that overlap or abut are one."""

    cdef bint _read(self, const char* at, Py_ssize_t size) noexcept:
        """Takes in "first-last", "first-" or "-suffix" if it can be satisfied; False for what is none of them."""
        cdef const char* end = at + size
        cdef long long first = _position(&at, end)
        cdef long long last
        if at == end or at[0] != c"-":
            return False
        at += 1
        last = _position(&at, end)
        if at != end or (first < 0 and last < 0) or (last >= 0 and first > last):
            return False
        if first < 0:
            return self._read_suffix(last)
        if first < self.length:
            self._add(Span(first, self.length - 1 if last < 0 else min(last, self.length - 1)))
        return True

    cdef bint _read_suffix(self, long long size) noexcept:
        """The last `size` bytes. Of an empty representation they are there, but no Content-Range can say so."""
        if size and self.length == 0:
            return False
        if size:
            self._add(Span(max(self.length - size, 0), self.length - 1))
        return True

    cdef int _add(self, Span span) noexcept:
        """Makes one of the span and those that it touches, in the place of the first of them.

        Those that were there touch each other nowhere: what is joined to some can touch no further one.
        """
        cdef Py_ssize_t i, kept = 0, place = -1
        cdef Span other
        for i in range(self.count):
            other = self.spans[i]
            if other.first > span.last + 1 or span.first > other.last + 1:
                self.spans[kept] = other
                kept += 1
                continue
            self.overlaps += other.first <= span.last and span.first <= other.last
            span = Span(min(span.first, other.first), max(span.last, other.last))
            if place < 0:
                place = kept
                kept += 1
        if place < 0:
            place = kept
            kept += 1
        self.spans[place] = span
        self.count = kept
        return 0

    def items(self):
        """(first, last) of each, for tests and tools."""
        return [(self.spans[i].first, self.spans[i].last) for i in range(self.count)]


cdef long long _position(const char** at, const char* end) noexcept:
    """Reads digits; -1 when there are none. What no representation is long enough for is POSITION_MAX."""
    cdef long long value = -1
    while at[0] < end and c"0" <= at[0][0] <= c"9":
        value = POSITION_MAX if value >= POSITION_MAX // 10 else max(value, 0) * 10 + (at[0][0] - c"0")
        at[0] += 1
    return value


cdef bytes content_range(long long first, long long last, long long length):
    return b"bytes %d-%d/%d" % (first, last, length)


cdef bytes unsatisfied_range(long long length):
    return b"bytes */%d" % length


# --- multipart/byteranges (§14.6) ------------------------------------------------------------------------------------


cdef bytes multipart_type(bytes boundary):
    return b"multipart/byteranges; boundary=" + boundary


cdef list part_heads(Ranges ranges, bytes boundary, bytes content_type):
    """What stands before each part, and behind the last. `content_type` is the representation's, or None."""
    cdef bytes delimiter = b"\r\n--" + boundary
    cdef bytes begin = delimiter + b"\r\n"
    cdef Py_ssize_t i
    if content_type is not None:
        begin += b"content-type: " + content_type + b"\r\n"
    begin += b"content-range: "
    heads = [
        begin + content_range(ranges.spans[i].first, ranges.spans[i].last, ranges.length) + b"\r\n\r\n"
        for i in range(ranges.count)
    ]
    heads.append(delimiter + b"--\r\n")
    return heads


cdef long long multipart_length(Ranges ranges, list heads) except -1:
    """Content-Length of the whole body."""
    cdef long long total = 0
    cdef Py_ssize_t i
    cdef bytes head
    for head in heads:
        total += len(head)
    for i in range(ranges.count):
        total += ranges.spans[i].last + 1 - ranges.spans[i].first
    return total


# --- Python face -----------------------------------------------------------------------------------------------------


def read_ranges(bytes value not None, long long length):
    """`parse_ranges`, for tests and tools."""
    return parse_ranges(value, length)


def write_content_range(long long first, long long last, long long length):
    """`content_range`, for tests and tools."""
    return content_range(first, last, length)


def write_unsatisfied_range(long long length):
    """`unsatisfied_range`, for tests and tools."""
    return unsatisfied_range(length)


def write_multipart(Ranges ranges not None, bytes boundary not None, bytes content_type):
    """Content-Type, part heads and Content-Length of a body of several parts, for tests and tools."""
    heads = part_heads(ranges, boundary, content_type)
    return multipart_type(boundary), heads, multipart_length(ranges, heads)
