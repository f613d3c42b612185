"""One gzip member out of pieces that were compressed one by one (RFC 1951, RFC 1952).

Each piece is a run of whole deflate blocks that ends on a byte and looks back at nothing before it, so that any pieces fit
together in any order. The CRC of the whole is made of theirs: a piece's length is a polynomial to multiply with.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_AsTuple
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from isal import isal_zlib

from fastedge.limits import gzip_stored_bytes_max

cdef enum:
    POLYNOMIAL = 0xEDB88320     # of CRC-32, reflected
    STORED_MAX = 0xFFFF         # bytes of one stored block (RFC 1951 §3.2.4)
    LEVEL = 2                   # of isal: as small as zlib's 1, in a seventh of the time

cdef Py_ssize_t STORED_BYTES_MAX = gzip_stored_bytes_max
# No name, no time, an unknown system: equal pages compress to equal bytes.
cdef bytes HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
cdef bytes END = b"\x03\x00"    # a last block with nothing in it
cdef uint32_t TABLE[8][256]


# --- CRC-32 -----------------------------------------------------------------------------------------------------------

cdef int tabulate() except -1:
    cdef uint32_t crc
    cdef int i, k
    for i in range(256):
        crc = i
        for k in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
        TABLE[0][i] = crc
    for k in range(1, 8):
        for i in range(256):
            TABLE[k][i] = (TABLE[k - 1][i] >> 8) ^ TABLE[0][TABLE[k - 1][i] & 0xFF]
    return 0


tabulate()


cdef uint32_t crc_of(uint32_t crc, const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """The CRC of what had this CRC, and of these bytes behind it; of nothing it is 0."""
    cdef uint64_t word
    crc = ~crc
    while size >= 8:
        memcpy(&word, data, 8)
        word ^= crc
        crc = (
            TABLE[7][word & 0xFF] ^ TABLE[6][(word >> 8) & 0xFF] ^ TABLE[5][(word >> 16) & 0xFF] ^ TABLE[4][(word >> 24) & 0xFF]
            ^ TABLE[3][(word >> 32) & 0xFF] ^ TABLE[2][(word >> 40) & 0xFF] ^ TABLE[1][(word >> 48) & 0xFF] ^ TABLE[0][word >> 56]
        )
        data += 8
        size -= 8
    while size > 0:
        crc = (crc >> 8) ^ TABLE[0][(crc ^ data[0]) & 0xFF]
        data += 1
        size -= 1
    return ~crc


cdef inline uint32_t multiplied(uint32_t a, uint32_t b) noexcept nogil:
    """a times b modulo the polynomial; the highest bit is the factor 1. Four bits of a at a time, then as a CRC of four bytes."""
    cdef uint64_t multiples[16]
    cdef uint64_t product = 0
    cdef uint32_t low
    cdef int i
    multiples[0], multiples[1] = 0, b
    for i in range(1, 8):
        multiples[2 * i] = multiples[i] << 1
        multiples[2 * i + 1] = multiples[2 * i] ^ b
    for i in range(8):
        product = product << 4 ^ multiples[a >> (28 - 4 * i) & 15]
    product <<= 1
    low = <uint32_t> product
    return <uint32_t> (product >> 32) ^ (
        TABLE[3][low & 0xFF] ^ TABLE[2][low >> 8 & 0xFF] ^ TABLE[1][low >> 16 & 0xFF] ^ TABLE[0][low >> 24]
    )


cdef uint32_t crc_operator(Py_ssize_t size) noexcept nogil:
    """x to the power of eight times `size`: what a CRC is multiplied with when so many bytes come behind."""
    cdef uint32_t result = 0x80000000u, power = 0x00800000u    # 1, x^8
    while size:
        if size & 1:
            result = multiplied(result, power)
        power = multiplied(power, power)
        size >>= 1
    return result


cdef uint32_t crc_joined(uint32_t crc, uint32_t behind, uint32_t operator) noexcept nogil:
    """The CRC of two pieces of which these are the CRCs, the second of the length that the operator is for."""
    return multiplied(operator, crc) ^ behind


# --- pieces -----------------------------------------------------------------------------------------------------------

cdef bytes deflated(object data):
    """Bytes as whole blocks, compressed or stored, whichever is shorter."""
    cdef Py_ssize_t size = len(data)
    if size <= 16:
        return stored(bytes(data))
    compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)
    made = compressor.compress(data) + compressor.flush(isal_zlib.Z_FULL_FLUSH)
    return made if len(made) < size + 5 * (size // STORED_MAX + 1) else stored(bytes(data))


cdef bytes stored(bytes data):
    """As stored blocks: five bytes and the data itself."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), at = 0, length
    cdef bytes made = PyBytes_FromStringAndSize(NULL, size + 5 * ((size + STORED_MAX - 1) // STORED_MAX))
    cdef uint8_t* out = <uint8_t*> PyBytes_AS_STRING(made)
    while at < size:
        length = min(size - at, <Py_ssize_t> STORED_MAX)
        out[0] = 0
        out[1], out[2] = length & 0xFF, length >> 8
        out[3], out[4] = ~length & 0xFF, (~length >> 8) & 0xFF
        memcpy(out + 5, PyBytes_AS_STRING(data) + at, length)
        out += 5 + length
        at += length
    return made


@cython.final
cdef class Fragment:
    """A value that is used again and again, as raw HTML: compressed once."""

    def __init__(self, bytes data not None):
        self.data = data
        self.deflate = deflated(data)
        self.crc = crc_of(0, <const uint8_t*> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        self.operator = crc_operator(PyBytes_GET_SIZE(data))


@cython.final
cdef class GzipWriter:
    """One gzip member, piece by piece."""

    def __cinit__(self):
        self.begin()

    cdef int begin(self) except -1:
        self.parts = [HEADER]
        self.crc, self.size = 0, 0
        return 0

    cdef int add(self, bytes deflate, uint32_t crc, uint32_t operator, Py_ssize_t size) except -1:
        """A piece that was compressed before."""
        self.parts.append(deflate)
        self.crc = crc_joined(self.crc, crc, operator)
        self.size += size
        return 0

    cdef int add_value(self, bytes value) except -1:
        """A piece that is new."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
        cdef bytes piece
        if size == 0:
            return 0
        piece = stored(value) if size <= STORED_BYTES_MAX else deflated(value)
        self.parts.append(piece)
        self.crc = crc_of(self.crc, <const uint8_t*> PyBytes_AS_STRING(value), size)
        self.size += size
        return 0

    cdef tuple finish(self):
        """All of it, in pieces."""
        cdef bytes end = PyBytes_FromStringAndSize(NULL, 10)
        cdef char* out = PyBytes_AS_STRING(end)
        cdef uint32_t size = <uint32_t> self.size
        memcpy(out, PyBytes_AS_STRING(END), 2)
        memcpy(out + 2, &self.crc, 4)       # little-endian, as the machines are that this runs on
        memcpy(out + 6, &size, 4)
        self.parts.append(end)
        return PyList_AsTuple(self.parts)


# --- the Python face --------------------------------------------------------------------------------------------------

def stitched(pieces, known=()):
    """Pieces as one gzip member. Those whose number is in `known` go in as if compressed before, the others as new values."""
    cdef GzipWriter writer = GzipWriter()
    cdef Fragment fragment
    for number, piece in enumerate(pieces):
        if number in known:
            fragment = Fragment(piece)
            writer.add(fragment.deflate, fragment.crc, fragment.operator, len(piece))
        else:
            writer.add_value(piece)
    return b"".join(writer.finish())
