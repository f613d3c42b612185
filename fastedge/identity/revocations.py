"""What a revocation says, whether in a request, in a line of a file or in one of the journal: one JSON object.

What is wrong is named by where it stands, never by the name that it revokes.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from fastedge.errors import ConfigError
from fastedge.limits import revocation_name_bytes_max, revocation_request_items_max, revocations_errors_max

_LINE = re.compile(rb"\S[^\n]*")  # with anything in it
_SECONDS_MAX = 0xFFFFFFFF  # in 2106; a time in milliseconds is far beyond it


class Entry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of `jti`, `sub` and `everyone`, which may be left out beside `issued_before`. Times in seconds."""

    jti: str | UnsetType = UNSET
    sub: str | UnsetType = UNSET
    everyone: bool | UnsetType = UNSET
    issued_before: float | UnsetType = UNSET
    expires: float | UnsetType = UNSET


class Request(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be revoked, and what revoked no longer."""

    revoke: tuple[Entry, ...] = ()
    restore: tuple[Entry, ...] = ()


class Revocation(Struct, frozen=True):
    """`kind` is "jti", "sub" or "everyone". Whole seconds: tokens issued before `before_s` (None: whenever) are revoked
    until `until_s` (None: for ever)."""

    kind: str
    name: str | None
    before_s: int | None = None
    until_s: int | None = None

    @property
    def who(self) -> tuple[str, str | None]:
        return self.kind, self.name

    def entry(self) -> Entry:
        """As it is written down."""
        return Entry(
            jti=self.name if self.kind == "jti" and self.name else UNSET,
            sub=self.name if self.kind == "sub" and self.name else UNSET,
            everyone=True if self.kind == "everyone" else UNSET,
            issued_before=UNSET if self.before_s is None else self.before_s,
            expires=UNSET if self.until_s is None else self.until_s,
        )


class Change(NamedTuple):
    """All of one request."""

    revoke: tuple[Revocation, ...]
    restore: tuple[Revocation, ...]

    def to_line(self) -> bytes:
        """JSON that `parse_change` reads back as the same."""
        entries = Request(*(tuple(one.entry() for one in part) for part in self))
        return msgspec.json.encode(entries) + b"\n"


_request = msgspec.json.Decoder(Request)
_entry = msgspec.json.Decoder(Entry)


def parse_change(data: bytes, now_s: float | None) -> Change:
    """Raises ValueError for what is none. `now_s` stands for an `issued_before` that is left out; None: none may be."""
    request = _request.decode(data)  # its ValidationError is a ValueError
    change = Change(
        tuple(_each("revoke", request.revoke, now_s)), tuple(_each("restore", request.restore, now_s, is_restore=True))
    )
    count = len(change.revoke) + len(change.restore)
    if not count:
        raise ValueError("nothing to do: name what to revoke, or what to restore")
    if count > revocation_request_items_max:
        raise ValueError(f"{count} entries; one request may have {revocation_request_items_max}")
    revoked = {one.who for one in change.revoke}
    for i, one in enumerate(change.restore):
        if one.who in revoked:
            raise ValueError(f"revoked and restored at once - at `$.restore[{i}]`")
    return change


def parse_list(name: str, data: bytes) -> Iterator[Revocation]:
    """The lines of a file, one after the other; empty ones do not count. Raises ConfigError at the end, a line for each
    that could not be read."""
    wrong: list[str] = []
    count = 0
    for line in _LINE.finditer(data):
        try:
            yield _revocation(_entry.decode(line[0]), None)
        except ValueError as why:
            count += 1
            if count <= revocations_errors_max:
                number = data.count(b"\n", 0, line.start()) + 1
                wrong.append(f"{name}, line {number}: {why}")
    if count > revocations_errors_max:
        wrong.append(f"{name}: and {count - revocations_errors_max} more")
    if wrong:
        raise ConfigError("\n".join(wrong))


def _each(
    member: str, entries: Iterable[Entry], now_s: float | None, *, is_restore: bool = False
) -> Iterator[Revocation]:
    for i, entry in enumerate(entries):
        try:
            yield _restored(entry) if is_restore else _revocation(entry, now_s)
        except ValueError as why:
            raise ValueError(f"{why} - at `$.{member}[{i}]`") from None


def _revocation(entry: Entry, now_s: float | None) -> Revocation:
    kind, name = _who(entry)
    before = None if entry.issued_before is UNSET else _seconds("issued_before", entry.issued_before)
    until = None if entry.expires is UNSET else _seconds("expires", entry.expires)
    if kind == "jti" and before is not None:
        raise ValueError("a jti is revoked whenever it was issued, expected no issued_before")
    if kind != "jti" and before is None:
        if now_s is None:
            raise ValueError("issued_before is missing")
        before = math.ceil(now_s)
    return Revocation(kind, name, before, until)


def _restored(entry: Entry) -> Revocation:
    if entry.issued_before is not UNSET or entry.expires is not UNSET:
        raise ValueError("expected no time: what is restored is named alone")
    return Revocation(*_who(entry))


def _who(entry: Entry) -> tuple[str, str | None]:
    jti, sub, everyone = entry.jti, entry.sub, entry.everyone
    if jti is not UNSET and sub is UNSET and everyone is UNSET:
        return "jti", _checked("jti", jti)
    if sub is not UNSET and jti is UNSET and everyone is UNSET:
        return "sub", _checked("sub", sub)
    if jti is sub is UNSET and (everyone is True or (everyone is UNSET and entry.issued_before is not UNSET)):
        return "everyone", None
    raise ValueError('expected exactly one of jti, sub and "everyone": true')


def _checked(kind: str, name: str) -> str:
    if not name or len(name.encode()) > revocation_name_bytes_max:
        raise ValueError(f"a {kind} has from 1 to {revocation_name_bytes_max} bytes")
    return name


def _seconds(member: str, value: float) -> int:
    """Rounded up: an `iat` has mostly been rounded down, and what was issued in that second must not slip through."""
    if not 0 < value < _SECONDS_MAX:
        raise ValueError(f"{member} is no time in seconds since 1970")
    return math.ceil(value)
