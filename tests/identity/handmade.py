"""Tokens made by hand: the code under test has no part in making them."""

import base64
import hashlib
import hmac

NOW = 1_800_000_000.0
SECRET = b"an HMAC secret of 32 bytes, just"
CLAIMS = {"iss": "https://id.shop.example", "aud": "shop", "sub": "ann", "exp": NOW + 600, "iat": NOW - 10}


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(header: bytes, payload: bytes, secret: bytes = SECRET) -> bytes:
    signing_input = b64(header) + b"." + b64(payload)
    return signing_input + b"." + b64(hmac.new(secret, signing_input, hashlib.sha256).digest())
