"""A compact JWS taken apart (RFC 7515 §7.1). Decides nothing about trust: that is `jwt` with a key set.

Never looks at a byte of a token that is too long, and never accepts a second spelling of the same token.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memchr

from fastedge._core.base64url import decode
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.strict_json cimport parse_object
from fastedge.limits import token_bytes_max

cdef Py_ssize_t BYTES_MAX = token_bytes_max


@cython.final
cdef class Header:
    """What a header says about the signature. Whatever it says of where a key may be found (`jwk`, `jku`, `x5u`, `x5c`) is
    not even read (RFC 8725 §3.10)."""


def split(bytes token not None):
    """(header, payload, signature), still encoded; or why it is none."""
    cdef Parts parts
    reason = check_form(token, &parts)
    if reason is not None:
        return reason
    return token[:parts.header], token[parts.header + 1:parts.payload], token[parts.payload + 1:]


cdef object check_form(bytes token, Parts* parts):
    """None for three parts, which are in `parts`; else a refusal. A JWE has five (RFC 7516 §7.1)."""
    cdef const char* start = PyBytes_AS_STRING(token)
    cdef const char* end = start + PyBytes_GET_SIZE(token)
    cdef const char* first
    cdef const char* second = NULL
    if end - start > BYTES_MAX:
        return TokenRefusal.TOO_LARGE
    first = <const char*> memchr(start, c".", end - start)
    if first is not NULL:
        second = <const char*> memchr(first + 1, c".", end - first - 1)
    if second is NULL or memchr(second + 1, c".", end - second - 1) is not NULL:
        return TokenRefusal.MALFORMED
    parts.header, parts.payload = first - start, second - start
    return None


cpdef object parse_header(bytes encoded):
    """The Header, or why nothing can be made of it."""
    cdef Header header
    raw = decode(encoded)
    members = None if raw is None else parse_object(raw)
    if members is None:
        return TokenRefusal.MALFORMED
    if "crit" in members or "b64" in members:  # RFC 7797 §6: `b64` without `crit` is no better
        return TokenRefusal.CRITICAL
    for name in ("alg", "kid", "typ", "cty"):
        if type(members.get(name, "")) is not str:
            return TokenRefusal.MALFORMED
    if "cty" in members:  # RFC 7519 §5.2: another token is inside
        return TokenRefusal.TYPE
    if "alg" not in members:
        return TokenRefusal.MALFORMED
    header = Header.__new__(Header)
    header.algorithm, header.kid, header.type = members["alg"], members.get("kid"), members.get("typ")
    return header
