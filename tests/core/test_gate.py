"""Invariant: no answer of `examine` lets anyone in but an Admission, and what it admits by stands on no client's word."""

from types import MappingProxyType
from typing import Any

import pytest

from fastedge import CONTINUE, Context, Pipeline, Request, Response
from fastedge._core.combinedgates import AnyGate
from fastedge._core.gate import Admission, Refusal
from fastedge._core.pipeline import Wait
from fastedge.engine import Engine, Exchange, Site


def exchange_of(*stages: Any, headers: Any = ()) -> Exchange:
    engine = Engine({"*": Site("", Pipeline(*stages).bind(None), "main")}, ["main"])
    exchange = engine.begin(Request("GET", "/", headers), 0.0, bytes(16))
    assert exchange is not None
    return exchange


class Waits:
    """One of our own stages, that waits as often as it is told."""

    __module__ = "fastedge.stages.waits"

    def __init__(self, *answers: Any) -> None:
        self.answers = answers

    def on_request(self, request: Request, ctx: Context) -> Any:
        return self.next(0)

    def next(self, i: int) -> Any:
        if i < len(self.answers):
            return Wait(self.answers[i], lambda answer: self.next(i + 1))
        return CONTINUE


class Last:
    def on_request(self, request: Request, ctx: Context) -> Any:
        return Response.text("the end")


def test_a_wait_may_end_in_another_wait() -> None:
    exchange = exchange_of(Waits("one", "two"), Last())
    assert exchange.step_start() == "wait"
    assert exchange.wait.step == "one"
    assert exchange.step_resume(None) == "wait"
    assert exchange.wait.step == "two"
    assert exchange.step_resume(None) == "reply"
    assert exchange.response.body == b"the end"


def test_a_wait_that_ends_in_no_verdict_is_an_error() -> None:
    class Odd(Waits):
        __module__ = Waits.__module__

        def next(self, i: int) -> Any:
            return Wait("step", lambda answer: None)

    exchange = exchange_of(Odd())
    exchange.step_start()
    assert exchange.step_resume(None) == "reply"
    assert exchange.response.status == 500


def test_gate_that_cannot_examine_lets_nobody_in() -> None:
    gate = AnyGate("AnyOf", [])
    verdict = gate.decide(Request(), Context())
    assert isinstance(verdict, Response) and verdict.status == 403


@pytest.mark.parametrize(("status", "body"), [(400, b"Bad Request\n"), (401, b"Unauthorized\n"), (403, b"Forbidden\n")])
def test_refusal_is_the_same_for_everyone(status: int, body: bytes) -> None:
    refusal = Refusal("Gate", "reason", status, ["One", "Two"])
    assert (refusal.stage, refusal.reason, refusal.status, refusal.challenges) == (
        "Gate",
        "reason",
        status,
        ("One", "Two"),
    )


def test_admission_keeps_what_it_was_made_of() -> None:
    claims = MappingProxyType({"sub": "ann"})
    admission = Admission(claims, [("X-User", "ann", True)], private=True)
    assert admission.claims is claims and admission.private and admission.revocable is None
    with pytest.raises(ValueError):
        Admission(claims, [("x-user", "a\r\nb", True)])
