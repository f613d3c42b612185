"""Personalize, bound: what it leaves in the context, what it asks the origin for, and two of them on one request."""

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from fastedge import Context, Pipeline, Plan, Request, StageError
from fastedge._core.personalstage import PersonalStage, personal_of
from fastedge.caching.vary import is_match, packed
from fastedge.geo import Place, compile_table, load
from fastedge.html import PageRules, Variable
from fastedge.stages import Claim, Cookie, Geo, Personalize, Slot, Variant

TABLE = load(compile_table([(0, Place("DE", city="Köln"))], [], built=1, source="test"))
SNAPSHOT = SimpleNamespace(geo=TABLE, fragments={})


def bound(*slots: Slot, **options: Any) -> PersonalStage:
    return Personalize(*slots, **options).bind(SNAPSHOT)


def edits(stage: PersonalStage, *headers: tuple[str, str], method: str = "GET") -> list[tuple[str, str | None, bool]]:
    ctx = Context(plan=Plan())
    stage.decide(Request(method, headers=headers), ctx)
    assert personal_of(ctx) is stage
    return ctx.plan.header_edits


STAGE = bound(Slot("a", Geo("country")))


def test_origin_is_asked_for_gzip_or_for_no_coding() -> None:
    assert edits(STAGE, ("Accept-Encoding", "br, gzip, zstd")) == [("accept-encoding", "gzip", False)]
    assert edits(STAGE, ("Accept-Encoding", "br")) == [("accept-encoding", None, False)]
    assert edits(STAGE) == [("accept-encoding", None, False)]


def test_who_takes_gzip_shares_what_varies_by_it() -> None:
    def asked(codings: str) -> tuple[Request, Plan]:
        request, ctx = Request(headers={"Accept-Encoding": codings}), Context(plan=Plan())
        STAGE.decide(request, ctx)
        return request, ctx.plan

    varied = packed(b"Accept-Encoding", *asked("gzip, br"))
    assert varied is not None
    assert is_match(varied, *asked("zstd, gzip;q=0.5"))
    assert not is_match(varied, *asked("br"))


def test_origin_is_asked_for_the_whole_page() -> None:
    partial = [("Range", "bytes=0-9"), ("If-Range", '"x"'), ("If-None-Match", '"x"'), ("If-Modified-Since", "x")]
    kept = [("If-Match", '"x"'), ("If-Unmodified-Since", "x")]
    for method in ("GET", "HEAD"):
        without = edits(STAGE, *partial, *kept, method=method)[1:]
        assert without == [(name.lower(), None, False) for name, _ in partial]
    assert edits(STAGE, *partial, method="PUT") == [("accept-encoding", None, False)]
    assert edits(STAGE, partial[2])[1:] == [("if-none-match", None, False)]


def test_esi_is_offered_to_the_origin() -> None:
    capability = ("surrogate-capability", 'fastedge="ESI/1.0"', False)
    assert capability in edits(bound(esi=True), ("Surrogate-Capability", 'x="ESI/1.0"'))
    assert capability not in edits(STAGE)


def test_two_stages_are_one_with_the_slots_of_both() -> None:
    one = bound(Slot("a", Geo("country")), Slot("b", Claim("b"), fallback="B"), wait_ms=1, esi=True, vary=["X-One"])
    two = bound(
        Slot("b", Geo("city"), at="#b"), Slot("c", Cookie("c", allow=["c"])), gzip=False, vary=["x-one", "X-Two"]
    )
    both = one.joined_to(two)
    assert [(slot.name, slot.at) for slot in both.rules.slots] == [("a", None), ("b", "#b"), ("c", None)]
    assert both.sources == {"a": one.sources["a"], "b": two.sources["b"], "c": two.sources["c"]}
    assert both.fallbacks == {}
    assert both.rules.esi
    assert both.esi_source is one.esi_source
    assert (both.gzip, both.wait_ms) == (False, 500)
    assert both.vary == b"X-One, Authorization, Cookie, X-Two"
    assert one.joined_to(two) is both


def test_two_stages_on_one_request_ask_the_origin_once() -> None:
    one, two = bound(Slot("a", Geo("country"))), bound(Slot("b", Geo("country")), esi=True)
    ctx = Context(plan=Plan())
    for stage in (one, two, two):
        stage.decide(Request(), ctx)
    assert [name for name, _, _ in ctx.plan.header_edits] == ["accept-encoding", "surrogate-capability"]
    both = personal_of(ctx)
    assert both is not None
    assert sorted(both.sources) == ["a", "b"]


def test_page_varies_by_what_its_values_differ_by() -> None:
    assert STAGE.vary is None
    assert bound(Slot("a", Variant("x"))).vary == b"Cookie"
    assert bound(Slot("a", Claim("x")), vary=["cookie", "Save-Data"]).vary == b"cookie, Save-Data, Authorization"
    stage = bound(Slot("a", Variant("x")), esi=True)
    assert stage.varies_by(("a",)) == b"Cookie"
    assert stage.varies_by(("a", Variable("HTTP_HEADER", "X-A"), Variable("HTTP_REFERER"))) == b"Cookie, X-A, Referer"


def test_marker_names_the_hook_while_a_function_runs() -> None:
    marker = ctypes.c_longlong(0)
    seen = []

    def hello(request: Request, ctx: Context) -> str:
        seen.append(marker.value)
        if request.method == "POST":
            raise SystemExit
        return "hello"

    pipeline = Pipeline(Personalize(Slot("a", Geo("country"))), Personalize(Slot("hello", hello))).bind(SNAPSHOT)
    pipeline.set_marker(ctypes.addressof(marker), 10)
    stage = pipeline.hooks()[1].native
    assert isinstance(stage, PersonalStage)
    assert stage.source("hello").find(Request(), Context()) == "hello"
    with pytest.raises(StageError):
        stage.source("hello").find(Request("POST"), Context())
    assert [pipeline.hook_names[number - 10] for number in seen] == ["Personalize.on_request"] * 2
    assert seen[0] == 12
    assert marker.value == 0


def test_rules_are_those_of_the_policy() -> None:
    assert STAGE.rules == PageRules(STAGE.rules.slots)
    assert STAGE.source("a") is STAGE.sources["a"]
