"""A compact JWS taken apart (RFC 7515 §7.1). Decides nothing about trust: that is `jwt` with a key set.

Never looks at a byte of a token that is too long, and never accepts a second spelling of the same token.
"""

from typing import NamedTuple

from fastedge._core.base64url import decode
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.strict_json import parse_object
from fastedge.limits import token_bytes_max


class Jws(NamedTuple):
    algorithm: str
    kid: str | None
    signing_input: bytes  # as it came: what the signature covers (RFC 7515 §5.2)
    payload: bytes
    signature: bytes


def parse(token: bytes) -> Jws | TokenRefusal:
    """The parts of a compact serialisation, nothing verified; or why it is none."""
    if len(token) > token_bytes_max:
        return TokenRefusal.TOO_LARGE
    parts = token.split(b".", 3)
    if len(parts) != 3:
        return TokenRefusal.MALFORMED
    header_json, payload, signature = decode(parts[0]), decode(parts[1]), decode(parts[2])
    if header_json is None or payload is None or signature is None:
        return TokenRefusal.MALFORMED
    header = parse_object(header_json)
    if header is None:
        return TokenRefusal.MALFORMED
    if "crit" in header or "b64" in header:  # RFC 7797 §6: `b64` without `crit` is no better
        return TokenRefusal.CRITICAL
    algorithm, kid = header.get("alg"), header.get("kid")
    if type(algorithm) is not str or not (kid is None or type(kid) is str):
        return TokenRefusal.MALFORMED
    return Jws(algorithm, kid, token[: -len(parts[2]) - 1], payload, signature)
