"""base64url without padding (RFC 4648 §5, RFC 7515 §2), strictly: bytes have one spelling here.

Never accepts "=", white space, "+", "/", or bits behind the end: of two tokens that differ in any byte, at most one is valid.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

cdef bytes _ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
cdef signed char _VALUE[256]

for _i in range(256):
    _VALUE[_i] = _ALPHABET.find(bytes((_i,)))


cdef bytes decode_span(const unsigned char* at, Py_ssize_t length):
    """The bytes that `length` characters at `at` spell, or None."""
    cdef Py_ssize_t rest = length & 3, i
    cdef bytes out
    cdef unsigned char* to
    cdef int a, b, c, d, seen = 0
    if rest == 1:
        return None
    out = PyBytes_FromStringAndSize(NULL, length // 4 * 3 + (rest - 1 if rest else 0))
    to = <unsigned char*> PyBytes_AS_STRING(out)
    for i in range(0, length - rest, 4):
        a, b, c, d = _VALUE[at[i]], _VALUE[at[i + 1]], _VALUE[at[i + 2]], _VALUE[at[i + 3]]
        seen |= a | b | c | d  # negative as soon as one of them is
        to[0] = <unsigned char> (a << 2 | b >> 4)
        to[1] = <unsigned char> (b << 4 | c >> 2)
        to[2] = <unsigned char> (c << 6 | d)
        to += 3
    if rest:
        i = length - rest
        a, b, c = _VALUE[at[i]], _VALUE[at[i + 1]], _VALUE[at[i + 2]] if rest == 3 else 0
        seen |= a | b | c
        to[0] = <unsigned char> (a << 2 | b >> 4)
        if rest == 3:
            to[1] = <unsigned char> (b << 4 | c >> 2)
        if (c & 3) if rest == 3 else (b & 15):
            return None
    return None if seen < 0 else out


def decode(bytes text not None):
    """What `text` spells, or None when it is not strict base64url."""
    return decode_span(<const unsigned char*> PyBytes_AS_STRING(text), len(text))
