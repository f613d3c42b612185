"""GeoRoute, GeoGate and GeoHeaders: where the client is picks the origin, ends the request, or is told to the origin.

Options are checked here and resolved to tables once; compiled hooks do the rest. No request runs Python.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, Protocol

from fastedge._core.geostage import FACTS, GateByPlace, RouteByPlace, TellFacts
from fastedge._core.message import Plan
from fastedge.errors import ConfigError, StageError
from fastedge.geo.countries import COUNTRIES
from fastedge.geo.regions import Kind, Region, parse_region

_GATE_STATUSES: Final = (403, 451)
_GATE_BODY: Final = b"This is not available in your region.\n"
_IN_EVERY_TABLE: Final = frozenset({"country", "continent", "is_eu"})
_NEEDED: Final = {Kind.REGION: "region", Kind.ASN: "asn"}  # by a rule of that kind

_Origins = str | Sequence[str]


class Snapshot(Protocol):
    """What of a configuration these stages resolve their names in."""

    @property
    def origins(self) -> Collection[str]: ...
    @property
    def geo(self) -> object: ...


@dataclass(frozen=True, slots=True)
class GeoRoute:
    """Sends a request to the origin of the region that its client is in; the most specific of the regions wins.

    `routes`: region → name of an origin, or several in order: the first that is up is asked. A region is `"DE"` or
    `"country:DE"`, `"union:EU"`, `"continent:EU"`, `"region:US-CA"`, `"asn:64500"`.
    `default`: the origin or origins of all others, unknown countries included; None leaves the plan's as it is.
    The origin that is asked is in the cache key, as it always is.
    """

    routes: Mapping[str, _Origins]
    default: _Origins | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.routes, Mapping) or not self.routes:
            raise ConfigError(f"GeoRoute routes: expected a mapping of regions to origins, not {self.routes!r}")
        object.__setattr__(self, "routes", MappingProxyType(dict(self.routes)))
        _regions("GeoRoute routes", self.routes)
        for option, origins in self._origins().items():
            names = _line(origins)
            if not names or len(set(names)) < len(names) or not all(isinstance(name, str) and name for name in names):
                raise ConfigError(
                    f"{option}: expected the name of an origin, or several different ones, not {origins!r}"
                )

    def bind(self, snapshot: Snapshot) -> RouteByPlace:
        regions = _regions("GeoRoute routes", self.routes)
        check_table("GeoRoute", snapshot.geo, _needed(regions))
        for option, origins in self._origins().items():
            for name in _line(origins):
                if name not in snapshot.origins:
                    known = ", ".join(sorted(snapshot.origins)) or "none"
                    raise ConfigError(f"{option}: no origin is named {name!r}; [origins] has: {known}")
        default = None if self.default is None else _cell(self.default)
        by_country = dict.fromkeys(COUNTRIES, default)
        # From the least specific on, so that a union overwrites its continents, and a country overwrites both.
        for region, text in sorted(regions.items()):
            by_country.update(dict.fromkeys(region.members, _cell(self.routes[text])))
        cells = {region: _cell(self.routes[text]) for region, text in regions.items()}
        return RouteByPlace(
            by_country,
            {region.code: cell for region, cell in cells.items() if region.kind is Kind.REGION},
            {int(region.code): cell for region, cell in cells.items() if region.kind is Kind.ASN},
        )

    def _origins(self) -> dict[str, _Origins]:
        """Each line of origins that is given, by the option that gives it."""
        named = {f"GeoRoute routes[{region!r}]": origins for region, origins in self.routes.items()}
        return named if self.default is None else {**named, "GeoRoute default": self.default}


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoGate:
    """Refuses a request by its client's country, before the cache and before any origin.

    Either `allow` (all others are refused) or `deny` (all others pass): lists of regions as in GeoRoute.
    `status`: 403, or 451 where a law demands it (RFC 7725).
    `unknown`: "allow" or "deny" for addresses of no known country; None treats them as any country not in the list.
    """

    allow: Collection[str] | None = None
    deny: Collection[str] | None = None
    status: int = 403
    unknown: Literal["allow", "deny"] | None = None

    def __post_init__(self) -> None:
        if (self.allow is None) == (self.deny is None):
            raise ConfigError("GeoGate: expected either allow=[...] or deny=[...]")
        for option in ("allow", "deny"):
            regions = getattr(self, option)
            if regions is None:
                continue
            if isinstance(regions, str) or not isinstance(regions, Collection) or not regions:
                raise ConfigError(f"GeoGate {option}: expected a list of regions, not {regions!r}")
            object.__setattr__(self, option, tuple(regions))
            _regions(f"GeoGate {option}", regions)
        if type(self.status) is not int or self.status not in _GATE_STATUSES:
            raise ConfigError(f"GeoGate status: expected 403 or 451, not {self.status!r}")
        if self.unknown not in (None, "allow", "deny"):
            raise ConfigError(f"GeoGate unknown: expected 'allow' or 'deny', not {self.unknown!r}")

    def bind(self, snapshot: Snapshot) -> GateByPlace:
        regions = _regions("GeoGate", self.deny or self.allow or ())
        check_table("GeoGate", snapshot.geo, _needed(regions))
        refuses_listed = self.deny is not None
        refused = dict.fromkeys(COUNTRIES, not refuses_listed)
        for region in regions:
            refused.update(dict.fromkeys(region.members, refuses_listed))
        if self.unknown is not None:
            refused[""] = self.unknown == "deny"
        return GateByPlace(
            refused,
            [region.code for region in regions if region.kind is Kind.REGION],
            [int(region.code) for region in regions if region.kind is Kind.ASN],
            refuses_listed,
            self.status,
            _GATE_BODY,
        )


@dataclass(frozen=True, slots=True)
class GeoHeaders:
    """Tells the origin where the client is, in fields that no client can forge.

    `fields`: fact → field, as in `{"country": "x-country", "city": "x-city"}`; facts are `country`, `continent`,
    `is_eu`, `region`, `city`, `time_zone`, `asn` and `organization`. What is not known is not sent.
    They are in the cache key, but for those in `unkeyed`, which must make no difference to the answer.
    """

    fields: Mapping[str, str]
    unkeyed: Collection[str] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.fields, Mapping) or not self.fields:
            raise ConfigError(f"GeoHeaders fields: expected a mapping of facts to fields, not {self.fields!r}")
        for fact, field in self.fields.items():
            if fact not in FACTS:
                raise ConfigError(f"GeoHeaders fields: {fact!r} is none of {', '.join(FACTS)}")
            try:
                Plan().remove_header(field)
            except (StageError, TypeError, ValueError) as error:
                raise ConfigError(f"GeoHeaders fields[{fact!r}]: {error}") from None
        names = [field.lower() for field in self.fields.values()]
        if len(set(names)) < len(names):
            raise ConfigError("GeoHeaders fields: two facts in one field")
        if isinstance(self.unkeyed, str) or not set(self.unkeyed) <= set(self.fields):
            raise ConfigError(f"GeoHeaders unkeyed: expected some of the facts in fields, not {self.unkeyed!r}")

    def bind(self, snapshot: Snapshot) -> TellFacts:
        check_table("GeoHeaders", snapshot.geo, self.fields)
        return TellFacts([(fact, field.lower(), fact not in self.unkeyed) for fact, field in self.fields.items()])


def _line(origins: object) -> tuple[object, ...]:
    if isinstance(origins, str):
        return (origins,)
    return tuple(origins) if isinstance(origins, Sequence) else ()


def _cell(origins: _Origins) -> tuple[str, tuple[str, ...]]:
    first, *others = [origins] if isinstance(origins, str) else origins
    return first, tuple(others)


def _needed(regions: Collection[Region]) -> set[str]:
    return {_NEEDED[region.kind] for region in regions if region.kind in _NEEDED}


def _regions(option: str, texts: Collection[str]) -> dict[Region, str]:
    """Each region that is named, and the text that names it."""
    regions: dict[Region, str] = {}
    for text in texts:
        try:
            region = parse_region(text)
        except ConfigError as error:
            raise ConfigError(f"{option}: {error}") from None
        if region in regions:
            raise ConfigError(f"{option}: {regions[region]!r} and {text!r} are the same region")
        regions[region] = text
    return regions


def check_table(stage: str, geo: object, facts: Collection[str] = ()) -> None:
    """A rule about what the table never knows would never hold: better said when it is written than found out later."""
    if geo is None:
        raise ConfigError(f"{stage}: needs a geo table, and the configuration was loaded without one")
    missing = sorted(set(facts) - _IN_EVERY_TABLE - getattr(geo, "facts", set(facts)))
    if missing:
        source = getattr(geo, "source", "it")
        raise ConfigError(f"{stage}: needs {', '.join(missing)}, and the geo table ({source}) has none: see [geo]")
