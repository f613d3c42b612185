"""API keys: consumers, and keyed hashes of the keys that they may show.

A file of hashes lets nobody in who has stolen it. Never prints or echoes a key or a hash: an error names the consumer
and the place in the file.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from types import MappingProxyType
from typing import Any

from fastedge._core.base64url import decode
from fastedge.errors import ConfigError
from fastedge.identity.claims import read_only
from fastedge.identity.mac import Mac, mac_with
from fastedge.identity.strict_json import parse_object
from fastedge.limits import api_key_bytes_max, api_key_salt_bytes_min, api_keys_max, credential_name_chars_max

KEY_PREFIX = "fastedge_"  # by which scanners find keys that have leaked


@dataclass(frozen=True, slots=True)
class Consumer:
    """Whoever a key was given to; what is said of them, as `claims` with their name as `sub`."""

    name: str
    claims: Mapping[str, Any]


class ApiKeys:
    """The keys that one name in `[credentials.NAME]` stands for: hash → whose it is, and until when (Unix seconds)."""

    __slots__ = ("_salt", "grants")

    grants: Mapping[bytes, tuple[Consumer, float]]

    def __init__(self, salt: bytes, grants: Mapping[bytes, tuple[Consumer, float]]) -> None:
        self._salt = salt
        self.grants = MappingProxyType(dict(grants))

    def hashing(self, pepper: bytes | None = None) -> Mac:
        """What makes of a key the hash by which `grants` knows it."""
        return _hashing(self._salt, pepper)

    def __repr__(self) -> str:
        return f"<ApiKeys: {len(self.grants)} keys>"

    @classmethod
    def from_json(cls, data: bytes, *, name: str = "credentials") -> "ApiKeys":
        """`{"salt": …, "consumers": [{"name": …, "keys": [hash or {"hash": …, "expires": …}], "claims": {…}}]}`.

        Raises ConfigError for what is not that, unknown members included: a misspelt `expires` must not be for ever.
        """
        document = parse_object(data)
        if document is None:
            raise ConfigError(f"{name}: a JSON object is expected, with no member twice")
        _check_members(document, {"salt", "consumers"}, name)
        salt = _octets(document.get("salt"), f"{name}: salt")
        if len(salt) < api_key_salt_bytes_min:
            raise ConfigError(f"{name}: salt: at least {api_key_salt_bytes_min} bytes are expected, not {len(salt)}")
        grants: dict[bytes, tuple[Consumer, float]] = {}
        names: set[str] = set()
        for position, entry in enumerate(_list(document.get("consumers"), f"{name}: consumers")):
            consumer, where = _consumer(entry, f"{name}: consumers[{position}]")
            if consumer.name in names:
                raise ConfigError(f"{where}: this name is there twice")
            names.add(consumer.name)
            _grant(grants, consumer, entry, where)
        return cls(salt, grants)


def key_hash(salt: bytes, key: str, pepper: bytes | None = None) -> str:
    """The hash of a key, as a file has it."""
    return base64.urlsafe_b64encode(_hashing(salt, pepper)(key.encode())).rstrip(b"=").decode()


def is_key(key: str) -> bool:
    """Whether a key has one spelling only, wherever a client shows it (RFC 3986 §2.3)."""
    return 0 < len(key) <= api_key_bytes_max and _UNRESERVED.issuperset(key)


_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _hashing(salt: bytes, pepper: bytes | None) -> Mac:
    """HMAC-SHA-256 under the salt; with a pepper, under HMAC-SHA-256(pepper, "fastedge-api-keys-1" and the salt)."""
    return mac_with(salt if pepper is None else mac_with(pepper)(b"fastedge-api-keys-1" + salt))


# --- the file --------------------------------------------------------------------------------------------------------


def _consumer(entry: Any, where: str) -> tuple[Consumer, str]:
    """The consumer, and what to call the place from here on."""
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: an object is expected")
    name = entry.get("name")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= credential_name_chars_max:
        raise ConfigError(f"{where}.name: 1 to {credential_name_chars_max} printable characters are expected")
    where = f"{where} ({name})"
    _check_members(entry, {"name", "keys", "claims"}, where)
    claims = entry.get("claims", {})
    if not isinstance(claims, dict) or "sub" in claims:
        raise ConfigError(f'{where}.claims: an object is expected, without "sub", which is the name')
    frozen = read_only({"sub": name, **claims})
    if frozen is None:
        raise ConfigError(f"{where}.claims: arrays and objects lie too deep in each other")
    return Consumer(name, frozen[0]), where


def _grant(grants: dict[bytes, tuple[Consumer, float]], consumer: Consumer, entry: dict[str, Any], where: str) -> None:
    for position, key in enumerate(_list(entry.get("keys"), f"{where}.keys")):
        place = f"{where}.keys[{position}]"
        if not isinstance(key, dict):
            key = {"hash": key}
        _check_members(key, {"hash", "expires"}, place)
        digest = _octets(key.get("hash"), place)
        if len(digest) != 32:
            raise ConfigError(f"{place}: a hash has 32 bytes, this has {len(digest)}; `fastedge api-key` makes them")
        if digest in grants:
            raise ConfigError(f"{place}: {grants[digest][0].name} has this key already")
        if len(grants) == api_keys_max:
            raise ConfigError(f"{place}: at most {api_keys_max} keys are allowed")
        grants[digest] = consumer, _moment(key["expires"], f"{place}.expires") if "expires" in key else inf


def _check_members(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in entry.keys() - known:
        raise ConfigError(f"{where}: {name[:40]!r} is none of {', '.join(sorted(known))}")


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{where}: an array is expected")
    return value


def _octets(text: Any, where: str) -> bytes:
    value = decode(text.encode()) if isinstance(text, str) else None
    if value is None:
        raise ConfigError(f"{where}: base64url without padding is expected")
    return value


def _moment(value: Any, where: str) -> float:
    """Unix seconds, or RFC 3339."""
    if type(value) is int or type(value) is float:
        return float(value)
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise ConfigError(f'{where}: Unix seconds or a time such as "2027-01-31T12:00:00Z" is expected')
    return parsed.timestamp()
