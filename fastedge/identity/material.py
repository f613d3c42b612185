"""What a key is made of, and which algorithms it can do: secrets, and the public keys of RFC 7518 §6 and RFC 8037 §2.

Never takes a private key, never prints one: an error names the place, and no repr shows material.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fastedge.errors import ConfigError
from fastedge.identity.algorithms import ALGORITHMS, Algorithm
from fastedge.limits import rsa_exponent_bits_max, rsa_key_bits_max, rsa_key_bits_min, secret_bytes_min

CURVES = MappingProxyType({"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"})


@dataclass(frozen=True, slots=True)
class Material:
    key_type: str  # the JWK's kty,
    curve: str | None  # and its crv
    key: Any = field(repr=False)  # a secret, or a public key of `cryptography`
    members: tuple[tuple[str, str], ...] = field(repr=False)  # what RFC 7638 §3.2 makes a thumbprint of

    def algorithms(self) -> Iterator[Algorithm]:
        """What it can verify."""
        for row in ALGORITHMS.values():
            is_of_kind = row.key_type == self.key_type and self.curve in row.curves
            if is_of_kind and (not row.secret_bytes_min or len(self.key) >= row.secret_bytes_min):
                yield row

    def thumbprint(self) -> bytes:
        """RFC 7638 §3, by SHA-256. Of a secret it is as good as a hash of that secret: not for printing (§7)."""
        members = {"kty": self.key_type, **dict(self.members)}
        return sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()


def secret(value: bytes, where: str) -> Material:
    """An HMAC secret."""
    if value.lstrip().startswith((b"-----BEGIN", b"ssh-", b'{"')):
        # RFC 8725 §2.1: what is public must never become an HMAC secret.
        raise ConfigError(f"{where}: this is a key file (PEM, SSH or JSON), not an HMAC secret")
    if len(value) < secret_bytes_min:
        raise ConfigError(f"{where}: an HMAC secret has at least {secret_bytes_min} bytes, this one has {len(value)}")
    return Material("oct", None, value, (("k", _encode(value)),))


def public(key: object, where: str) -> Material:
    """A public key as `cryptography` has loaded it."""
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        check_rsa(numbers.n, numbers.e, where)
        return Material("RSA", None, key, (("e", _encode_number(numbers.e)), ("n", _encode_number(numbers.n))))
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in CURVES:
        curve, point = CURVES[key.curve.name], key.public_numbers()
        size = (key.key_size + 7) // 8
        x, y = (_encode(number.to_bytes(size, "big")) for number in (point.x, point.y))
        return Material("EC", curve, key, (("crv", curve), ("x", x), ("y", y)))
    if isinstance(key, Ed25519PublicKey | Ed448PublicKey):
        curve = "Ed25519" if isinstance(key, Ed25519PublicKey) else "Ed448"
        return Material("OKP", curve, key, (("crv", curve), ("x", _encode(key.public_bytes_raw()))))
    curves = ", ".join(CURVES.values())
    raise ConfigError(f"{where}: a public key is expected, RSA, EC ({curves}), Ed25519 or Ed448")


def check_rsa(n: int, e: int, where: str) -> None:
    """Bounds of what a check may cost; to be asked before any arithmetic."""
    bits = n.bit_length()
    if not rsa_key_bits_min <= bits <= rsa_key_bits_max:
        raise ConfigError(f"{where}: an RSA key has {rsa_key_bits_min} to {rsa_key_bits_max} bits, this one has {bits}")
    if e.bit_length() > rsa_exponent_bits_max:
        raise ConfigError(f"{where}: an RSA key's exponent has at most {rsa_exponent_bits_max} bits")


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode_number(number: int) -> str:
    return _encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
