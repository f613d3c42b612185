"""Personalize: one page for everybody, with parts that are the visitor's own. Says which parts, and where their values
come from; pages are cut in fastedge.html, and the engine joins them.
"""

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from fastedge._core.cookies import is_cookie_name
from fastedge._core.fields import Fields
from fastedge._core.geostage import FACTS
from fastedge._core.message import Context, Request
from fastedge._core.personalstage import PersonalStage
from fastedge._core.slotvalues import (
    CallValue,
    ClaimValue,
    CookieValue,
    EsiInclude,
    EsiVariable,
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
from fastedge.html import Include as EsiTag
from fastedge.html import PageRules, Variable
from fastedge.html import Slot as Place
from fastedge.limits import (
    esi_url_bytes_max,
    fragment_wait_ms,
    fragment_wait_ms_max,
    html_value_bytes_max,
    personal_values_max,
)
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
            _within(f"Cookie {self.name!r} bytes_max", self.bytes_max, html_value_bytes_max)
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
        _check_fact(f"Fragments {self.table!r} by", self.by)

    def _source(self, snapshot: Any) -> ValueSource:
        tables = getattr(snapshot, "fragments", {})
        if self.table not in tables:
            known = ", ".join(sorted(tables)) or "none"
            raise ConfigError(f"Fragments table: no [fragments] is named {self.table!r:.80}; there are: {known}")
        return FragmentsValue(tables[self.table], _source_of(self.by, f"fragments {self.table}", snapshot))


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
            _check_fact(f"Include {url!r:.80} {name}", fact)
        if wait_ms is not None:
            _within(f"Include {url!r:.80} wait_ms", wait_ms, fragment_wait_ms_max)
        object.__setattr__(self, "url", url)
        object.__setattr__(self, "values", MappingProxyType(values))
        object.__setattr__(self, "wait_ms", wait_ms)

    def _source(self, snapshot: Any) -> ValueSource:
        texts = _PLACEHOLDER.split(self.url)
        sources = {name: _source_of(fact, f"include {self.url}", snapshot) for name, fact in self.values.items()}
        parts = [sources[text] if i % 2 else text.encode("ascii") for i, text in enumerate(texts)]
        return UrlValue([part for part in parts if part != b""], self.wait_ms or 0)


Fact = Claim | Cookie | Geo | Variant | Function
Source = Fact | Fragments | Include


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of the page, and what it becomes: `source` is a Claim, Cookie, Geo, Variant, Fragments or Include, or a
    function of (request, ctx) that gives str, bytes or None.

    `at`, `action`, `attribute`: where the value goes; `raw`: it is HTML (docs/html.md). `fallback`: what is shown where
    there is no value; left out: what the page itself says there.
    """

    name: str
    source: Source
    at: str | None = field(default=None, kw_only=True)
    action: str = field(default="inner", kw_only=True)
    attribute: str = field(default="", kw_only=True)
    raw: bool = field(default=False, kw_only=True)
    fallback: str | bytes | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ConfigError(f"Slot name: expected a text, found {self.name!r:.80}")
        self._place()
        if not isinstance(self.source, Fragments | Include):
            _check_fact(f"Slot {self.name!r} source", self.source)
        if self.fallback is not None:
            _constant(f"Slot {self.name!r} fallback", self.fallback)
        if self.raw and isinstance(self.source, Claim | Cookie) and self._says_anything(self.source):
            raise ConfigError(
                f"Slot {self.name!r} raw: what a visitor says would be markup; expected values of the policy"
            )

    def _place(self) -> Place:
        try:
            return Place(self.name, self.at, self.action, self.attribute, self.raw)
        except ConfigError as error:
            raise ConfigError(f"Personalize: {error}") from None

    @staticmethod
    def _says_anything(source: Claim | Cookie) -> bool:
        return source.values is None and (isinstance(source, Claim) or source.allow is None)


class Personalize:
    """Pages with parts that are the visitor's own; see docs/stages/personalize.md.

    `slots` of one name share one source. `esi`: ESI 1.0 is processed. `gzip`: clients that take gzip get it.
    `cache_control`: of the answer. `vary`: fields that the policy's functions read. `wait_ms`: for what another URL
    gives, of which at most `fragment_bytes_max`.
    """

    __slots__ = ("_cache_control", "_esi", "_fragment_bytes_max", "_gzip", "_rules", "_slots", "_vary", "_wait_ms")

    on_error = "fail_open"

    def __init__(
        self,
        *slots: Slot,
        esi: bool = False,
        gzip: bool = True,
        cache_control: str = "private, no-cache",
        vary: Collection[str] = (),
        wait_ms: int = fragment_wait_ms,
        fragment_bytes_max: int = html_value_bytes_max,
    ) -> None:
        for option, value in (("esi", esi), ("gzip", gzip)):
            if not isinstance(value, bool):
                raise ConfigError(f"Personalize {option}: expected True or False, found {value!r:.80}")
        if not slots and not esi:
            raise ConfigError("Personalize: expected a Slot(…), or esi=True")
        _within("Personalize wait_ms", wait_ms, fragment_wait_ms_max)
        _within("Personalize fragment_bytes_max", fragment_bytes_max, html_value_bytes_max)
        self._slots = _alike(slots)
        try:
            self._rules = PageRules([slot._place() for slot in slots], esi)
        except ConfigError as error:
            raise ConfigError(f"Personalize: {error}") from None
        try:
            Fields({"cache-control": cache_control})
        except (TypeError, ValueError) as error:
            raise ConfigError(f"Personalize cache_control: {error}") from None
        self._vary = _names(vary)
        self._esi, self._gzip, self._cache_control = esi, gzip, cache_control
        self._wait_ms, self._fragment_bytes_max = wait_ms, fragment_bytes_max

    def bind(self, snapshot: Any) -> PersonalStage:
        """The compiled hook: with the tables of fragments, and with the geo table's facts checked."""
        return PersonalStage(
            self._rules,
            {name: _source_of(slot.source, name, snapshot) for name, slot in self._slots.items()},
            fallbacks={name: slot.fallback for name, slot in self._slots.items() if slot.fallback is not None},
            esi_source=self._of_esi if self._esi else None,
            cache_control=self._cache_control.encode("latin-1"),
            vary=", ".join(self._vary).encode() or None,
            gzip=self._gzip,
            wait_ms=self._wait_ms,
            fragment_bytes_max=self._fragment_bytes_max,
        )

    def _of_esi(self, tag: Variable | EsiTag) -> ValueSource:
        """What a tag of a page asks for. No page waits longer than the policy says."""
        if isinstance(tag, Variable):
            return EsiVariable(tag.name, tag.key, tag.default)
        src, alt = (
            [text if isinstance(text, str) else self._of_esi(text) for text in url] for url in (tag.src, tag.alt)
        )
        wait_ms = 0 if tag.maxwait_ms is None else min(max(tag.maxwait_ms, 1), self._wait_ms)
        return EsiInclude(src, alt, wait_ms)


def _alike(slots: tuple[Slot, ...]) -> dict[str, Slot]:
    """One slot of each name: all of them have its value."""
    named: dict[str, Slot] = {}
    for slot in slots:
        if not isinstance(slot, Slot):
            raise ConfigError(f"Personalize: expected a Slot(…), found {slot!r:.80}")
        first = named.setdefault(slot.name, slot)
        if (first.source, first.fallback) != (slot.source, slot.fallback):
            raise ConfigError(f"Personalize: two slots {slot.name!r}, expected one source and one fallback for both")
    return named


def _names(vary: object) -> tuple[str, ...]:
    if isinstance(vary, str) or not isinstance(vary, Collection):
        raise ConfigError(f"Personalize vary: expected a list of fields' names, found {vary!r:.80}")
    for name in vary:
        try:
            Fields([(name, "")])
        except (TypeError, ValueError):
            raise ConfigError(f"Personalize vary: expected the name of a field, found {name!r:.80}") from None
    return tuple(vary)


def _source_of(source: Source, slot: str, snapshot: Any) -> ValueSource:
    if isinstance(source, Claim | Cookie | Geo | Variant | Fragments | Include):
        return source._source(snapshot)
    return CallValue(source, slot)


def _check_fact(where: str, source: object) -> None:
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
        _constant(f"{where}[{text!r:.80}]", value)
    return MappingProxyType(dict(values))


def _constant(where: str, value: object) -> None:
    if not isinstance(value, str | bytes | Fragment):
        raise ConfigError(f"{where}: expected a text, found {value!r:.80}")
    made = constant(value)
    if len(made.data if isinstance(made, Fragment) else made) > html_value_bytes_max:
        raise ConfigError(f"{where}: expected at most {html_value_bytes_max} bytes")


def _within(where: str, value: object, most: int) -> None:
    if type(value) is not int or not 0 < value <= most:
        raise ConfigError(f"{where}: expected 1 to {most}, found {value!r:.80}")
