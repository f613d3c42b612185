"""The tokens that are sent, and those that every peer must refuse: compact JWS (RFC 7515 §3.1) of one issuer.

Deterministic but for `exp`, which hangs on the `now` that comes in, and for the RSA key, which each run makes.
"""

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://id.shop.example"
AUDIENCE = "shop"
SECRET = "benchmark-secret-of-32-bytes-or-more-0123456789"
RSA_BITS = 2048
RSA_KEY_ID = "shop-1"
POOL = 10_000
TENTH = POOL // 10
LIFETIME_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Signer:
    """What the header of its tokens says, and how they are signed."""

    header: Mapping[str, str]
    sign: Callable[[bytes], bytes]


def make_token(signer: Signer, claims: Mapping[str, object]) -> str:
    """About 380 bytes with HS256, 700 with RS256."""
    signed = f"{_base64url_json(signer.header)}.{_base64url_json(claims)}"
    return f"{signed}.{_base64url(signer.sign(signed.encode()))}"


def make_claims(subject: str, now: int, chance: random.Random) -> dict[str, object]:
    """A valid week for somebody."""
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "iat": now,
        "exp": now + LIFETIME_S,
        "jti": f"{chance.getrandbits(128):032x}",
        "scope": "profile orders:read orders:write checkout",
        "name": f"Customer {subject}",
    }


def refused_tokens(signer: Signer, now: int) -> dict[str, str]:
    """What nobody may let in, by what is wrong with it. The signature is right where nothing else is said."""
    claims = make_claims("user-refused", now, random.Random(SECRET))
    unsigned = Signer({**signer.header, "alg": "none"}, lambda _: b"")
    return {
        "a forged token": _forged(make_token(signer, claims)),
        "an unsigned token": make_token(unsigned, claims),
        "an expired token": make_token(signer, {**claims, "exp": now - 3600}),
        "another issuer's token": make_token(signer, {**claims, "iss": "https://id.other.example"}),
        "a token for another audience": make_token(signer, {**claims, "aud": "bank"}),
    }


def public_pem() -> bytes:
    """The key of RS256 as SubjectPublicKeyInfo."""
    return _rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk_set() -> str:
    """The same key as a JWK Set (RFC 7517)."""
    numbers = _rsa_key().public_key().public_numbers()
    key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": RSA_KEY_ID}
    return json.dumps({"keys": [{**key, "n": _base64url_integer(numbers.n), "e": _base64url_integer(numbers.e)}]})


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


HS256 = Signer(
    {"alg": "HS256", "typ": "JWT"},
    lambda signed: hmac.digest(SECRET.encode(), signed, hashlib.sha256),
)
RS256 = Signer(
    {"alg": "RS256", "kid": RSA_KEY_ID, "typ": "JWT"},
    lambda signed: _rsa_key().sign(signed, padding.PKCS1v15(), SHA256()),
)


def _forged(token: str) -> str:
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _base64url_json(value: Mapping[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url_integer(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
