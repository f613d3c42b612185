"""Origins in a row: which one is asked, under which key, and what is stored of whom while one of them is down."""

from typing import Any

import pytest

from fastedge import CONTINUE, Context, Pipeline, Request, StageError
from fastedge._core.message import Plan, Response
from fastedge._core.store import MemoryStore
from fastedge.engine import Engine, Exchange, Site
from fastedge.handover import private_purges
from fastedge.origin.pool import Pool, Server

NOW = 1_800_000_000.0
CLIENT = bytes(10) + b"\xff\xff\xc0\0\2\1"
NAMES = ["eu", "us", "asia"]


class Line:
    """eu, else us, else asia."""

    def on_request(self, request: Request, ctx: Context) -> Any:
        ctx.plan.origin = "eu"
        ctx.plan.fallbacks = ["us", "asia"]
        return CONTINUE


def pool(name: str) -> Pool:
    return Pool(
        name, [Server(f"http://{name}")], connections_max=1, queue_max=1, breaker_failures=1, breaker_open_ms=1000
    )


class Bench:
    """An engine with its pools and a store; `down` opens the breakers of an origin."""

    def __init__(self, *stages: Any, stores: bool = True) -> None:
        self.pools = {name: pool(name) for name in NAMES}
        self.engine = Engine({"*": Site("", Pipeline(*(stages or (Line(),))).bind(None), "main")}, [*NAMES, "main"])
        self.store = MemoryStore(1 << 20, bytes(16)) if stores else None
        self.purges = private_purges() if stores else None

    def down(self, *names: str) -> None:
        for name in names:
            for server in self.pools[name].servers:
                self.pools[name].note_failed(server, int(NOW * 1e6))

    def up(self, name: str) -> None:
        for server in self.pools[name].servers:
            self.pools[name].note_succeeded(server)

    def begin(self, method: str = "GET", **fields: str) -> Exchange:
        request = Request(method, headers=fields)
        exchange = self.engine.begin(request, NOW, CLIENT, self.store, self.purges, self.pools)
        assert exchange is not None
        return exchange


def origin(exchange: Exchange) -> tuple[str | None, tuple[str, ...]]:
    return exchange.ctx.plan.origin, tuple(exchange.ctx.plan.fallbacks)


def test_first_that_is_up_is_asked() -> None:
    bench = Bench(stores=False)
    asked = []
    for down in ([], ["eu"], ["us"], ["asia"]):
        bench.down(*down)
        exchange = bench.begin()
        assert exchange.step_start() == "fetch"
        asked.append(origin(exchange))
    assert asked == [("eu", ("us", "asia")), ("us", ("asia",)), ("asia", ()), ("eu", ("us", "asia"))]


def test_change_of_origin_is_noted() -> None:
    bench = Bench(stores=False)
    bench.down("eu")
    exchange = bench.begin()
    exchange.step_start()
    assert exchange.ctx.notes == {"origin": "eu is down: us is asked"}


def test_origin_whose_breaker_has_waited_gets_a_trial() -> None:
    bench = Bench(stores=False)
    bench.pools["eu"].note_failed(bench.pools["eu"].servers[0], int(NOW * 1e6) - 1_000_001)
    exchange = bench.begin()
    exchange.step_start()
    assert origin(exchange)[0] == "eu"


def test_request_with_a_body_goes_to_the_first_that_is_up_but_is_not_asked_twice() -> None:
    bench = Bench()
    bench.down("eu")
    exchange = bench.begin("POST", **{"content-length": "5"})
    assert exchange.step_start() == "fetch"
    assert origin(exchange)[0] == "us"
    assert exchange.step_failed(502, "connection_refused") == "reply"
    assert exchange.response.status == 502


@pytest.mark.parametrize("error", ["connection_refused", "connection_timeout", "dns_error", "destination_unavailable"])
def test_question_that_never_reached_an_origin_is_put_to_the_next(error: str) -> None:
    bench = Bench(stores=False)
    exchange = bench.begin()
    assert exchange.step_start() == "fetch"
    assert exchange.step_failed(502, error) == "fetch"
    assert origin(exchange) == ("us", ("asia",))
    assert exchange.step_fetched(Response(200)) == "reply"
    assert exchange.error is None


def test_last_of_the_line_fails_as_any_origin_does() -> None:
    bench = Bench(stores=False)
    exchange = bench.begin()
    steps = [exchange.step_start(), *(exchange.step_failed(502, "connection_refused") for _ in range(3))]
    assert steps == ["fetch", "fetch", "fetch", "reply"]
    assert (exchange.response.status, exchange.error) == (502, "connection_refused")


def test_question_that_may_have_been_answered_is_not_put_to_another() -> None:
    exchange = Bench(stores=False).begin()
    exchange.step_start()
    assert exchange.step_failed(502, "connection_terminated") == "reply"


def test_failed_fetch_looks_for_what_is_stored_of_the_next() -> None:
    bench = Bench()
    exchange = bench.begin()
    assert exchange.step_start() == "share"
    before = exchange.key
    assert exchange.step_failed(502, "connection_refused") == "share"
    assert origin(exchange)[0] == "us"
    assert exchange.key != before


def test_fallbacks_are_names_and_part_of_what_a_failing_stage_takes_back() -> None:
    plan = Plan(origin="eu")
    for wrong in ("us", [5], [None]):
        with pytest.raises(StageError, match="names of origins"):
            plan.fallbacks = wrong

    class Fails:
        on_error = "fail_open"

        def on_request(self, request: Request, ctx: Context) -> Any:
            ctx.plan.fallbacks = ["asia"]
            raise RuntimeError

    exchange = Bench(Line(), Fails(), stores=False).begin()
    exchange.step_start()
    assert origin(exchange) == ("eu", ("us", "asia"))


def test_fallback_that_is_no_origin_is_the_policys_error() -> None:
    class Wrong:
        def on_request(self, request: Request, ctx: Context) -> Any:
            ctx.plan.origin = "eu"
            ctx.plan.fallbacks = ["nowhere"]
            return CONTINUE

    exchange = Bench(Wrong()).begin()
    assert exchange.step_start() == "reply"
    assert exchange.response.status == 500
    assert "there is no origin 'nowhere'" in str(exchange.failure)
