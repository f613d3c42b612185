"""base64url without padding (RFC 4648 §5, RFC 7515 §2), strictly: bytes have one spelling here.

Never accepts "=", white space, "+", "/", or bits behind the end: of two tokens that differ in any byte, at most one is valid.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

cdef bytes _ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

# What a character adds to the three bytes that four spell, by its place; the fourth byte is zero unless it is none of them.
cdef uint32_t _FIRST[256]
cdef uint32_t _SECOND[256]
cdef uint32_t _THIRD[256]
cdef uint32_t _FOURTH[256]
cdef uint32_t _NONE


cdef uint32_t _word(int first, int second, int third, int fourth) noexcept:
    """Four bytes as they lie in memory."""
    cdef unsigned char[4] parts = [<unsigned char> first, <unsigned char> second, <unsigned char> third, <unsigned char> fourth]
    cdef uint32_t word
    memcpy(&word, parts, 4)
    return word


_NONE = _word(0, 0, 0, 255)
for _i in range(256):
    _FIRST[_i] = _SECOND[_i] = _THIRD[_i] = _FOURTH[_i] = _NONE
for _i in range(64):
    _FIRST[_ALPHABET[_i]] = _word(_i << 2, 0, 0, 0)
    _SECOND[_ALPHABET[_i]] = _word(_i >> 4, _i << 4, 0, 0)
    _THIRD[_ALPHABET[_i]] = _word(0, _i >> 2, _i << 6, 0)
    _FOURTH[_ALPHABET[_i]] = _word(0, 0, _i, 0)


cdef bytes decode_span(const unsigned char* at, Py_ssize_t length):
    """The bytes that `length` characters at `at` spell, or None."""
    cdef Py_ssize_t rest = length & 3, i
    cdef uint32_t word, seen = 0
    cdef unsigned char tail[4]
    cdef bytes out
    cdef char* to
    if rest == 1:
        return None
    out = PyBytes_FromStringAndSize(NULL, length // 4 * 3 + (rest - 1 if rest else 0))
    to = PyBytes_AS_STRING(out)
    for i in range(0, length - rest, 4):
        word = _FIRST[at[i]] | _SECOND[at[i + 1]] | _THIRD[at[i + 2]] | _FOURTH[at[i + 3]]
        memcpy(to, &word, 4)    # its zero goes where the next three bytes begin, or all of them end
        seen |= word
        to += 3
    if rest:
        at += length - rest
        word = _FIRST[at[0]] | _SECOND[at[1]] | (_THIRD[at[2]] if rest == 3 else 0)
        memcpy(tail, &word, 4)
        if tail[rest - 1]:      # bits behind the end
            return None
        memcpy(to, tail, rest - 1)
        seen |= word
    return None if seen & _NONE else out


def decode(bytes text not None):
    """What `text` spells, or None when it is not strict base64url."""
    return decode_span(<const unsigned char*> PyBytes_AS_STRING(text), len(text))
