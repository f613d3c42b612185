"""Users and the hashes of their passwords: Argon2id (RFC 9106) or scrypt (RFC 7914), as PHC strings.

A check is slow on purpose, and bounded: a file that asks for more than the limits allow is refused. Never prints or
echoes a password or a hash: an error names the line and the user.
"""

import re
import unicodedata
from binascii import a2b_base64, b2a_base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from fastedge.errors import ConfigError
from fastedge.limits import credential_name_chars_max, password_memory_kib_max, password_work_kib_max, users_max

_B64 = r"[A-Za-z0-9+/]"
_ARGON2ID = re.compile(
    rf"\$argon2id\$v=19\$m=([0-9]{{1,7}}),t=([0-9]{{1,4}}),p=([0-9]{{1,3}})\$({_B64}{{11,86}})\$({_B64}{{22,86}})"
)
_SCRYPT = re.compile(
    rf"\$scrypt\$ln=([0-9]{{1,2}}),r=([0-9]{{1,2}}),p=([0-9]{{1,2}})\$({_B64}{{11,86}})\$({_B64}{{22,86}})"
)
_NEW = (19 * 1024, 2, 1)  # KiB, passes, lanes: OWASP's first choice


class _Kdf(Protocol):
    def derive(self, key_material: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """`kdf` gives a new key derivation, which is good for one password."""

    parameters: str
    kdf: Callable[[], _Kdf] = field(repr=False)
    expected: bytes = field(repr=False)

    def fits(self, password: bytes) -> bool:
        return compare_digest(self.kdf().derive(password), self.expected)

    def decoy(self) -> "PasswordHash":
        """One that costs the same, and that no password fits."""
        return replace(self, expected=bytes(len(self.expected)))


class Users:
    """Those whom one name in `[credentials.NAME]` stands for."""

    __slots__ = ("_decoy", "_hashes")

    def __init__(self, hashes: dict[str, PasswordHash]) -> None:
        self._hashes = dict(hashes)
        [(usual, _)] = Counter(one.parameters for one in hashes.values()).most_common(1)
        self._decoy = next(one for one in hashes.values() if one.parameters == usual).decoy()

    def knows(self, user: str, password: bytes) -> bool:
        """Whether this is the user's password. Slow; and as slow, for a user who is not there, as it usually is."""
        known = self._hashes.get(user)
        fits = (known or self._decoy).fits(password)
        return known is not None and fits

    def __repr__(self) -> str:
        return f"<Users: {len(self._hashes)}>"

    @classmethod
    def from_lines(cls, data: bytes, *, name: str = "credentials") -> "Users":
        """Lines `name:hash`; empty ones, and those that begin with "#", do not count."""
        hashes: dict[str, PasswordHash] = {}
        for number, line in enumerate(data.split(b"\n"), 1):
            text = _text(line, f"{name}: line {number}")
            if not text or text.startswith("#"):
                continue
            user, colon, phc = text.partition(":")
            if not colon or not is_user(user):
                raise ConfigError(f"{name}: line {number}: name:hash is expected, with a printable name")
            where = f"{name}: line {number} ({user})"
            if user in hashes:
                raise ConfigError(f"{where}: this user is there twice")
            if len(hashes) == users_max:
                raise ConfigError(f"{where}: at most {users_max} users are allowed")
            hashes[user] = _password_hash(phc, where)
        if not hashes:
            raise ConfigError(f"{name}: holds no user")
        return cls(hashes)


def is_user(name: str) -> bool:
    """Whether this can be a name (RFC 7617 §2), and stand at the start of a line."""
    fits = 0 < len(name) <= credential_name_chars_max and name.isprintable() and name.strip() == name
    return fits and ":" not in name and not name.startswith("#")


def split_credentials(token: bytes) -> tuple[str, bytes] | None:
    """User and password of what follows `Basic` (RFC 7617 §2), in Unicode's composed form (RFC 8265); None where it is
    neither base64 nor UTF-8, has no colon, or has control characters."""
    try:
        text = _decoded(token).decode()
    except ValueError:
        return None
    user, colon, password = unicodedata.normalize("NFC", text).partition(":")
    if not colon or not is_user(user) or any(unicodedata.category(c) == "Cc" for c in password):
        return None
    return user, password.encode()


def token_of(user: str, password: str) -> bytes:
    """What a client sends behind `Basic`."""
    return b2a_base64(f"{user}:{password}".encode(), newline=False)


def new_hash(password: str, salt: bytes) -> str:
    """The PHC string of a password, by Argon2id. `salt` is 16 random bytes."""
    memory_kib, passes, lanes = _NEW
    kdf = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory_kib)
    digest = kdf.derive(unicodedata.normalize("NFC", password).encode())
    return f"$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${_b64(salt)}${_b64(digest)}"


# --- the file --------------------------------------------------------------------------------------------------------


def _text(line: bytes, where: str) -> str:
    try:
        return unicodedata.normalize("NFC", line.decode().strip(" \t\r"))
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: not UTF-8") from None


def _password_hash(phc: str, where: str) -> PasswordHash:
    if found := _ARGON2ID.fullmatch(phc):
        memory_kib, passes, lanes = (int(one) for one in found.groups()[:3])
        work_kib = memory_kib * passes
    elif found := _SCRYPT.fullmatch(phc):
        log_n, blocks, lanes = (int(one) for one in found.groups()[:3])
        memory_kib = (blocks << log_n) // 8
        work_kib = memory_kib * lanes * 2  # it is written once and read once
    else:
        raise ConfigError(f"{where}: {_unknown(phc)}; `fastedge password` makes one that is known")
    if memory_kib > password_memory_kib_max or work_kib > password_work_kib_max:
        raise ConfigError(
            f"{where}: the hash asks for {memory_kib} KiB of memory and {work_kib} KiB of work, at most"
            f" {password_memory_kib_max} and {password_work_kib_max} are allowed"
        )
    salt, expected = (_octets(part, where) for part in found.groups()[3:])

    def argon2id() -> _Kdf:
        return Argon2id(salt=salt, length=len(expected), iterations=passes, lanes=lanes, memory_cost=memory_kib)

    def scrypt() -> _Kdf:
        return Scrypt(salt=salt, length=len(expected), n=1 << log_n, r=blocks, p=lanes)

    kdf = argon2id if found.re is _ARGON2ID else scrypt
    try:
        kdf()
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{where}: the hash's parameters are out of range, or not supported here") from None
    return PasswordHash(phc.rpartition("$")[0].rpartition("$")[0], kdf, expected)


def _unknown(phc: str) -> str:
    for start, what in _KNOWN_AS.items():
        if phc.startswith(start):
            return f"{what} is not supported, Argon2id and scrypt are"
    return "a hash by Argon2id or scrypt is expected, as a PHC string"


_KNOWN_AS = {
    "$2": "bcrypt", "$apr1$": "MD5", "$1$": "MD5", "{SHA}": "SHA-1", "$5$": "SHA-256 crypt", "$6$": "SHA-512 crypt",
    "$argon2i$": "Argon2i", "$argon2d$": "Argon2d", "$y$": "yescrypt", "$7$": "crypt's own form of scrypt",
}  # fmt: skip


def _octets(text: str, where: str) -> bytes:
    try:
        return _decoded(f"{text}{'=' * (-len(text) % 4)}".encode())
    except ValueError:
        raise ConfigError(f"{where}: salt and hash are base64 without padding") from None


def _decoded(text: bytes) -> bytes:
    """Bytes that have this spelling in base64, and no other. Raises ValueError."""
    data = a2b_base64(text)
    if b2a_base64(data, newline=False) != text:
        raise ValueError("not canonical")
    return data


def _b64(data: bytes) -> str:
    return b2a_base64(data, newline=False).rstrip(b"=").decode()
