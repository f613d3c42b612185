"""Invariant: AnyOf and AllOf let nobody in whom the gates that they are made of would not, and hide every credential."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from tokens_by_hand import CLAIMS, NOW, SECRET, make, public_set, signed

from fastedge import CONTINUE, ConfigError, Context, Pipeline, Plan, Request, Response
from fastedge._core.keyslot import KeySlot
from fastedge._core.pipeline import Wait
from fastedge.engine import Engine, Site
from fastedge.identity.keys import KeySet
from fastedge.stages import AllOf, AnyOf, Experiment, JwtAuth

SNAPSHOT = SimpleNamespace(keys={"shop": KeySet.from_secret(SECRET)}, revocations=None)


def jwt(place: str, keys: str = "shop", **options: Any) -> JwtAuth:
    return JwtAuth(keys=keys, issuer=CLAIMS["iss"], audience="shop", token_from=place, realm=place[-1], **options)


A, B, C = (jwt(f"header:x-{name}", forward_claims={"sub": f"sub-{name}"}) for name in "abc")
GOOD, BAD = make(sub="ann"), "bad"
SHOWN = [None, GOOD, BAD]


def ask(stage: Any, fields: dict[str, str | None]) -> tuple[Any, Context]:
    ctx = Context(now=NOW, plan=Plan(origin="main"))
    request = Request("GET", "/", {name: value for name, value in fields.items() if value is not None})
    return stage.bind(SNAPSHOT).decide(request, ctx), ctx


@pytest.mark.parametrize(("a", "b"), list(itertools.product(SHOWN, SHOWN)))
def test_any_of_goes_by_the_first_credential_that_is_shown(a: str | None, b: str | None) -> None:
    verdict, _ = ask(AnyOf(A, B), {"x-a": a, "x-b": b})
    first = a if a is not None else b
    assert (verdict is CONTINUE) == (first == GOOD)
    assert verdict is CONTINUE or verdict.status == 401


@pytest.mark.parametrize(("a", "b"), list(itertools.product(SHOWN, SHOWN)))
def test_all_of_needs_every_credential(a: str | None, b: str | None) -> None:
    verdict, _ = ask(AllOf(A, B), {"x-a": a, "x-b": b})
    assert (verdict is CONTINUE) == (a == b == GOOD)
    assert verdict is CONTINUE or verdict.status == 401


@pytest.mark.parametrize("stage", [AllOf(A, B), AllOf(B, A)])
def test_lacking_credential_hides_whether_the_other_is_right(stage: Any) -> None:
    right, wrong = (ask(stage, {"x-a": shown})[0] for shown in (GOOD, BAD))
    assert right.headers.items() == wrong.headers.items()


@pytest.mark.parametrize("stage", [AnyOf(A, B), AllOf(A, B), AnyOf(AllOf(A, B), C), AllOf(AnyOf(A, B), C)])
def test_no_credential_is_answered_by_every_challenge(stage: Any) -> None:
    verdict, ctx = ask(stage, {})
    schemes = [value for name, value in verdict.headers.items() if name == "www-authenticate"]
    assert schemes[:2] == ['Bearer realm="a"', 'Bearer realm="b"']
    assert set(ctx.notes.values()) == {"missing"}


def test_refusal_names_the_gate_whose_credential_it_was() -> None:
    assert ask(AnyOf(A, B), {"x-b": BAD})[1].notes == {"JwtAuth": "malformed"}


def test_credentials_of_all_gates_are_hidden_whichever_let_it_in() -> None:
    _, ctx = ask(AnyOf(A, AllOf(B, C)), {"x-a": GOOD, "x-b": "not checked", "x-c": None})
    assert [edit[:2] for edit in ctx.plan.header_edits] == [
        ("x-a", None),
        ("x-b", None),
        ("x-c", None),
        ("sub-a", "ann"),
    ]


@pytest.mark.parametrize("fields", [{"x-a": GOOD, "x-b": "forged"}, {"x-a": None, "x-b": GOOD, "x-c": "forged"}])
def test_credential_that_was_not_checked_goes_to_no_origin_though_it_may_be_forwarded(fields: dict[str, Any]) -> None:
    a, b, c = (jwt(f"header:x-{name}", forward_token=True) for name in "abc")
    for stage in (AnyOf(a, b, c), AnyOf(a, AnyOf(b, c)), AnyOf(AllOf(a, a), AllOf(b, b), c)):
        verdict, ctx = ask(stage, fields)
        assert verdict is CONTINUE
        removed = {name for name, value, _ in ctx.plan.header_edits if value is None}
        assert {name for name, value in fields.items() if value == "forged"} <= removed
        assert not {name for name, value in fields.items() if value == GOOD} & removed


def test_fields_of_all_gates_are_reserved() -> None:
    pipeline = Pipeline(AnyOf(A, AllOf(B, C))).bind(SNAPSHOT)
    engine = Engine({"*": Site("", pipeline, "main")}, ["main"])
    request = Request("GET", "/", {"x-a": GOOD, "sub-a": "root", "sub-b": "root", "sub_c": "root"})
    exchange = engine.begin(request, NOW, bytes(16))
    assert exchange is not None and exchange.step_start() == "fetch"
    dropped = {name for name, value, _ in exchange.ctx.plan.header_edits if value is None}
    assert dropped >= {"sub-a", "sub-b", "sub_c"}


def test_nested_gates_decide_as_their_parts() -> None:
    stage = AnyOf(AllOf(A, B), C)
    assert ask(stage, {"x-a": GOOD, "x-b": GOOD})[0] is CONTINUE
    assert ask(stage, {"x-c": GOOD})[0] is CONTINUE
    assert ask(stage, {"x-a": GOOD, "x-c": GOOD})[0].status == 401  # half of what it shows first


def test_claims_of_all_gates_are_there_and_the_first_of_a_name_counts() -> None:
    verdict, ctx = ask(AllOf(A, B), {"x-a": make(sub="ann", a=1), "x-b": make(sub="bob", b=2)})
    assert verdict is CONTINUE
    assert (ctx.claims["sub"], ctx.claims["a"], ctx.claims["b"]) == ("ann", 1, 2)
    assert not ctx.plan.is_storable
    with pytest.raises(TypeError):
        ctx.claims["sub"] = "root"  # type: ignore[index]


def test_all_of_waits_in_turn_for_gates_that_have_to() -> None:
    """Two gates whose keys are asked for, one after the other, and a third that decides at once."""

    async def step() -> None: ...

    slots = {name: KeySlot(KeySet.from_jwks(public_set("old")), renew=lambda: step) for name in ("one", "two")}
    snapshot = SimpleNamespace(keys={**SNAPSHOT.keys, **slots}, revocations=None)
    gate = AllOf(jwt("header:x-1", "one"), jwt("header:x-2", "two"), A).bind(snapshot)
    fields = {"x-1": signed("new"), "x-2": signed("new"), "x-a": GOOD}

    def begun() -> tuple[Any, Context]:
        ctx = Context(now=NOW)
        return gate.decide(Request("GET", "/", fields), ctx), ctx

    first, ctx = begun()
    assert isinstance(first, Wait)
    refused = first.then(None)
    assert isinstance(refused, Response) and refused.status == 401 and ctx.claims == {}
    first, ctx = begun()
    for slot in slots.values():
        assert isinstance(first, Wait)
        slot.swap(KeySet.from_jwks(public_set("new")))
        first = first.then(None)
    assert first is CONTINUE and ctx.claims["sub"] == "ann"


@pytest.mark.parametrize(
    ("make_stage", "problem"),
    [
        (lambda: AnyOf(A), "at least two gates"),
        (lambda: AllOf(), "at least two gates"),
        (lambda: AnyOf(A, JwtAuth), "JwtAuth is no gate"),
        (lambda: AnyOf(A, "JwtAuth"), "str is no gate"),
        (lambda: AnyOf(A, Experiment("e", {"a": 1, "b": 1})).bind(SNAPSHOT), "Experiment is no gate"),
        (lambda: AnyOf(A, jwt("header:x-b", optional=True)).bind(SNAPSHOT), "lets in whoever the others would refuse"),
        (lambda: AllOf(A, jwt("header:x-b", optional=True)).bind(SNAPSHOT), "lets in whoever the others would refuse"),
        (lambda: AllOf(A, A).bind(SNAPSHOT), "two gates forward a claim as 'sub-a'"),
    ],
)
def test_what_cannot_be_combined_is_an_error(make_stage: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        make_stage()
