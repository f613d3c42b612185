"""The body of a message, by its framing (RFC 9112 §6–7): bytes go in, payload comes out. No I/O.

Where two readers could disagree about a chunk's size or a line's end, it refuses.
"""

cimport cython

from fastedge._core.fields cimport HOP_BY_HOP, NOT_IN_TRAILER, FieldName, Fields, intern_text, is_forgeable, value_to_wire
from fastedge.errors import WireError
from fastedge.limits import chunk_line_bytes_max, header_count_max, trailer_bytes_max

cdef Py_ssize_t LINE_MAX = chunk_line_bytes_max
cdef Py_ssize_t TRAILER_MAX = trailer_bytes_max
cdef Py_ssize_t COUNT_MAX = header_count_max

cdef enum State:
    SIZE_LINE
    PAYLOAD
    PAYLOAD_END
    TRAILER_LINE


@cython.final
cdef class BodyReader:
    """Reads one body after another. After `begin`, `feed` until `done`; both sides of the edge use it.

    Raises WireError(400) for broken framing and (413) or (431) for what is longer than its bound.
    """

    def begin(self, str framing, long long length=0):
        """The Python face of `start`: framing is "none", "length", "chunked" or "close"."""
        self.start({"none": NO_BODY, "length": LENGTH, "chunked": CHUNKED, "close": UNTIL_CLOSE}[framing], length)

    def read(self, bytes data):
        """Payload in `data` (None where there is none); `position` says where the body ended, once `done`."""
        return self.feed(data, 0)

    cdef int start(self, Framing framing, long long length) except -1:
        self.framing = framing
        self.remaining = length
        self.done = framing == NO_BODY or (framing == LENGTH and length == 0)
        self.trailers = None
        self.state = SIZE_LINE
        self.line = None
        self.position = 0
        return 0

    cdef bytes feed(self, bytes data, Py_ssize_t position):
        cdef Py_ssize_t available = len(data) - position
        self.position = position
        if self.done or available == 0:
            return None
        if self.framing == UNTIL_CLOSE:
            self.position = len(data)
            return data if position == 0 else data[position:]
        if self.framing == LENGTH:
            if available > self.remaining:
                available = self.remaining
            self.remaining -= available
            self.done = self.remaining == 0
            self.position = position + available
            return data if available == len(data) else data[position:self.position]
        return self._chunked(data)

    cdef bytes _chunked(self, bytes data):
        cdef list payload = []
        cdef Py_ssize_t take
        cdef bytes line
        while not self.done and self.position < len(data):
            if self.state == PAYLOAD:
                take = min(self.remaining, len(data) - self.position)
                payload.append(data[self.position:self.position + take])
                self.position += take
                self.remaining -= take
                if self.remaining == 0:
                    self.state = PAYLOAD_END
                continue
            line = self._line(data, 2 if self.state == PAYLOAD_END else LINE_MAX if self.state == SIZE_LINE else TRAILER_MAX)
            if line is None:
                break
            if self.state == SIZE_LINE:
                self.remaining = _chunk_size(line)
                self.state = PAYLOAD if self.remaining else TRAILER_LINE
            elif self.state == PAYLOAD_END:
                if line:
                    raise WireError(400, "chunk_longer_than_its_size")
                self.state = SIZE_LINE
            elif line:
                self._trailer(line)
            else:
                self.done = True
        if not payload:
            return None
        return <bytes> payload[0] if len(payload) == 1 else b"".join(payload)

    cdef bytes _line(self, bytes data, Py_ssize_t bound):
        """The next line without its CRLF, or None when it is not complete yet."""
        cdef Py_ssize_t end = data.find(b"\n", self.position)
        cdef bytes piece = data[self.position:] if end < 0 else data[self.position:end + 1]
        self.position += len(piece)
        if self.line is not None:
            piece = self.line + piece
        if len(piece) > bound:
            raise WireError(431 if self.state == TRAILER_LINE else 400, "chunk_line_too_long")
        if end < 0:
            if 0 <= piece.find(b"\r") < len(piece) - 1:
                raise WireError(400, "bare_cr")
            self.line = piece
            return None
        self.line = None
        if not piece.endswith(b"\r\n"):
            raise WireError(400, "bare_lf")
        if piece.find(b"\r") != len(piece) - 2:
            raise WireError(400, "bare_cr")
        return piece[:len(piece) - 2]

    cdef int _trailer(self, bytes line) except -1:
        """Keeps a trailer field if an intermediary may pass it on (RFC 9110 §6.5.1)."""
        cdef FieldName name
        text, colon, value = line.partition(b":")
        try:
            if not colon:
                raise ValueError("no colon")
            name = intern_text(text.decode("latin-1"))
            value = value_to_wire(value)
        except ValueError:
            raise WireError(400, "trailer_field") from None
        if self.trailers is None:
            self.trailers = Fields()
        if not name.traits & (HOP_BY_HOP | NOT_IN_TRAILER) and not is_forgeable(name):
            if self.trailers.total == COUNT_MAX:
                raise WireError(431, "too_many_trailers")
            self.trailers.append(name, value)
        # One bound for the whole section: what is kept counts, and so does each line that is not.
        self.remaining += len(line) + 2
        if self.remaining > TRAILER_MAX:
            raise WireError(431, "trailers_too_long")
        return 0


cdef long long _chunk_size(bytes line) except -1:
    """chunk-size of a line `SIZE[;extensions]`; extensions are checked and dropped (RFC 9112 §7.1.1)."""
    cdef const unsigned char* at = line
    cdef Py_ssize_t i = 0
    cdef long long size = 0
    cdef int digit
    while i < len(line):
        digit = _hex(at[i])
        if digit < 0:
            break
        size = size * 16 + digit
        i += 1
        if i > 15:
            raise WireError(413, "chunk_size_too_large")
    if i == 0 or (i < len(line) and at[i] != c";"):
        raise WireError(400, "chunk_size")
    while i < len(line):
        if (at[i] < 0x20 and at[i] != 0x09) or at[i] == 0x7F:
            raise WireError(400, "chunk_extension")
        i += 1
    return size


cdef inline int _hex(unsigned char c) noexcept:
    if c"0" <= c <= c"9":
        return c - c"0"
    if c"a" <= c <= c"f":
        return c - c"a" + 10
    if c"A" <= c <= c"F":
        return c - c"A" + 10
    return -1
