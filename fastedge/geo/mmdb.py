"""Reads the country of every address out of an MMDB's bytes. Never opens a file, and never trusts what stands in one."""

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

import maxminddb

from fastedge._core.mmdbtree import flatten, leftmost
from fastedge.errors import ConfigError
from fastedge.geo.countries import COUNTRIES

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

Ranges = list[tuple[int, str]]  # (first address, country or ""), sorted; each reaches to the next, the first starts at 0


@dataclass(frozen=True, slots=True)
class Database:
    """An MMDB's contents: `v4` and `v6` ranges, its date (unix seconds), its type's name, and codes it has that we lack."""

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
    try:
        return _Source(data).database()
    except _DAMAGE as error:
        raise ConfigError(f"MMDB: damaged: {error}") from None


class _Source:
    """One database being read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reader = maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD)
        self.metadata = self.reader.metadata()
        self.found: dict[str, None] = {}

    def database(self) -> Database:
        metadata = self.metadata
        if metadata.ip_version not in (4, 6):
            raise ConfigError(f"MMDB: ip_version {metadata.ip_version!r}, expected 4 or 6")
        nowhere = metadata.node_count  # as a root: the empty record; as an alias: none
        if metadata.ip_version == 4:
            v4, v6 = self.ranges(IPv4Address, 0, nowhere), self.ranges(IPv6Address, nowhere, nowhere)
        else:
            root = leftmost(self.data, metadata.node_count, metadata.record_size, 96)
            v4, v6 = self.ranges(IPv4Address, root, nowhere), self.ranges(IPv6Address, 0, min(root, nowhere))
        if not self.found.keys() & COUNTRIES.keys():
            raise ConfigError("MMDB: no record has a country.iso_code or a country_code: is it a country database?")
        unlisted = tuple(sorted(self.found.keys() - COUNTRIES.keys()))
        return Database(v4, v6, metadata.build_epoch, metadata.database_type, unlisted)

    def ranges(self, family: type[IPv4Address] | type[IPv6Address], root: int, alias: int) -> Ranges:
        bits = 32 if family is IPv4Address else 128
        metadata = self.metadata
        flat = flatten(self.data, metadata.node_count, metadata.record_size, bits, root, alias)
        # Few records serve many ranges: each is decoded once, through the first address that leads to it.
        first_with = {record: first for first, record in reversed(flat) if record}
        countries = {record: self.country(family(first)) for record, first in first_with.items()}
        countries[0] = ""
        return [(first, countries[record]) for first, record in flat]

    def country(self, address: IPv4Address | IPv6Address) -> str:
        code = _country_code(self.reader.get(address))
        if code:
            self.found[code] = None
        return code if code in COUNTRIES else ""


def _country_code(record: Any) -> str:
    """From a record of MaxMind's and DB-IP's shape, or of ip-location-db's flat one."""
    if not isinstance(record, Mapping):
        return ""
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, Mapping) else record.get("country_code")
    return code if isinstance(code, str) else ""
