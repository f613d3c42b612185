"""Reads the country of every address out of an MMDB's bytes. Never opens a file, never trusts what stands in one."""

import io
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

import maxminddb

from fastedge._core.mmdbtree import flatten, leftmost
from fastedge.errors import ConfigError
from fastedge.geo.countries import COUNTRIES
from fastedge.limits import geo_error_chars_max

# The metadata begins behind the last of these, within the last 128 KiB (MaxMind DB format 2.0, "Database Metadata").
MARKER: Final = b"\xab\xcd\xefMaxMind.com"
METADATA_BYTES_MAX: Final = 128 * 1024

# What maxminddb raises over damaged bytes, beside its own error: it checks little of what it decodes.
_DAMAGE: Final = (
    maxminddb.InvalidDatabaseError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    UnicodeDecodeError,
    ValueError,
    struct.error,
)

# (first address, country or ""), sorted; each reaches to the next, and the first starts at 0.
Ranges = list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Database:
    """What an MMDB says: ranges, its date in unix seconds, its type's name, and codes in it that are no country's."""

    v4: Ranges
    v6: Ranges
    built: int
    source: str
    unlisted: tuple[str, ...]


def is_mmdb(data: bytes) -> bool:
    return data.rfind(MARKER, max(0, len(data) - METADATA_BYTES_MAX)) >= 0


def read_mmdb(data: bytes) -> Database:
    """The ranges of a database whose records are `{"country": {"iso_code": …}}` or `{"country_code": …}`.

    ConfigError if it is damaged or knows no countries. Aliases of IPv4 (6to4, Teredo) are left out: those addresses
    are unknown.
    """
    tree = _Tree(data)
    v4, v6 = tree.ranges(32), tree.ranges(128)
    if not tree.codes & COUNTRIES.keys():
        raise ConfigError("MMDB: no record has a country.iso_code or a country_code: is it a country database?")
    return Database(v4, v6, tree.built, tree.source, tuple(sorted(tree.codes - COUNTRIES.keys())))


class _Tree:
    """One database being read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.codes: set[str] = set()
        with _damage_named():
            self.reader = maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD)
        metadata = self.reader.metadata()
        if metadata.ip_version not in (4, 6) or not isinstance(metadata.node_count, int):
            raise ConfigError("MMDB: damaged: its ip_version is neither 4 nor 6, or its node_count no number")
        if not isinstance(metadata.build_epoch, int) or not isinstance(metadata.database_type, str):
            raise ConfigError("MMDB: damaged: its build_epoch is no number, or its database_type no text")
        self.built, self.source = metadata.build_epoch, metadata.database_type
        self.is_v6 = metadata.ip_version == 6
        self.node_count, self.record_bits = metadata.node_count, metadata.record_size

    def ranges(self, bits: int) -> Ranges:
        flat = self.flat(bits)
        family = IPv4Address if bits == 32 else IPv6Address
        # Few records serve many ranges: each is decoded once, through the first address that leads to it.
        first_with = {record: first for first, record in reversed(flat) if record}
        countries = {record: self.country(family(first)) for record, first in first_with.items()}
        countries[0] = ""
        return [(first, countries[record]) for first, record in flat]

    def flat(self, bits: int) -> list[tuple[int, int]]:
        root, alias = 0, self.node_count  # the number after the last node is the empty record, and as an alias none
        if self.is_v6:
            root_v4 = leftmost(self.data, self.node_count, self.record_bits, 96)
            root, alias = (root_v4, alias) if bits == 32 else (0, min(root_v4, alias))
        elif bits == 128:
            root = self.node_count
        return flatten(self.data, self.node_count, self.record_bits, bits, root, alias)

    def country(self, address: IPv4Address | IPv6Address) -> str:
        with _damage_named():
            code = _country_code(self.reader.get(address))
        if code:
            self.codes.add(code)
        return code if code in COUNTRIES else ""


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        # The text may repeat any of the file's bytes.
        problem = " ".join(str(error).split())[:geo_error_chars_max]
        raise ConfigError(f"MMDB: damaged: {type(error).__name__}: {problem}") from None


def _country_code(record: Any) -> str:
    """From a record of MaxMind's and DB-IP's shape, or of ip-location-db's flat one."""
    if not isinstance(record, Mapping):
        return ""
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, Mapping) else record.get("country_code")
    return code if isinstance(code, str) else ""
