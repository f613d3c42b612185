"""One JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2). Never takes one that is meant for something else."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256K1,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from fastedge._core.base64url import decode
from fastedge.errors import ConfigError
from fastedge.identity import material
from fastedge.identity.algorithms import ALGORITHMS
from fastedge.identity.key import Key
from fastedge.identity.material import Material

Entry = Mapping[str, Any]


def read(entry: Any, where: str) -> Key | None:
    """The key that a JWK stands for; None for one that is of no use here; a ConfigError for a broken one."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kty"), str):
        raise ConfigError(f'{where}: an object with a "kty" is expected')
    kid, algorithm = _text(entry, "kid", where), _text(entry, "alg", where)
    if not _can_verify(entry, algorithm, where) or not _is_meant_to(entry, where):
        return None
    return Key.of(_material(entry, where), kid, algorithm, where)


def _can_verify(entry: Entry, algorithm: str | None, where: str) -> bool:
    """Whether there is an algorithm for this type and curve, and it is the one that the key names, if it does."""
    key_type, curve = entry["kty"], _text(entry, "crv", where)
    return any(
        key_type == row.key_type and (curve in row.curves or row.curves == (None,)) and algorithm in (None, row.name)
        for row in ALGORITHMS.values()
    )


def _is_meant_to(entry: Entry, where: str) -> bool:
    """RFC 7517 §4.2 and §4.3: a key that says what it is for is used for nothing else."""
    use, operations = _text(entry, "use", where), entry.get("key_ops")
    if operations is not None and not isinstance(operations, list):
        raise ConfigError(f"{where}.key_ops: an array is expected")
    return use in (None, "sig") and (operations is None or "verify" in operations)


def _material(entry: Entry, where: str) -> Material:
    if entry["kty"] == "oct":
        return material.secret(_octets(entry, "k", where), where)
    if "d" in entry:
        raise ConfigError(f"{where}: is a private key; the edge needs the public half and nothing else")
    try:
        return material.public(_PUBLIC[entry["kty"]](entry, where), where)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{where}: not an {entry['kty']} public key") from None


def _rsa(entry: Entry, where: str) -> object:
    n, e = (int.from_bytes(_octets(entry, member, where), "big") for member in ("n", "e"))
    material.check_rsa(n, e, where)
    return RSAPublicNumbers(e, n).public_key()


def _ec(entry: Entry, where: str) -> object:
    """A point on its curve; each coordinate has its full length (RFC 7518 §6.2.1.2)."""
    curve = _CURVES[entry["crv"]]
    x, y = (_octets(entry, member, where) for member in ("x", "y"))
    if not len(x) == len(y) == (curve.key_size + 7) // 8:
        raise ConfigError(f"{where}: a coordinate of {entry['crv']} has {(curve.key_size + 7) // 8} bytes")
    return EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve).public_key()


def _okp(entry: Entry, where: str) -> object:
    kind = Ed25519PublicKey if entry["crv"] == "Ed25519" else Ed448PublicKey
    return kind.from_public_bytes(_octets(entry, "x", where))


_PUBLIC: Mapping[str, Callable[[Entry, str], object]] = MappingProxyType({"RSA": _rsa, "EC": _ec, "OKP": _okp})
_CURVES: Mapping[str, EllipticCurve] = MappingProxyType(
    {"P-256": SECP256R1(), "P-384": SECP384R1(), "P-521": SECP521R1(), "secp256k1": SECP256K1()}
)


def _text(entry: Entry, member: str, where: str) -> str | None:
    value = entry.get(member)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{where}.{member}: a string is expected")
    return value


def _octets(entry: Entry, member: str, where: str) -> bytes:
    text = entry.get(member)
    value = decode(text.encode()) if isinstance(text, str) else None
    if not value:
        raise ConfigError(f"{where}.{member}: base64url without padding is expected")
    return value
