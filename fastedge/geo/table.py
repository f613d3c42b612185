"""Makes a geo table of bytes: of an MMDB or of the compiled form, with a second one's networks, with overrides.

Pure: the bytes of files come in as arguments, and a date is the data's own.
"""

from collections.abc import Iterable

from fastedge._core.geotable import MAGIC, GeoTable
from fastedge.errors import ConfigError
from fastedge.geo.countries import COUNTRIES
from fastedge.geo.layer import Layer, compiled, layer_of, layer_of_table, overlaid, overridden, table_of, with_network
from fastedge.geo.mmdb import is_mmdb, read_mmdb
from fastedge.geo.places import Facts, Place
from fastedge.limits import geo_bytes_max

_COUNTRY, _ASN = (Place._fields.index(name) for name in ("country", "asn"))


def load(data: bytes, name: str = "geo database") -> GeoTable:
    """The table in `data`, an MMDB or our own compiled form: its first bytes decide. `name` begins what errors say."""
    try:
        return GeoTable(data, COUNTRIES) if data.startswith(MAGIC) else table_of(read_locations(data))
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def read_locations(data: bytes) -> Layer:
    """A database that knows countries, whatever else it knows."""
    layer = _read(data)
    if not any(place[_COUNTRY] for place in layer.places):
        raise ConfigError("no record has a country (country.iso_code, country_code): is it a country database?")
    return layer


def read_networks(data: bytes) -> Layer:
    """A database that knows AS numbers."""
    layer = _read(data)
    if not any(place[_ASN] for place in layer.places):
        raise ConfigError("no record has an AS number (autonomous_system_number, asn): is it an ASN database?")
    return layer


def combined(base: Layer, networks: Layer | None, overrides: Layer | None) -> GeoTable:
    """One table of all that there is; overrides have the last word."""
    for top, rule in ((networks, with_network), (overrides, overridden)):
        if top is not None:
            base = overlaid(base, top, rule)
    return table_of(base)


def compile_table(
    v4: Iterable[tuple[int, str | Place]], v6: Iterable[tuple[int, str | Place]], *, built: int, source: str
) -> bytes:
    """The compiled form of sorted `(first address, country or place)` ranges, each of which reaches to the next.

    Addresses below the first range are unknown; neighbours of one place become one range. `built` is the data's date
    in unix seconds. ConfigError for ranges out of order, beyond the address space, or of a country that there is not.
    """
    return compiled(layer_of(_places(v4), _places(v6), built=built, source=source))


def _places(ranges: Iterable[tuple[int, str | Place]]) -> Iterable[tuple[int, Facts]]:
    for start, known in ranges:
        place = Place(known) if isinstance(known, str) else known
        if place.country not in COUNTRIES:
            raise ConfigError(f"geo ranges: {place.country!r} is no country (ISO 3166-1 alpha-2)")
        yield start, place


def _read(data: bytes) -> Layer:
    if len(data) > geo_bytes_max:
        raise ConfigError(f"{len(data)} bytes, expected at most {geo_bytes_max}")
    if data.startswith(MAGIC):
        return layer_of_table(GeoTable(data, COUNTRIES))
    if not is_mmdb(data):
        raise ConfigError("neither an MMDB nor a table compiled by fastedge.geo.compile")
    return read_mmdb(data)
