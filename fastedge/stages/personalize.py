"""Personalize: one page for everybody, with parts that are the visitor's own.

Says which parts these are; fastedge.html cuts pages, and the engine joins them.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from fastedge._core.fields import Fields
from fastedge._core.personalstage import PersonalStage
from fastedge._core.slotvalues import EsiInclude, EsiVariable, ValueSource
from fastedge.errors import ConfigError
from fastedge.html import Include as EsiTag
from fastedge.html import PageRules, Variable
from fastedge.html import Slot as Place
from fastedge.limits import fragment_wait_ms, fragment_wait_ms_max, html_value_bytes_max
from fastedge.stages.slot_sources import (
    Claim,
    Cookie,
    Fragments,
    Include,
    Source,
    check_constant,
    check_fact,
    check_within,
    source_of,
)


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
            check_fact(f"Slot {self.name!r} source", self.source)
        if self.fallback is not None:
            check_constant(f"Slot {self.name!r} fallback", self.fallback)
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
        check_within("Personalize wait_ms", wait_ms, fragment_wait_ms_max)
        check_within("Personalize fragment_bytes_max", fragment_bytes_max, html_value_bytes_max)
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
            {name: source_of(slot.source, name, snapshot) for name, slot in self._slots.items()},
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
