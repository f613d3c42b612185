"""Makes a country table: compiles ranges into the flat form, and loads a table from either kind of bytes.

Pure: the bytes of a file come in as an argument, and its date is the data's own.
"""

import struct
from array import array
from collections.abc import Iterable
from zlib import crc32

from fastedge._core.geotable import FLAG_WIDE, HEADER, MAGIC, VERSION, GeoTable
from fastedge.errors import ConfigError
from fastedge.geo.countries import COUNTRIES
from fastedge.limits import geo_bytes_max, geo_source_bytes_max

_LOW: int = 2**64 - 1


def load(data: bytes, name: str = "geo database") -> GeoTable:
    """The table in `data`, an MMDB or our own compiled form: its first bytes decide. `name` begins what errors say."""
    try:
        return GeoTable(_compiled(data), COUNTRIES)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def _compiled(data: bytes) -> bytes:
    if len(data) > geo_bytes_max:
        raise ConfigError(f"{len(data)} bytes, expected at most {geo_bytes_max}")
    if data.startswith(MAGIC):
        return data
    # Here, so that an edge with a compiled table never pays for importing maxminddb.
    from fastedge.geo.mmdb import is_mmdb, read_mmdb

    if not is_mmdb(data):
        raise ConfigError("neither an MMDB nor a table compiled by fastedge.geo.compile")
    found = read_mmdb(data)
    return compile_table(found.v4, found.v6, built=found.built, source=found.source)


def compile_table(v4: Iterable[tuple[int, str]], v6: Iterable[tuple[int, str]], *, built: int, source: str) -> bytes:
    """The compiled form of sorted `(first address, country or "")` ranges, each of which reaches to the next.

    Addresses below the first range are unknown; neighbours of one country become one range. `built` is the data's date
    in unix seconds. ConfigError for ranges out of order, beyond the address space, or of a country that there is not.
    """
    starts_v4, countries_v4 = _merged(v4, 32)
    starts_v6, countries_v6 = _merged(v6, 128)
    names = ["", *sorted(({*countries_v4, *countries_v6}) - {""})]
    number = {name: i for i, name in enumerate(names)}
    is_wide = any(start & _LOW for start in starts_v6)
    body = b"".join(
        (
            array("Q", [start >> 64 for start in starts_v6]).tobytes(),
            array("Q", [start & _LOW for start in starts_v6]).tobytes() if is_wide else b"",
            array("I", starts_v4).tobytes(),
            bytes([number[country] for country in countries_v4]),
            bytes([number[country] for country in countries_v6]),
            b"".join(name.encode("ascii") or b"\0\0" for name in names),
            _source_name(source),
        )
    )
    return _header(body, is_wide, built, len(starts_v4), len(starts_v6), len(names), source) + body


def _merged(ranges: Iterable[tuple[int, str]], bits: int) -> tuple[list[int], list[str]]:
    starts, countries = [0], [""]
    previous = -1
    for start, country in ranges:
        if not previous < start < 1 << bits:
            raise ConfigError(f"geo ranges: {start:#x} behind {previous:#x}: expected ascending, below 2^{bits}")
        if country not in COUNTRIES:
            raise ConfigError(f"geo ranges: {country!r} is no country (ISO 3166-1 alpha-2)")
        previous = start
        if start == 0:
            countries[0] = country
        elif country != countries[-1]:
            starts.append(start)
            countries.append(country)
    return starts, countries


def _source_name(source: str) -> bytes:
    name = source.encode("utf-8")
    if not 1 <= len(name) <= geo_source_bytes_max:
        raise ConfigError(f"geo source: {len(name)} bytes, expected 1 to {geo_source_bytes_max}")
    return name


def _header(body: bytes, is_wide: bool, built: int, v4: int, v6: int, countries: int, source: str) -> bytes:
    flags = FLAG_WIDE if is_wide else 0
    try:
        return HEADER.pack(MAGIC, VERSION, flags, crc32(body), built, v4, v6, countries, len(_source_name(source)), 0)
    except struct.error:
        raise ConfigError(f"geo table: built {built!r}: expected unix seconds") from None
