"""IP addresses as 16 bytes, and their text. IPv4 is ::ffff:a.b.c.d, so that both families compare alike.

Strict and canonical: never accepts a text that some reader could take for another address.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

cdef enum:
    TEXT_ROOM = 48      # the longest text has 45 characters (RFC 4291 §2.2, form 3)


def pack_address(str text):
    """The address as 16 bytes, IPv4 as ::ffff:a.b.c.d; ValueError when `text` is none (zone identifiers included)."""
    cdef unsigned char packed[16]
    cdef bytes raw = text.encode("utf-8", "replace")
    if parse_address(raw, len(raw), packed):
        raise ValueError(f"{text!r} is not an IP address")
    return packed[:16]


def address_text(bytes packed):
    """The canonical text (RFC 5952) of an address of 16 bytes; IPv4 as a dotted quad."""
    return format_address(sixteen(packed)).decode("ascii")


cdef int parse_address(const char* text, Py_ssize_t size, unsigned char* packed16) noexcept:
    """0, or -1 when `text` is no address: strict dotted quads and every form of RFC 4291 §2.2, without a zone.

    After -1 there is nothing meaningful in `packed16`.
    """
    if size >= TEXT_ROOM:
        return -1
    if memchr(text, c":", size) is not NULL:
        return _parse_v6(text, size, packed16)
    memcpy(packed16, b"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12)
    return _parse_v4(text, size, packed16 + 12)


cdef bytes format_address(const unsigned char* packed16):
    """The canonical text (RFC 5952); an IPv4 address is a dotted quad. A unix peer's is "::"."""
    cdef char text[TEXT_ROOM]
    if _is_v4(packed16):
        return PyBytes_FromStringAndSize(text, _write_v4(packed16 + 12, text))
    return PyBytes_FromStringAndSize(text, _write_v6(packed16, text))


cdef int _parse_v4(const char* text, Py_ssize_t size, unsigned char* out) noexcept:
    cdef Py_ssize_t i = 0, start
    cdef int octet, value
    for octet in range(4):
        start = i
        value = 0
        while i < size and c"0" <= text[i] <= c"9" and i - start < 3:
            value = value * 10 + (text[i] - c"0")
            i += 1
        # A leading zero would be octal to some readers.
        if i == start or value > 255 or (text[start] == c"0" and i - start > 1):
            return -1
        out[octet] = <unsigned char> value
        if octet < 3:
            if i == size or text[i] != c".":
                return -1
            i += 1
    return 0 if i == size else -1


cdef int _parse_v6(const char* text, Py_ssize_t size, unsigned char* out) noexcept:
    cdef Py_ssize_t i = 0, start
    cdef int value, digit, filled = 0, gap = -1
    if text[0] == c":":
        if size < 2 or text[1] != c":":
            return -1
        gap = 0
        i = 2
    while i < size:
        start = i
        value = 0
        while i < size and i - start < 4:
            digit = _hex(text[i])
            if digit < 0:
                break
            value = value << 4 | digit
            i += 1
        if i < size and text[i] == c".":
            if filled > 12 or _parse_v4(text + start, size - start, out + filled):
                return -1
            filled += 4
            break
        if i == start or filled > 14:
            return -1
        out[filled] = <unsigned char> (value >> 8)
        out[filled + 1] = <unsigned char> (value & 0xFF)
        filled += 2
        if i == size:
            break
        if text[i] != c":" or i + 1 == size:
            return -1
        i += 1
        if text[i] == c":":
            if gap >= 0:
                return -1
            gap = filled
            i += 1
    if gap < 0:
        return 0 if filled == 16 else -1
    if filled > 14:     # "::" stands for at least one group
        return -1
    memmove(out + 16 - (filled - gap), out + gap, filled - gap)
    memset(out + gap, 0, 16 - filled)
    return 0


cdef inline int _hex(char c) noexcept:
    if c"0" <= c <= c"9":
        return c - c"0"
    c |= 0x20
    return c - c"a" + 10 if c"a" <= c <= c"f" else -1


cdef inline bint _is_v4(const unsigned char* packed16) noexcept:
    return memcmp(packed16, b"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0


cdef Py_ssize_t _write_v4(const unsigned char* octets, char* out) noexcept:
    cdef Py_ssize_t size = 0
    cdef int i, value
    for i in range(4):
        value = octets[i]
        if i:
            out[size] = c"."
            size += 1
        if value >= 100:
            out[size] = <char> (c"0" + value // 100)
            size += 1
        if value >= 10:
            out[size] = <char> (c"0" + value // 10 % 10)
            size += 1
        out[size] = <char> (c"0" + value % 10)
        size += 1
    return size


cdef Py_ssize_t _write_v6(const unsigned char* packed16, char* out) noexcept:
    cdef const char* digits = b"0123456789abcdef"
    cdef Py_ssize_t size = 0
    cdef int group = 0, gap, gap_end, value, shift
    _longest_gap(packed16, &gap, &gap_end)
    while group < 8:
        if group == gap:
            memcpy(out + size, b"::", 2)
            size += 2
            group = gap_end
            continue
        if group and group != gap_end:
            out[size] = c":"
            size += 1
        value = packed16[2 * group] << 8 | packed16[2 * group + 1]
        shift = 12 if value >> 12 else 8 if value >> 8 else 4 if value >> 4 else 0
        while shift >= 0:
            out[size] = digits[value >> shift & 15]
            size += 1
            shift -= 4
        group += 1
    return size


cdef void _longest_gap(const unsigned char* packed16, int* gap, int* gap_end) noexcept:
    """The run of zero groups that "::" stands for: the first of the longest, of two at least (RFC 5952 §4.2)."""
    cdef int group, start = 0
    gap[0] = gap_end[0] = -1
    for group in range(8):
        if packed16[2 * group] or packed16[2 * group + 1]:
            start = group + 1
        elif group > start and group + 1 - start > gap_end[0] - gap[0]:
            gap[0] = start
            gap_end[0] = group + 1


cdef const unsigned char* sixteen(bytes packed) except NULL:
    if packed is None or len(packed) != 16:
        raise ValueError("an address is 16 bytes, IPv4 as ::ffff:a.b.c.d")
    return <const unsigned char*> PyBytes_AS_STRING(packed)
