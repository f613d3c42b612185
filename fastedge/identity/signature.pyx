"""Signature checks (RFC 7518 §3, RFC 8037 §3.1, RFC 8812 §3): one key, one algorithm, made once, asked for each new token.

The cryptography is hashlib's and cryptography's; here is what goes in and out. Never tells why a signature does not hold.
"""

from hmac import compare_digest

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

from fastedge.identity.mac import keyed_hashes


cdef class Check:
    def __call__(self, bytes signing_input not None, bytes signature not None):
        return self.holds(signing_input, signature)

    cdef bint holds(self, bytes signing_input, bytes signature) except -1:
        raise NotImplementedError


@cython.final
cdef class HmacCheck(Check):
    """HMAC with both blocks hashed beforehand (RFC 2104 §4): less than half of what `hmac.digest` takes for a token."""
    cdef object inner
    cdef object outer

    def __init__(self, bytes secret not None, str hash_name not None):
        self.inner, self.outer = keyed_hashes(secret, hash_name)

    cdef bint holds(self, bytes signing_input, bytes signature) except -1:
        inner, outer = self.inner.copy(), self.outer.copy()
        inner.update(signing_input)
        outer.update(inner.digest())
        return compare_digest(outer.digest(), signature)


@cython.final
cdef class RsaCheck(Check):
    """`padding`: PKCS #1 v1.5, or PSS with a salt as long as the hash and no other (RFC 7518 §3.5)."""
    cdef object verify
    cdef object padding
    cdef object hash

    def __init__(self, key, padding, hash):
        self.verify, self.padding, self.hash = key.verify, padding, hash

    cdef bint holds(self, bytes signing_input, bytes signature) except -1:
        try:
            self.verify(signature, signing_input, self.padding, self.hash)
        except InvalidSignature:
            return False
        return True


@cython.final
cdef class EcdsaCheck(Check):
    cdef object verify
    cdef object algorithm
    cdef Py_ssize_t size    # of a signature: r and s, each as long as a coordinate

    def __init__(self, key, hash):
        self.verify, self.algorithm = key.verify, ECDSA(hash)
        self.size = (key.key_size + 7) // 8 * 2

    cdef bint holds(self, bytes signing_input, bytes signature) except -1:
        cdef bytes der = raw_to_der(signature) if PyBytes_GET_SIZE(signature) == self.size else None
        if der is None:
            return False
        try:
            self.verify(der, signing_input, self.algorithm)
        except InvalidSignature:
            return False
        return True


@cython.final
cdef class EddsaCheck(Check):
    cdef object verify

    def __init__(self, key):
        self.verify = key.verify

    cdef bint holds(self, bytes signing_input, bytes signature) except -1:
        try:
            self.verify(signature, signing_input)
        except InvalidSignature:
            return False
        return True


cpdef bytes raw_to_der(bytes signature):
    """r and s, halves of `signature` (RFC 7518 §3.4), as the DER that libraries ask for (RFC 3279 §2.2.3); or None where
    one of them is zero, or nothing."""
    cdef Py_ssize_t half = PyBytes_GET_SIZE(signature) // 2, r_size, s_size, size
    cdef const unsigned char* r = <const unsigned char*> PyBytes_AS_STRING(signature)
    cdef const unsigned char* s = r + half
    cdef unsigned char* at
    cdef bytes der
    r_size, s_size = _significant(r, half), _significant(s, half)
    if r_size == 0 or s_size == 0 or half > 120:
        return None
    r, s = r + half - r_size, s + half - s_size
    size = 4 + r_size + (r[0] >> 7) + s_size + (s[0] >> 7)
    der = PyBytes_FromStringAndSize(NULL, size + (2 if size < 0x80 else 3))
    at = <unsigned char*> PyBytes_AS_STRING(der)
    at[0] = 0x30
    if size >= 0x80:
        at[1] = 0x81
        at += 1
    at[1] = <unsigned char> size
    _integer(_integer(at + 2, r, r_size), s, s_size)
    return der


cdef Py_ssize_t _significant(const unsigned char* at, Py_ssize_t size) noexcept:
    """Bytes that are left without the zeros in front."""
    while size > 0 and at[0] == 0:
        at, size = at + 1, size - 1
    return size


cdef unsigned char* _integer(unsigned char* at, const unsigned char* value, Py_ssize_t size) noexcept:
    """Writes a positive INTEGER, with a zero in front where its first bit would make it negative; gives where it ends."""
    cdef Py_ssize_t zero = value[0] >> 7
    at[0], at[1], at[2] = 0x02, <unsigned char> (size + zero), 0
    memcpy(at + 2 + zero, value, size)
    return at + 2 + zero + size
