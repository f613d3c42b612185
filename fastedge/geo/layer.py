"""What is known of all addresses, from one source or several: laid over one another, then compiled into one table."""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zlib import crc32

from fastedge._core.georanges import Ranges
from fastedge._core.geotable import FLAG_NARROW, FLAG_WIDE, HEADER, MAGIC, VERSION, GeoTable, pack_records
from fastedge.errors import ConfigError
from fastedge.geo.countries import COUNTRIES
from fastedge.geo.places import NOWHERE, Facts
from fastedge.limits import geo_records_max, geo_source_bytes_max

_NARROW_RECORDS_MAX = 256


@dataclass(frozen=True, slots=True)
class Layer:
    """Ranges, each owned by a place of `places` (the first is nowhere); the data's date in unix seconds, and its name.

    `unlisted` are codes that it has for countries and that are none.
    """

    v4: Ranges
    v6: Ranges
    places: list[Facts]
    built: int
    source: str
    unlisted: tuple[str, ...] = ()


def layer_of(v4: Iterable[tuple[int, Facts]], v6: Iterable[tuple[int, Facts]], *, built: int, source: str) -> Layer:
    """Of sorted (first address, place), each of which reaches to the next."""
    numbers: dict[Facts, int] = {NOWHERE: 0}

    def ranges_of(rows: Iterable[tuple[int, Facts]], bits: int) -> Ranges:
        ranges = Ranges()
        for start, place in rows:
            if not 0 <= start < 1 << bits:
                raise ConfigError(f"geo ranges: {start:#x}: expected an address below 2^{bits}")
            ranges.add(start, numbers.setdefault(place, len(numbers)))
        return ranges

    ranges_v4, ranges_v6 = ranges_of(v4, 32), ranges_of(v6, 128)
    return Layer(ranges_v4, ranges_v6, list(numbers), built, source)


def layer_of_table(table: GeoTable) -> Layer:
    v4, v6, records = table.layout()
    places = [(f.country, f.region, f.city, f.time_zone, f.asn, f.organization) for f in records]
    return Layer(v4, v6, places, table.built, table.source)


def overlaid(base: Layer, top: Layer, rule: Callable[[Facts, Facts], Facts]) -> Layer:
    """`rule` says what two places come to. The date is the older one."""
    numbers: dict[Facts, int] = {NOWHERE: 0}

    def laid(below: Ranges, above: Ranges) -> Ranges:
        ranges, pairs = below.joined(above)
        places = (rule(base.places[one], top.places[other]) for one, other in pairs)
        return ranges.renumbered([numbers.setdefault(place, len(numbers)) for place in places])

    v4, v6 = laid(base.v4, top.v4), laid(base.v6, top.v6)
    return Layer(v4, v6, list(numbers), min(base.built, top.built), f"{base.source} + {top.source}", base.unlisted)


def with_network(below: Facts, above: Facts) -> Facts:
    """The location of the one, and the network of the other where it knows one."""
    return (*below[:4], *above[4:]) if above[4] else below


def overridden(below: Facts, above: Facts) -> Facts:
    """Locations and networks are replaced as a whole, each where the upper one has it."""
    location = above if above[0] else below
    network = above if above[4] else below
    return (*location[:4], *network[4:])


def compiled(layer: Layer) -> bytes:
    """The flat form that GeoTable reads."""
    if len(layer.places) > geo_records_max:
        raise ConfigError(f"geo table: {len(layer.places)} records, expected at most {geo_records_max}")
    rows, texts, known = pack_records(layer.places)
    width = 1 if len(layer.places) <= _NARROW_RECORDS_MAX else 4
    v4, v6 = (_begun(ranges) for ranges in (layer.v4, layer.v6))
    lows = v6.starts_low()
    owners = v4.owners_as(width) + v6.owners_as(width)
    source = _source_name(layer.source)
    body = b"".join((v6.starts_high(), lows, v4.starts_32(), rows, owners, texts, source))
    flags = (FLAG_WIDE if lows else 0) | (FLAG_NARROW if width == 1 else 0)
    counts = v4.count, v6.count, len(layer.places), len(texts), known, len(source), 0
    try:
        return HEADER.pack(MAGIC, VERSION, flags, crc32(body), layer.built, *counts) + body
    except struct.error:
        raise ConfigError(f"geo table: built {layer.built!r}: expected unix seconds") from None


def table_of(layer: Layer) -> GeoTable:
    return GeoTable(compiled(layer), COUNTRIES)


def _begun(ranges: Ranges) -> Ranges:
    """A table's first range starts at 0, also where nothing is known."""
    if not ranges.count:
        ranges.add(0, 0)
    return ranges


def _source_name(source: str) -> bytes:
    name = source.encode("utf-8")
    if not 1 <= len(name) <= geo_source_bytes_max:
        raise ConfigError(f"geo source: {len(name)} bytes, expected 1 to {geo_source_bytes_max}")
    return name
