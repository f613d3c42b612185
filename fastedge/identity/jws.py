"""A compact JWS taken apart (RFC 7515 §7.1). Decides nothing about trust: that is `jwt` with a key set.

Never looks at a byte of a token that is too long, and never accepts a second spelling of the same token.
"""

from typing import NamedTuple

from fastedge._core.base64url import decode
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.strict_json import parse_object
from fastedge.limits import token_bytes_max


class Header(NamedTuple):
    algorithm: str
    kid: str | None


def split(token: bytes) -> tuple[bytes, bytes, bytes, bytes] | TokenRefusal:
    """(signing input, header, payload, signature) of a compact serialisation, still encoded; or why it is none.

    The signing input is what the signature covers, the first two parts as they came (RFC 7515 §5.2).
    """
    if len(token) > token_bytes_max:
        return TokenRefusal.TOO_LARGE
    signing_input, _, signature = token.rpartition(b".")
    header, dot, payload = signing_input.partition(b".")
    return (signing_input, header, payload, signature) if dot else TokenRefusal.MALFORMED


def parse_header(part: bytes) -> Header | TokenRefusal:
    """What an encoded header says about the signature; or why nothing can be made of it."""
    raw = decode(part)
    header = None if raw is None else parse_object(raw)
    if header is None:
        return TokenRefusal.MALFORMED
    if "crit" in header or "b64" in header:  # RFC 7797 §6: `b64` without `crit` is no better
        return TokenRefusal.CRITICAL
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or not (kid is None or isinstance(kid, str)):
        return TokenRefusal.MALFORMED
    return Header(algorithm, kid)
