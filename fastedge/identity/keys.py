"""Keys that verify signatures, and sets of them (RFC 7517). Immutable; what they are made of comes in as bytes.

Never signs, never prints or echoes key material: an error names the set and the key's place in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from fastedge._core.base64url import decode
from fastedge.errors import ConfigError
from fastedge.identity.algorithms import ALGORITHMS, Check
from fastedge.identity.strict_json import parse_object
from fastedge.limits import jwk_set_keys_max, key_file_bytes_max, rsa_key_bits_max, rsa_key_bits_min, secret_bytes_min


@dataclass(frozen=True, slots=True)
class Key:
    """One key: a check for each algorithm that it may be used with. The material is inside them; no repr shows it."""

    key_type: str
    kid: str | None
    checks: Mapping[str, Check] = field(repr=False)


class KeySet:
    """The keys that one name in `[keys.NAME]` stands for. All errors are ConfigErrors that begin with that name."""

    __slots__ = ("_labelled", "_sole", "_unlabelled", "algorithms", "keys", "secret")

    algorithms: frozenset[str]  # what the set can verify
    keys: tuple[Key, ...]
    secret: bytes | None  # what `from_secret` was given, for MACs of another kind; else None

    def __init__(self, keys: Iterable[Key], *, name: str = "keys") -> None:
        self.keys = tuple(keys)
        self.secret = None
        if not self.keys:
            raise ConfigError(f"{name}: holds no key that can verify {' or '.join(ALGORITHMS)}")
        if len(self.keys) > jwk_set_keys_max:
            raise ConfigError(f"{name}: holds {len(self.keys)} keys, at most {jwk_set_keys_max} are allowed")
        self.algorithms = frozenset[str]().union(*(key.checks for key in self.keys))
        self._labelled = self._by_label(name)
        self._sole = {a: key for a in self.algorithms if (key := _only(k for k in self.keys if a in k.checks))}
        self._unlabelled = {
            a: key for a in self.algorithms if (key := _only(k for k in self.keys if a in k.checks and k.kid is None))
        }

    def _by_label(self, name: str) -> dict[tuple[str, str], Key]:
        labelled: dict[tuple[str, str], Key] = {}
        for key in self.keys:
            for algorithm in key.checks:
                if key.kid is not None and labelled.setdefault((algorithm, key.kid), key) is not key:
                    raise ConfigError(f"{name}: two {key.key_type} keys have the kid {key.kid!r}")
        return labelled

    def choose(self, algorithm: str, kid: str | None) -> Key | None:
        """The key for a header: by `kid`, else the only key without one; with no `kid` the only one that fits."""
        if kid is None:
            return self._sole.get(algorithm)
        return self._labelled.get((algorithm, kid)) or self._unlabelled.get(algorithm)

    def __repr__(self) -> str:
        return f"KeySet({list(self.keys)!r})"

    @classmethod
    def from_secret(cls, secret: bytes, *, name: str = "keys") -> "KeySet":
        """One HMAC secret, every byte of it (white space included)."""
        made = cls([_secret_key(secret, None, None, name)], name=name)
        made.secret = secret
        return made

    @classmethod
    def from_pem(cls, data: bytes, *, name: str = "keys") -> "KeySet":
        """One RSA public key in PEM ("BEGIN PUBLIC KEY")."""
        _check_size(data, name)
        if b"PRIVATE KEY-----" in data:
            raise ConfigError(f"{name}: holds a private key; the edge needs the public half and nothing else")
        if data.count(b"-----BEGIN ") != 1:
            raise ConfigError(f"{name}: one PEM block with a public key is expected")
        try:
            public = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm):
            public = None
        if not isinstance(public, RSAPublicKey):
            raise ConfigError(f"{name}: a PEM block with an RSA public key is expected") from None
        return cls([_rsa_key(public, None, None, name)], name=name)

    @classmethod
    def from_jwks(cls, data: bytes, *, name: str = "keys") -> "KeySet":
        """A JWK Set. Keys of unknown type or algorithm, or for another use, are passed over (RFC 7517 §5)."""
        _check_size(data, name)
        document = parse_object(data)
        entries = None if document is None else document.get("keys")
        if not isinstance(entries, list):
            raise ConfigError(f'{name}: a JWK Set is expected, a JSON object with a "keys" array and no member twice')
        keys = (_jwk(entry, f"{name}: keys[{position}]") for position, entry in enumerate(entries))
        return cls([key for key in keys if key is not None], name=name)


def _only(keys: Iterable[Key]) -> Key | None:
    found = list(keys)
    return found[0] if len(found) == 1 else None


def _check_size(data: bytes, name: str) -> None:
    if len(data) > key_file_bytes_max:
        raise ConfigError(f"{name}: {len(data)} bytes, at most {key_file_bytes_max} are read")


# --- one JWK ---------------------------------------------------------------------------------------------------------


def _jwk(entry: Any, where: str) -> Key | None:
    """The key that a JWK stands for; None for one that is of no use here."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kty"), str):
        raise ConfigError(f'{where}: an object with a "kty" is expected')
    if not _is_for_verifying(entry, where):
        return None
    kid, algorithm = _text(entry, "kid", where), _text(entry, "alg", where)
    if algorithm is not None and (algorithm not in ALGORITHMS or ALGORITHMS[algorithm].key_type != entry["kty"]):
        return None
    if entry["kty"] == "oct":
        return _secret_key(_octets(entry, "k", where), kid, algorithm, where)
    if entry["kty"] == "RSA":
        return _rsa_key(_rsa_public(entry, where), kid, algorithm, where)
    return None


def _is_for_verifying(entry: Mapping[str, Any], where: str) -> bool:
    """RFC 7517 §4.2 and §4.3: a key that says what it is for is used for nothing else."""
    use, operations = _text(entry, "use", where), entry.get("key_ops")
    if operations is not None and not isinstance(operations, list):
        raise ConfigError(f"{where}.key_ops: an array is expected")
    return use in (None, "sig") and (operations is None or "verify" in operations)


def _text(entry: Mapping[str, Any], member: str, where: str) -> str | None:
    value = entry.get(member)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{where}.{member}: a string is expected")
    return value


def _octets(entry: Mapping[str, Any], member: str, where: str) -> bytes:
    text = entry.get(member)
    value = decode(text.encode()) if isinstance(text, str) else None
    if not value:
        raise ConfigError(f"{where}.{member}: base64url without padding is expected")
    return value


def _key(key_type: str, kid: str | None, algorithm: str | None, material: bytes | RSAPublicKey) -> Key:
    """A key for all algorithms of its type, or for the one that its own `alg` names."""
    rows = [row for row in ALGORITHMS.values() if row.key_type == key_type and algorithm in (None, row.name)]
    return Key(key_type, kid, MappingProxyType({row.name: row.check_with(material) for row in rows}))


def _secret_key(secret: bytes, kid: str | None, algorithm: str | None, where: str) -> Key:
    if secret.lstrip().startswith((b"-----BEGIN", b"ssh-", b'{"')):
        # RFC 8725 §2.1: what is public must never become an HMAC secret.
        raise ConfigError(f"{where}: this is a key file (PEM, SSH or JSON), not an HMAC secret")
    if len(secret) < secret_bytes_min:
        raise ConfigError(f"{where}: an HMAC secret has at least {secret_bytes_min} bytes, this one has {len(secret)}")
    return _key("oct", kid, algorithm, secret)


def _rsa_public(entry: Mapping[str, Any], where: str) -> RSAPublicKey:
    if "d" in entry:
        raise ConfigError(f"{where}: is a private key; the edge needs the public half and nothing else")
    n, e = (int.from_bytes(_octets(entry, member, where), "big") for member in ("n", "e"))
    _check_bits(n.bit_length(), where)  # before any arithmetic with it
    try:
        return RSAPublicNumbers(e, n).public_key()
    except ValueError:
        raise ConfigError(f"{where}: not an RSA public key") from None


def _rsa_key(public: RSAPublicKey, kid: str | None, algorithm: str | None, where: str) -> Key:
    _check_bits(public.key_size, where)
    return _key("RSA", kid, algorithm, public)


def _check_bits(bits: int, where: str) -> None:
    if not rsa_key_bits_min <= bits <= rsa_key_bits_max:
        raise ConfigError(f"{where}: an RSA key has {rsa_key_bits_min} to {rsa_key_bits_max} bits, this one has {bits}")
