"""Tokens that tests of stages show; the code under test has no part in making them."""

import base64
import hmac
import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

NOW = 1_800_000_000.0
SECRET = b"an HMAC secret of 32 bytes, just"
CLAIMS: dict[str, Any] = {"iss": "https://id.shop.example", "aud": "shop", "sub": "ann", "exp": NOW + 600}


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def make(*, secret: bytes = SECRET, **changes: Any) -> str:
    """An HS256 token of the usual claims, these changed; None leaves a claim out."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    signing_input = b64(b'{"alg":"HS256"}') + b"." + b64(json.dumps(claims).encode())
    return (signing_input + b"." + b64(hmac.digest(secret, signing_input, "sha256"))).decode()


@cache
def signing_key(kid: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signed(kid: str) -> str:
    """An RS256 token by the key of that name."""
    header = json.dumps({"alg": "RS256", "kid": kid}).encode()
    signing_input = b64(header) + b"." + b64(json.dumps(CLAIMS).encode())
    return (signing_input + b"." + b64(signing_key(kid).sign(signing_input, padding.PKCS1v15(), SHA256()))).decode()


def public_set(kid: str) -> bytes:
    """The JWK Set with its public half."""
    n = b64(signing_key(kid).public_key().public_numbers().n.to_bytes(256, "big")).decode()
    return json.dumps({"keys": [{"kty": "RSA", "kid": kid, "n": n, "e": "AQAB"}]}).encode()
