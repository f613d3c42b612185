"""What a database says of an address, as this edge takes it. One table says where each maker keeps each fact."""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from fastedge._core.mmdbdata import read_text
from fastedge.geo.countries import COUNTRIES

Facts = tuple[str, str, str, str, int, str]  # a Place without its names: there may be millions of them


class Place(NamedTuple):
    """All that a table may know of an address; unknown is "" and 0."""

    country: str = ""
    region: str = ""
    city: str = ""
    time_zone: str = ""
    asn: int = 0
    organization: str = ""


NOWHERE: Final[Facts] = Place()

_REGION: Final = re.compile(r"(?:([A-Z]{2})-)?([A-Z0-9]{1,3})")  # ISO 3166-2, with or without the country
_TIME_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{1,63}")
_ASN: Final = re.compile(r"(?:AS)?([0-9]{1,10})")


def read_country(value: object, country: str = "") -> str:
    return value if isinstance(value, str) and value in COUNTRIES else ""


def read_region(value: object, country: str) -> str:
    """Of the country that is known already; a name such as "Bavaria" is no code."""
    found = _REGION.fullmatch(value) if isinstance(value, str) else None
    return f"{country}-{found[2]}" if found and country and found[1] in (None, country) else ""


def read_time_zone(value: object, country: str = "") -> str:
    return value if isinstance(value, str) and _TIME_ZONE.fullmatch(value) else ""


def read_asn(value: object, country: str = "") -> int:
    found = _ASN.fullmatch(str(value))
    return int(found[1]) if found and int(found[1]) < 2**32 else 0


# Where each fact of a Place may stand, in their order, and how it is read: the first path that gives one counts. "0" is
# a list's first entry. MaxMind and DB-IP nest, IPinfo and ip-location-db do not.
SCHEMAS: Final[tuple[tuple[tuple[str, ...], Callable[[object, str], Any]], ...]] = (
    (("country.iso_code", "country_code", "country"), read_country),
    (("subdivisions.0.iso_code", "region_code", "region"), read_region),
    (("city.names.en", "city"), read_text),
    (("location.time_zone", "timezone", "time_zone"), read_time_zone),
    (("autonomous_system_number", "traits.autonomous_system_number", "asn"), read_asn),
    (
        ("autonomous_system_organization", "traits.autonomous_system_organization", "as_name", "name"),
        read_text,
    ),
)
