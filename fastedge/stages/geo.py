"""GeoRoute and GeoGate: the client's country picks the origin, or ends the request.

Options are checked here and resolved to a table of countries once; compiled hooks do the rest. No request runs Python.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, Protocol

from fastedge._core.geostage import GateByCountry, RouteByCountry
from fastedge.errors import ConfigError
from fastedge.geo.countries import COUNTRIES
from fastedge.geo.regions import Region, parse_region

_GATE_STATUSES: Final = (403, 451)
_GATE_BODY: Final = b"This is not available in your region.\n"


class Snapshot(Protocol):
    """What of a configuration these stages resolve their names in."""

    @property
    def origins(self) -> Collection[str]: ...
    @property
    def geo(self) -> object: ...


@dataclass(frozen=True, slots=True)
class GeoRoute:
    """Sends a request to the origin of its client's country, union or continent; the most specific of them wins.

    `routes`: region → name of an origin. A region is `"DE"` or `"country:DE"`, `"union:EU"`, `"continent:EU"`.
    `default`: the origin of all others, unknown countries included; None leaves the plan's origin as it is.
    The origin is in the cache key, as it always is.
    """

    routes: Mapping[str, str]
    default: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.routes, Mapping) or not self.routes:
            raise ConfigError(f"GeoRoute routes: expected a mapping of regions to origins, not {self.routes!r}")
        object.__setattr__(self, "routes", MappingProxyType(dict(self.routes)))
        _regions("GeoRoute routes", self.routes)
        for option, origin in self._origins().items():
            if not isinstance(origin, str) or not origin:
                raise ConfigError(f"{option}: expected the name of an origin, not {origin!r}")

    def bind(self, snapshot: Snapshot) -> RouteByCountry:
        check_table("GeoRoute", snapshot.geo)
        for option, origin in self._origins().items():
            if origin not in snapshot.origins:
                known = ", ".join(sorted(snapshot.origins)) or "none"
                raise ConfigError(f"{option}: no origin is named {origin!r}; [origins] has: {known}")
        by_country = dict.fromkeys(COUNTRIES, self.default)
        # From the least specific on, so that a union overwrites its continents, and a country overwrites both.
        for region, text in sorted(_regions("GeoRoute routes", self.routes).items()):
            by_country.update(dict.fromkeys(region.members, self.routes[text]))
        return RouteByCountry(by_country)

    def _origins(self) -> dict[str, str]:
        """Each origin that is named, by the option that names it."""
        named = {f"GeoRoute routes[{region!r}]": origin for region, origin in self.routes.items()}
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

    def bind(self, snapshot: Snapshot) -> GateByCountry:
        check_table("GeoGate", snapshot.geo)
        refused = dict.fromkeys(COUNTRIES, self.deny is None)
        for region in _regions("GeoGate", self.deny or self.allow or ()):
            refused.update(dict.fromkeys(region.members, self.deny is not None))
        if self.unknown is not None:
            refused[""] = self.unknown == "deny"
        return GateByCountry(refused, self.status, _GATE_BODY)


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


def check_table(stage: str, geo: object) -> None:
    if geo is None:
        raise ConfigError(f"{stage}: needs a country table, and the configuration was loaded without one")
