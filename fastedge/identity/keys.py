"""Sets of keys that verify signatures (RFC 7517 §5). Immutable; what they are made of comes in as bytes.

Never signs, never prints or echoes key material: an error names the set and the key's place in it.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from fastedge.errors import ConfigError
from fastedge.identity import jwk, material, pem
from fastedge.identity.algorithms import ALGORITHMS
from fastedge.identity.key import Key
from fastedge.identity.strict_json import parse_object
from fastedge.limits import jwk_set_fetched_keys_max, jwk_set_keys_max, key_file_bytes_max


class KeySet:
    """The keys that one name in `[keys.NAME]` stands for. All errors are ConfigErrors that begin with that name."""

    __slots__ = ("_labelled", "_sole", "_unlabelled", "algorithms", "fingerprint", "ignored", "keys", "secret")

    algorithms: frozenset[str]  # what the set can verify
    fingerprint: bytes  # equal for sets that verify the same; never to be printed, for there may be secrets in it
    ignored: int  # keys of a fetched set that should be of use and are not: broken, secret, or a `kid` again
    keys: tuple[Key, ...]
    secret: bytes | None  # what `from_secret` was given, for MACs of another kind; else None

    def __init__(self, keys: Iterable[Key], *, name: str = "keys", ignored: int = 0) -> None:
        self.keys = tuple(keys)
        self.secret = None
        self.ignored = ignored
        if not self.keys:
            raise ConfigError(f"{name}: holds no key that can verify {', '.join(ALGORITHMS)}")
        self.algorithms = frozenset[str]().union(*(key.checks for key in self.keys))
        self.fingerprint = _fingerprint(self.keys)
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
        made = cls([Key.of(material.secret(secret, name), None, None, name)], name=name)
        made.secret = secret
        return made

    @classmethod
    def from_pem(cls, data: bytes, *, name: str = "keys") -> "KeySet":
        """One public key in PEM, or a certificate's."""
        _check_size(data, name)
        return cls([Key.of(pem.read(data, name), None, None, name)], name=name)

    @classmethod
    def from_jwks(cls, data: bytes, *, name: str = "keys", fetched: bool = False) -> "KeySet":
        """A JWK Set. Keys of unknown type, curve or algorithm, or for another use, are passed over (RFC 7517 §5).

        A broken key is an error in a set that somebody has written by hand. In one that was `fetched` it is passed
        over, and so is a secret: what everybody can read verifies nothing.
        """
        _check_size(data, name)
        document = parse_object(data)
        entries = None if document is None else document.get("keys")
        if not isinstance(entries, list):
            raise ConfigError(f'{name}: a JWK Set is expected, a JSON object with a "keys" array and no member twice')
        keys_max = jwk_set_fetched_keys_max if fetched else jwk_set_keys_max
        if len(entries) > keys_max:
            raise ConfigError(f"{name}: holds {len(entries)} keys, at most {keys_max} are allowed")
        if not fetched:
            keys = (jwk.read(entry, f"{name}: keys[{position}]") for position, entry in enumerate(entries))
            return cls([key for key in keys if key is not None], name=name)
        fit, ignored = _fit(entries)
        return cls(fit, name=name, ignored=ignored)


def _fit(entries: Iterable[Any]) -> tuple[list[Key], int]:
    """The keys of a fetched set that may be used, and how many were passed over that should have been."""
    keys: list[Key] = []
    labels: set[tuple[str, str | None]] = set()
    ignored = 0
    for entry in entries:
        try:
            key = jwk.read(entry, "a key")
        except ConfigError:
            ignored += 1
            continue
        if key is None:
            continue
        named = {(algorithm, key.kid) for algorithm in key.checks if key.kid is not None}
        if key.key_type == "oct" or not labels.isdisjoint(named):
            ignored += 1
            continue
        labels |= named
        keys.append(key)
    return keys, ignored


def _fingerprint(keys: Iterable[Key]) -> bytes:
    """SHA-256 over what tells keys apart: thumbprint, `kid` and algorithms, in an order of their own."""
    rows = sorted(json.dumps([key.thumbprint.hex(), key.kid, sorted(key.checks)]) for key in keys)
    return sha256("\n".join(rows).encode()).digest()


def _only(keys: Iterable[Key]) -> Key | None:
    found = list(keys)
    return found[0] if len(found) == 1 else None


def _check_size(data: bytes, name: str) -> None:
    if len(data) > key_file_bytes_max:
        raise ConfigError(f"{name}: {len(data)} bytes, at most {key_file_bytes_max} are read")
