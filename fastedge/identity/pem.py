"""A public key in PEM (RFC 7468 §13), or in a certificate (§5). Never takes a private one."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from fastedge.errors import ConfigError
from fastedge.identity import material
from fastedge.identity.material import Material


def read(data: bytes, where: str) -> Material:
    """What one PEM block holds. Of a certificate the key alone counts: neither its dates nor who issued it."""
    if b"PRIVATE KEY-----" in data:
        raise ConfigError(f"{where}: holds a private key; the edge needs the public half and nothing else")
    if data.count(b"-----BEGIN ") != 1:
        raise ConfigError(f"{where}: one PEM block with a public key is expected")
    try:
        key = _load(data)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{where}: a PEM block with a public key is expected") from None
    return material.public(key, where)


def _load(data: bytes) -> object:
    if b"-----BEGIN CERTIFICATE-----" in data:
        return load_pem_x509_certificate(data).public_key()
    return load_pem_public_key(data)
