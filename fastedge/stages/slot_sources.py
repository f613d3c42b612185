"""Where the values of slots come from, as a policy says it: checked here, compiled sources once it is bound."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from fastedge._core.cookies import is_cookie_name
from fastedge._core.geostage import FACTS
from fastedge._core.message import Context, Request
from fastedge._core.slotvalues import (
    CallValue,
    ClaimValue,
    CookieValue,
    FragmentsValue,
    GeoValue,
    UrlValue,
    ValueSource,
    VariantValue,
    constant,
)
from fastedge._core.stitch import Fragment
from fastedge.errors import ConfigError
from fastedge.geo.countries import COUNTRIES
from fastedge.limits import esi_url_bytes_max, fragment_wait_ms_max, html_value_bytes_max, personal_values_max
from fastedge.stages.geo import check_table

Value = str | bytes | Fragment
Function = Callable[[Request, Context], Value | None]
_Values = Mapping[str, Value]

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_URL: Final = re.compile(r"/(?![/\\])[!-\"$-\[\]-z|~]*")  # an origin-form without "\", "#", "{" and "}"
_DOT_SEGMENT: Final = re.compile(r"/\.\.?(?:/|\?|$)")


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the credential that let the request in: a text, a number, true or false.

    `values`: what each text that it may have stands for; any other has no value. Left out: the text itself.
    """

    name: str
    values: _Values | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError(f"Claim name: expected the name of a claim, found {self.name!r:.80}")
        object.__setattr__(self, "values", _values(f"Claim {self.name!r} values", self.values))

    def _source(self, snapshot: Any) -> ValueSource:
        return ClaimValue(self.name, self.values)


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie: one of `allow`, or one of `values` and what it stands for, or any text of up to `bytes_max`."""

    name: str
    values: _Values | None = None
    allow: Collection[str] | None = None
    bytes_max: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not is_cookie_name(self.name.encode("utf-8", "replace")):
            raise ConfigError(f"Cookie name: expected a cookie's name (a token), found {self.name!r:.80}")
        if sum(option is not None for option in (self.values, self.allow, self.bytes_max)) != 1:
            raise ConfigError(f"Cookie {self.name!r}: expected one of values, allow and bytes_max")
        if self.allow is not None:
            if isinstance(self.allow, str | bytes) or not isinstance(self.allow, Collection):
                raise ConfigError(f"Cookie {self.name!r} allow: expected a list of texts, found {self.allow!r:.80}")
            allowed = {text: text for text in self.allow}
            object.__setattr__(self, "allow", tuple(_values(f"Cookie {self.name!r} allow", allowed) or ()))
        if self.bytes_max is not None:
            check_within(f"Cookie {self.name!r} bytes_max", self.bytes_max, html_value_bytes_max)
        object.__setattr__(self, "values", _values(f"Cookie {self.name!r} values", self.values))

    def _source(self, snapshot: Any) -> ValueSource:
        if self.bytes_max is not None:
            return CookieValue(self.name, bytes_max=self.bytes_max)
        return CookieValue(self.name, self.values or {text: text for text in self.allow or ()})


@dataclass(frozen=True, slots=True)
class Geo:
    """Where the client is: country, continent, is_eu, region, city, time_zone, asn or organization.

    `values` as in Claim.
    """

    fact: str
    values: _Values | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.fact, str) or self.fact not in FACTS:
            raise ConfigError(f"Geo fact: {self.fact!r:.80} is none of {', '.join(FACTS)}")
        object.__setattr__(self, "values", _values(f"Geo {self.fact!r} values", self.values))
        for text in (self.values or ()) if self.fact == "country" else ():
            if text not in COUNTRIES:
                raise ConfigError(f"Geo 'country' values: {text!r:.80} is no country (ISO 3166-1, such as 'DE')")

    def _source(self, snapshot: Any) -> ValueSource:
        check_table("Personalize", snapshot.geo, [self.fact])
        return GeoValue(self.fact, self.values)


@dataclass(frozen=True, slots=True)
class Variant:
    """The variant that the visitor has of an experiment of this pipeline; `values` as in Claim."""

    experiment: str
    values: _Values | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.experiment, str) or not self.experiment:
            raise ConfigError(f"Variant experiment: expected an experiment's name, found {self.experiment!r:.80}")
        object.__setattr__(self, "values", _values(f"Variant {self.experiment!r} values", self.values))

    def _source(self, snapshot: Any) -> ValueSource:
        return VariantValue(self.experiment, self.values)


@dataclass(frozen=True, slots=True)
class Fragments:
    """The fragment of `[fragments.TABLE]` that is named by what `by` finds."""

    table: str
    by: "Fact"

    def __post_init__(self) -> None:
        if not isinstance(self.table, str) or not self.table:
            raise ConfigError(f"Fragments table: expected the NAME of a [fragments.NAME], found {self.table!r:.80}")
        check_fact(f"Fragments {self.table!r} by", self.by)

    def _source(self, snapshot: Any) -> ValueSource:
        tables = getattr(snapshot, "fragments", {})
        if self.table not in tables:
            known = ", ".join(sorted(tables)) or "none"
            raise ConfigError(f"Fragments table: no [fragments] is named {self.table!r:.80}; there are: {known}")
        return FragmentsValue(tables[self.table], source_of(self.by, f"fragments {self.table}", snapshot))


@dataclass(frozen=True, slots=True, init=False)
class Include:
    """The body of another URL of the same site, as this visitor would get it.

    `Include("/cart?c={country}", country=Geo("country"))`: what stands in braces becomes the value of the
    source of that name, as one percent-encoded component; without it, or if it is empty, the slot has no value.
    `wait_ms`: how long it is waited for; left out, as long as the stage says.
    """

    url: str
    values: Mapping[str, "Fact"]
    wait_ms: int | None

    def __init__(self, url: str, *, wait_ms: int | None = None, **values: "Fact") -> None:
        if not isinstance(url, str) or not _URL.fullmatch(_PLACEHOLDER.sub("", url)) or _DOT_SEGMENT.search(url):
            raise ConfigError(
                f"Include url: expected a path of this site like '/cart?c={{country}}', found {url!r:.80}"
            )
        if len(url) > esi_url_bytes_max:
            raise ConfigError(f"Include url: expected at most {esi_url_bytes_max} bytes")
        if {*_PLACEHOLDER.findall(url)} != values.keys():
            names = ", ".join(dict.fromkeys(_PLACEHOLDER.findall(url))) or "none"
            raise ConfigError(
                f"Include {url!r:.80}: expected a source for each name in braces ({names}), found {[*values]!r:.80}"
            )
        for name, fact in values.items():
            check_fact(f"Include {url!r:.80} {name}", fact)
        if wait_ms is not None:
            check_within(f"Include {url!r:.80} wait_ms", wait_ms, fragment_wait_ms_max)
        object.__setattr__(self, "url", url)
        object.__setattr__(self, "values", MappingProxyType(values))
        object.__setattr__(self, "wait_ms", wait_ms)

    def _source(self, snapshot: Any) -> ValueSource:
        texts = _PLACEHOLDER.split(self.url)
        sources = {name: source_of(fact, f"include {self.url}", snapshot) for name, fact in self.values.items()}
        parts = [sources[text] if i % 2 else text.encode("ascii") for i, text in enumerate(texts)]
        return UrlValue([part for part in parts if part != b""], self.wait_ms or 0)


Fact = Claim | Cookie | Geo | Variant | Function
Source = Fact | Fragments | Include


def source_of(source: Source, slot: str, snapshot: Any) -> ValueSource:
    if isinstance(source, Claim | Cookie | Geo | Variant | Fragments | Include):
        return source._source(snapshot)
    return CallValue(source, slot)


def check_fact(where: str, source: object) -> None:
    """A source that needs no other: a fact, or a plain function of two arguments."""
    if isinstance(source, Claim | Cookie | Geo | Variant):
        return
    if not callable(source) or isinstance(source, type | Fragments | Include):
        raise ConfigError(
            f"{where}: expected Claim, Cookie, Geo, Variant or a function of (request, ctx), found {source!r:.80}"
        )
    if inspect.iscoroutinefunction(source) or inspect.isgeneratorfunction(source) or inspect.isasyncgenfunction(source):
        raise ConfigError(f"{where}: must be a plain function: it does no I/O and does not wait")
    try:
        inspect.signature(source).bind(None, None)
    except TypeError:
        raise ConfigError(f"{where}: a function takes 2 arguments: request, ctx") from None
    except ValueError:
        return  # compiled without a signature


def _values(where: str, values: object) -> _Values | None:
    if values is None:
        return None
    if not isinstance(values, Mapping) or not 0 < len(values) <= personal_values_max:
        raise ConfigError(
            f"{where}: expected 1 to {personal_values_max} texts, each with its value, found {values!r:.80}"
        )
    for text, value in values.items():
        if not isinstance(text, str):
            raise ConfigError(f"{where}: expected texts, found {text!r:.80}")
        check_constant(f"{where}[{text!r:.80}]", value)
    return MappingProxyType(dict(values))


def check_constant(where: str, value: object) -> None:
    if not isinstance(value, str | bytes | Fragment):
        raise ConfigError(f"{where}: expected a text, found {value!r:.80}")
    made = constant(value)
    if len(made.data if isinstance(made, Fragment) else made) > html_value_bytes_max:
        raise ConfigError(f"{where}: expected at most {html_value_bytes_max} bytes")


def check_within(where: str, value: object, most: int) -> None:
    if type(value) is not int or not 0 < value <= most:
        raise ConfigError(f"{where}: expected 1 to {most}, found {value!r:.80}")
