"""Corrections by hand: a CSV of networks and where they are, laid over a database. The more specific network wins."""

import csv
import io
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from fastedge._core.mmdbdata import read_text
from fastedge.errors import ConfigError
from fastedge.geo.layer import Layer, layer_of, overridden
from fastedge.geo.places import NOWHERE, Facts, Place, read_asn, read_country, read_region, read_time_zone
from fastedge.limits import geo_overrides_max

_COLUMNS: Final = ("network", "country", "region", "city", "time_zone", "asn")
_REQUIRED: Final = 2
_UNDATED: Final = 2**64 - 1  # never the older of two dates

_Network = IPv4Network | IPv6Network
_Rows = dict[_Network, Facts]


def read_overrides(data: bytes) -> Layer:
    """`network,country[,region,city,time_zone,asn]`, below a header that names the columns. ConfigError, with lines."""
    rows: _Rows = {}
    problems = []
    for line, cells in _lines(data):
        try:
            network, place = _row(cells)
            if network in rows:
                raise ConfigError(f"{network} stands in a line above already")
            rows[network] = place
        except ConfigError as error:
            problems.append(f"line {line}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    # Of networks that begin at one address the more specific one comes later.
    v4, v6 = (dict(_flattened(rows, version)) for version in (4, 6))
    return layer_of(v4.items(), v6.items(), built=_UNDATED, source="overrides")


def _lines(data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("not UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = next(reader, [])
        if tuple(columns) != _COLUMNS[: max(_REQUIRED, len(columns))]:
            raise ConfigError(f"line 1: expected the columns {','.join(_COLUMNS)}, or the first of them")
        for count, row in enumerate(filter(None, reader)):
            if count == geo_overrides_max:
                raise ConfigError(f"more than {geo_overrides_max} rows")
            if len(row) != len(columns):
                raise ConfigError(f"line {reader.line_num}: {len(row)} cells, expected {len(columns)}")
            yield reader.line_num, {name: cell.strip() for name, cell in zip(columns, row, strict=True)}
    except csv.Error as error:
        raise ConfigError(f"line {reader.line_num}: {error}") from None


def _row(cells: dict[str, str]) -> tuple[_Network, Place]:
    try:
        network = ip_network(cells["network"])
    except ValueError as error:
        raise ConfigError(f"{error}") from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        raise ConfigError(f"{network} is IPv4: write it as such")
    country = read_country(cells["country"])
    place = Place(
        country,
        read_region(cells.get("region", ""), country),
        read_text(cells.get("city", "")),
        read_time_zone(cells.get("time_zone", "")),
        read_asn(cells.get("asn", "")),
    )
    for column, fact in zip(_COLUMNS[1:], place, strict=False):
        if cells.get(column) and not fact:
            raise ConfigError(f"{cells[column]!r} is no {column} ({_EXPECTED[column]})")
    if place == NOWHERE:
        raise ConfigError(f"{network} has neither a country nor an asn")
    if not country and (place.region or place.city or place.time_zone):
        raise ConfigError("a region, city or time_zone needs its country")
    return network, place


_EXPECTED: Final = {
    "country": "ISO 3166-1 alpha-2",
    "region": "ISO 3166-2, of its country",
    "city": "a name",
    "time_zone": "IANA",
    "asn": "1 to 4294967295",
}


def _flattened(rows: _Rows, version: int) -> Iterator[tuple[int, Facts]]:
    """Nested networks as ranges that each reach to the next; what is within a network adds to what that says."""
    around: list[tuple[int, Facts]] = []  # (what comes behind it, what holds in it) of the networks that are open
    networks = sorted((n for n in rows if n.version == version), key=lambda n: (n.network_address, n.prefixlen))
    for network in networks:
        start = int(network.network_address)
        yield from _closed(around, start)
        place = overridden(around[-1][1] if around else NOWHERE, rows[network])
        around.append((start + network.num_addresses, place))
        yield start, place
    yield from ((end, place) for end, place in _closed(around, 1 << 128) if end < 1 << (32 if version == 4 else 128))


def _closed(around: list[tuple[int, Facts]], start: int) -> Iterator[tuple[int, Facts]]:
    """Leaves the networks that end at or before `start`."""
    while around and around[-1][0] <= start:
        end, _ = around.pop()
        if not (around and around[-1][0] == end) and end != start:
            yield end, around[-1][1] if around else NOWHERE
