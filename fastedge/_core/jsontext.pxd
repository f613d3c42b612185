"""JSON text written straight into memory: strings from any bytes, numbers. Inlined where it is used.

Never allocates and never checks for room but at the bound that `quoted` is given: the caller has reserved it.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, strlen


cdef inline char* literal(char* at, const char* text) noexcept nogil:
    """The compiler knows the literal's length: this is a few moves."""
    memcpy(at, text, strlen(text))
    return at + strlen(text)


cdef inline char* copy(char* at, const char* text, Py_ssize_t size) noexcept nogil:
    memcpy(at, text, size)
    return at + size


cdef inline char* number(char* at, long long value) noexcept nogil:
    cdef char[20] text
    cdef int i = 20
    cdef unsigned long long rest = <unsigned long long> value
    if value < 0:
        at[0] = c"-"
        at += 1
        rest = -rest
    while True:
        i -= 1
        text[i] = <char> (c"0" + rest % 10)
        rest //= 10
        if rest == 0:
            return copy(at, &text[i], 20 - i)


cdef inline void digits(char* at, long long value, int width) noexcept nogil:
    cdef int i
    for i in range(width - 1, -1, -1):
        at[i] = <char> (c"0" + value % 10)
        value //= 10


cdef inline void _hex(char* at, unsigned int point) noexcept nogil:
    cdef int i
    for i in range(4):
        at[i] = b"0123456789abcdef"[(point >> (12 - 4 * i)) & 15]


cdef inline Py_ssize_t _decode(const unsigned char* text, Py_ssize_t left, unsigned int* point) noexcept nogil:
    """The character at `text` and its length in UTF-8 (RFC 3629 §4); what is no UTF-8 is one byte and stands for itself."""
    cdef unsigned int c = text[0]
    point[0] = c
    if c < 0xC2 or c > 0xF4 or left < 2 or (text[1] & 0xC0) != 0x80:
        return 1
    if c < 0xE0:
        point[0] = (c & 0x1F) << 6 | (text[1] & 0x3F)
        return 2
    if left < 3 or (text[2] & 0xC0) != 0x80:
        return 1
    if c < 0xF0:
        if (c == 0xE0 and text[1] < 0xA0) or (c == 0xED and text[1] > 0x9F):
            return 1
        point[0] = (c & 0x0F) << 12 | (text[1] & 0x3F) << 6 | (text[2] & 0x3F)
        return 3
    if left < 4 or (text[3] & 0xC0) != 0x80 or (c == 0xF0 and text[1] < 0x90) or (c == 0xF4 and text[1] > 0x8F):
        return 1
    point[0] = (c & 0x07) << 18 | (text[1] & 0x3F) << 12 | (text[2] & 0x3F) << 6 | (text[3] & 0x3F)
    return 4


cdef inline bint _must_escape(unsigned int point) noexcept nogil:
    if point < 0x80:
        return point < 0x20 or point == 0x7F or point == c'"' or point == c"\\"
    # C1 controls steer terminals; separators split lines for some readers; the rest turns the direction of text
    return point < 0xA0 or 0x2028 <= point <= 0x202E or 0x2066 <= point <= 0x2069


cdef inline char* _escaped(char* at, const unsigned char* text, Py_ssize_t size, char* stop, bint* cut) noexcept nogil:
    """What cannot stand in a JSON string, or would deceive a reader of the log, as \\uXXXX; a byte that is no UTF-8 as
    the Latin-1 character that it is. Ends before the character that would go beyond `stop`."""
    cdef Py_ssize_t i = 0, length
    cdef unsigned int point
    while i < size:
        length = _decode(text + i, size - i, &point)
        if _must_escape(point) or (length == 1 and point >= 0x80):
            if stop - at < 6:
                break
            at = literal(at, b"\\u")
            _hex(at, point)
            at += 4
        else:
            if stop - at < length:
                break
            at = copy(at, <const char*> text + i, length)
        i += length
    if i < size:
        cut[0] = True
    return at


cdef inline uint64_t _odd(const char* text) noexcept nogil:
    """Not zero if any of eight bytes is a control character, a quote, a backslash, DEL or beyond ASCII."""
    cdef uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080
    cdef uint64_t word, quote, backslash, delete
    memcpy(&word, text, 8)
    quote = word ^ (ones * 0x22)
    backslash = word ^ (ones * 0x5C)
    delete = word ^ (ones * 0x7F)
    return (
        word | (word - ones * 0x20) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)
        | ((delete - ones) & ~delete)
    ) & highs


cdef inline bint _is_plain(const char* text, Py_ssize_t size) noexcept nogil:
    """True when JSON takes all bytes as they are."""
    cdef Py_ssize_t i
    cdef unsigned char c
    cdef uint64_t odd = 0
    if size < 8:
        for i in range(size):
            c = text[i]
            if c < 0x20 or c >= 0x7F or c == c'"' or c == c"\\":
                return False
        return True
    for i in range(0, size - 8, 8):
        odd |= _odd(text + i)
    return (odd | _odd(text + size - 8)) == 0


cdef inline char* quoted(char* at, const char* text, Py_ssize_t size, Py_ssize_t bound, bint* cut) noexcept nogil:
    at[0] = c'"'
    if size <= bound and _is_plain(text, size):
        at = copy(at + 1, text, size)
    else:
        at = _escaped(at + 1, <const unsigned char*> text, size, at + 1 + bound, cut)
    at[0] = c'"'
    return at + 1
