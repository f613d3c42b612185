"""The signature algorithms as one table: name, key type, curve, and what makes a check out of a key (RFC 7518 §3.1).

An algorithm belongs to one key type and, where that has curves, to its curves, so a public key can never serve as an
HMAC secret (RFC 8725 §2.1), and there is no "none". A new algorithm is a row here.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from fastedge.identity.signature import Check, EcdsaCheck, EddsaCheck, HmacCheck, RsaCheck


class Algorithm(NamedTuple):
    name: str
    key_type: str  # the JWK's kty,
    curves: tuple[str | None, ...]  # and its crv, one of these
    secret_bytes_min: int  # RFC 7518 §3.2: as long as the hash; 0 where the key is none
    check_with: Callable[[Any], Check]  # from the key itself


def _hmac(name: str, hash: HashAlgorithm) -> Algorithm:
    return Algorithm(name, "oct", (None,), hash.digest_size, partial(HmacCheck, hash_name=hash.name))


def _pkcs1(name: str, hash: HashAlgorithm) -> Algorithm:
    return Algorithm(name, "RSA", (None,), 0, partial(RsaCheck, padding=PKCS1v15(), hash=hash))


def _pss(name: str, hash: HashAlgorithm) -> Algorithm:
    padding = PSS(MGF1(hash), salt_length=hash.digest_size)
    return Algorithm(name, "RSA", (None,), 0, partial(RsaCheck, padding=padding, hash=hash))


def _ecdsa(name: str, curve: str, hash: HashAlgorithm) -> Algorithm:
    return Algorithm(name, "EC", (curve,), 0, partial(EcdsaCheck, hash=hash))


def _eddsa(name: str, *curves: str) -> Algorithm:
    return Algorithm(name, "OKP", curves, 0, EddsaCheck)


_TABLE = (
    _hmac("HS256", SHA256()),
    _hmac("HS384", SHA384()),
    _hmac("HS512", SHA512()),
    _pkcs1("RS256", SHA256()),
    _pkcs1("RS384", SHA384()),
    _pkcs1("RS512", SHA512()),
    _pss("PS256", SHA256()),
    _pss("PS384", SHA384()),
    _pss("PS512", SHA512()),
    _ecdsa("ES256", "P-256", SHA256()),
    _ecdsa("ES384", "P-384", SHA384()),
    _ecdsa("ES512", "P-521", SHA512()),
    _ecdsa("ES256K", "secp256k1", SHA256()),  # RFC 8812
    _eddsa("EdDSA", "Ed25519", "Ed448"),  # RFC 8037, and by their own names RFC 9864
    _eddsa("Ed25519", "Ed25519"),
    _eddsa("Ed448", "Ed448"),
)

ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType({row.name: row for row in _TABLE})
