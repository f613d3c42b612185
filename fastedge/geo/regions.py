"""How a policy names a part of the world: `country:DE` or `DE`, `union:EU`, `continent:EU`, `region:US-CA`, `asn:1`.

Never guesses: two letters that are both a country and something larger must be spelt out.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from fastedge.errors import ConfigError
from fastedge.geo.countries import CONTINENTS, COUNTRIES, EU_MEMBERS
from fastedge.geo.places import read_asn, read_country, read_region


class Kind(IntEnum):
    """The higher, the more specific: it wins where regions overlap."""

    CONTINENT = 1
    UNION = 2
    COUNTRY = 3
    REGION = 4
    ASN = 5


_KINDS: Final = {kind.name.lower(): kind for kind in Kind}
_PREFIXES: Final = ", ".join(f"{name}:" for name in reversed(_KINDS))
_UNIONS: Final = {"EU": EU_MEMBERS}


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """One region and the countries in it (none if it is no country's size); sorts by kind, the least specific first."""

    kind: Kind
    code: str
    members: frozenset[str]


def parse_region(text: object) -> Region:
    """The region that `text` names. ConfigError for one that there is not, or that could be meant in two ways."""
    if not isinstance(text, str):
        raise ConfigError(f"{text!r} is no region: expected a string such as 'DE', 'union:EU' or 'continent:EU'")
    prefix, colon, code = text.rpartition(":")
    if not colon:
        _check_unambiguous(text)
        prefix = "country"
    kind = _KINDS.get(prefix)
    if kind is None:
        raise ConfigError(f"{text!r} is no region: expected {_PREFIXES} before the code")
    return Region(kind, code, _members(kind, code))


def _check_unambiguous(code: str) -> None:
    if code in _UNIONS:
        raise ConfigError(f"{code!r} is a union and a continent: write 'union:{code}' or 'continent:{code}'")
    if code in CONTINENTS and code in COUNTRIES:
        raise ConfigError(f"{code!r} is a country and a continent: write 'country:{code}' or 'continent:{code}'")


def _members(kind: Kind, code: str) -> frozenset[str]:
    if kind is Kind.COUNTRY and code and code in COUNTRIES:
        return frozenset({code})
    if kind is Kind.UNION and code in _UNIONS:
        return _UNIONS[code]
    if kind is Kind.CONTINENT and code in CONTINENTS:
        return frozenset(country for country, facts in COUNTRIES.items() if facts.continent == code)
    if (kind is Kind.REGION and _is_region(code)) or (kind is Kind.ASN and _is_asn(code)):
        return frozenset()
    expected = {
        Kind.COUNTRY: "a country in two capital letters (ISO 3166-1 alpha-2)",
        Kind.UNION: "one of " + ", ".join(_UNIONS),
        Kind.CONTINENT: "one of " + ", ".join(sorted(CONTINENTS)),
        Kind.REGION: "a subdivision of a country such as US-CA (ISO 3166-2)",
        Kind.ASN: "a number from 1 to 4294967295",
    }
    raise ConfigError(f"{code!r} is no {kind.name.lower()}: expected {expected[kind]}")


def _is_region(code: str) -> bool:
    country, _, subdivision = code.partition("-")
    return bool(country) and read_region(subdivision, read_country(country)) == code


def _is_asn(code: str) -> bool:
    return str(read_asn(code)) == code != "0"
