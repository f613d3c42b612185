"""Tokens made by hand: the code under test has no part in making them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NOW = 1_800_000_000.0
SECRET = b"an HMAC secret of 32 bytes, just"
CLAIMS = {"iss": "https://id.shop.example", "aud": "shop", "sub": "ann", "exp": NOW + 600, "iat": NOW - 10}


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(header: bytes, payload: bytes, secret: bytes = SECRET) -> bytes:
    signing_input = b64(header) + b"." + b64(payload)
    return signing_input + b"." + b64(hmac.new(secret, signing_input, hashlib.sha256).digest())


# --- all algorithms -------------------------------------------------------------------------------------------------

HASHES = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1(), "ES256K": ec.SECP256K1()}
ALGORITHMS = [*(kind + bits for kind in ("HS", "RS", "PS") for bits in HASHES), *CURVES, "EdDSA", "Ed25519", "Ed448"]


class Issuer(NamedTuple):
    algorithm: str
    private: Any  # of `cryptography`, or a secret
    sign: Callable[[bytes], bytes]

    @property
    def pem(self) -> bytes:
        pem: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    def token(self, claims: Mapping[str, Any] = CLAIMS, **header: Any) -> bytes:
        parts = ({"alg": self.algorithm, **header}, claims)
        signing_input = b".".join(b64(json.dumps(part).encode()) for part in parts)
        return signing_input + b"." + b64(self.sign(signing_input))


def raw(der: bytes, size: int) -> bytes:
    """A DER signature as r and s, each of `size` bytes."""
    return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def issuer(algorithm: str) -> Issuer:
    """Who signs with that algorithm; the same key whenever it is asked for."""
    private: Any
    if algorithm in CURVES:
        private, hashed = ec.generate_private_key(CURVES[algorithm]), HASHES[algorithm[2:5]]
        size = (private.key_size + 7) // 8
        return Issuer(algorithm, private, lambda data: raw(private.sign(data, ec.ECDSA(hashed)), size))
    if algorithm.startswith("E"):
        private = (ed448.Ed448PrivateKey if algorithm == "Ed448" else ed25519.Ed25519PrivateKey).generate()
        return Issuer(algorithm, private, private.sign)
    hashed = HASHES[algorithm[2:]]
    if algorithm.startswith("HS"):
        secret = SECRET * 2
        return Issuer(algorithm, secret, lambda data: hmac.digest(secret, data, hashed.name))
    padding = PKCS1v15() if algorithm.startswith("RS") else PSS(MGF1(hashed), hashed.digest_size)
    return Issuer(algorithm, rsa_key(), lambda data: rsa_key().sign(data, padding, hashed))
