"""One request's life as data: which site, which step, whose fault."""

from types import SimpleNamespace

import pytest

from fastedge import CONTINUE, Context, Pipeline, Request, Response
from fastedge._core import pipeline as core
from fastedge.engine import Engine, Site

PACKED = Context().client_packed


def site(name, *stages, origin="main"):
    return Site(name, Pipeline(*stages).bind(None), origin)


def engine(*stages, origin="main", origins=("main", "eu")):
    return Engine({"*": site("", *stages, origin=origin)}, origins)


class Adds:
    def on_response(self, request, response, ctx):
        response.headers.add("x-seen", str(response.status))


def test_request_without_stages_is_fetched_from_the_sites_origin():
    exchange = engine(Adds()).begin(Request("GET", "/a?b"), 12.0, PACKED)
    assert exchange.step_start() == "fetch"
    assert (exchange.ctx.plan.origin, exchange.ctx.plan.target, exchange.ctx.now) == ("main", "/a?b", 12.0)
    assert exchange.step_fetched(Response(203)) == "reply"
    assert (exchange.response.status, exchange.response.headers["x-seen"]) == (203, "203")
    assert (exchange.error, exchange.failure) == (None, None)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("shop.example", "shop"), ("shop.example:81", "shop"), ("a.shop.example", "any"), ("a.b.shop.example", "any"),
        ("deep.a.shop.example", "deeper"), ("other.example", None), ("xshop.example", None), ("", None),
    ],
)  # fmt: skip
def test_site_of_a_host(host, name):
    sites = {"shop.example": site("shop"), "*.shop.example": site("any"), "*.a.shop.example": site("deeper")}
    exchange = Engine(sites, ["main"]).begin(Request(host=host), 0.0, PACKED)
    assert (exchange and exchange.site.name) == name
    everywhere = Engine({**sites, "*": site("rest")}, ["main"]).begin(Request(host=host), 0.0, PACKED)
    assert everywhere.site.name == (name or "rest")


@pytest.mark.parametrize("origin", [None, "nowhere"])
def test_origin_that_is_not_there_is_a_500_and_said_in_the_log(origin):
    exchange = engine(Adds(), origin=origin).begin(Request(), 0.0, PACKED)
    assert exchange.step_start() == "reply"
    assert (exchange.response.status, exchange.error) == (500, "stage_error")
    assert "eu, main" in str(exchange.failure)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_failure_of_an_origin_says_so_in_proxy_status(status):
    exchange = engine(Adds()).begin(Request(), 0.0, PACKED)
    exchange.step_start()
    assert exchange.step_failed(status, "connection_timeout") == "reply"
    assert exchange.response.status == status
    assert exchange.response.headers["proxy-status"] == "fastedge; error=connection_timeout"
    assert (exchange.response.headers["x-seen"], exchange.error) == (str(status), "connection_timeout")


@pytest.mark.parametrize(
    ("loop", "is_loop"),
    [("fastedge", True), ("a, fastedge", True), ("a,fastedge ;v=1", True), ("fastedge2", False), ("my-fastedge", False), ("", False)],
)  # fmt: skip
def test_loop_is_seen(loop, is_loop):
    exchange = engine(Adds()).begin(Request(headers={"CDN-Loop": loop}), 0.0, PACKED)
    assert exchange.step_start() == ("reply" if is_loop else "fetch")
    if is_loop:
        assert (exchange.response.status, exchange.error) == (502, "proxy_loop_detected")


def test_loop_over_several_lines_is_seen():
    exchange = engine().begin(Request(headers=[("CDN-Loop", "a"), ("CDN-Loop", "b, fastedge")]), 0.0, PACKED)
    assert exchange.step_start() == "reply"


def test_origin_response_hook_that_fails_makes_it_a_500():
    class Breaks:
        def on_origin_response(self, request, response, ctx):
            response.headers.set("x", "y")
            raise KeyError("secret")

    exchange = engine(Breaks(), Adds()).begin(Request(), 0.0, PACKED)
    exchange.step_start()
    assert exchange.step_fetched(Response(200, {"x-origin": "1"}, b"body")) == "reply"
    assert exchange.response.status == 500 and "x-origin" not in exchange.response.headers
    assert b"secret" not in exchange.response.body
    assert (exchange.failure.stage, exchange.failure.hook) == ("Breaks", "on_origin_response")


def test_observer_hears_of_each_hook_that_applies():
    heard = []
    exchange = engine(Adds()).begin(Request(), 0.0, PACKED)
    exchange.observe(lambda hook, verdict: heard.append((hook.stage, hook.name, verdict)))
    exchange.step_start()
    exchange.step_fetched(Response())
    assert heard == [("Adds", "on_response", None)]


# --- waiting ---------------------------------------------------------------------------------------------------------


def waiting(then, on_error="fail_closed"):
    """A stage that waits, and looks as if it came with fastedge: others must not."""

    def on_request(self, request, ctx):
        return core.Wait("ask", then)

    made = type("Waits", (), {"on_request": on_request, "on_error": on_error, "__module__": "fastedge.stages.waits"})
    return made()


def test_wait_suspends_and_its_answer_resumes_behind_it():
    asked = []
    exchange = engine(waiting(lambda answer: asked.append(answer) or CONTINUE), Adds()).begin(Request(), 0.0, PACKED)
    assert (exchange.step_start(), exchange.wait.step, asked) == ("wait", "ask", [])
    assert (exchange.step_resume(42), asked) == ("fetch", [42])


def test_wait_may_end_in_a_response():
    answer = Response(401)
    exchange = engine(waiting(lambda _: answer), Adds()).begin(Request(), 0.0, PACKED)
    exchange.step_start()
    assert (exchange.step_resume(None), exchange.response.status) == ("reply", 401)
    assert (exchange.response.headers["x-seen"], answer.headers.items()) == ("401", [])


@pytest.mark.parametrize("result", [None, True, "x", SimpleNamespace()], ids=repr)
def test_wait_that_ends_in_no_verdict_lets_nobody_in(result):
    exchange = engine(waiting(lambda _: result), Adds()).begin(Request(), 0.0, PACKED)
    exchange.step_start()
    assert (exchange.step_resume(1), exchange.response.status) == ("reply", 500)
    assert (exchange.failure.stage, exchange.failure.hook) == ("Waits", "on_request")


def test_wait_of_a_stage_that_fails_open_goes_on_without_it():
    exchange = engine(waiting(lambda answer: 1 / answer, "fail_open"), Adds()).begin(Request(), 0.0, PACKED)
    exchange.step_start()
    assert exchange.step_resume(0) == "fetch"
    assert exchange.ctx.notes == {"Waits": "failed open: ZeroDivisionError"}


def test_policy_cannot_wait():
    class Waits:
        def on_request(self, request, ctx):
            return core.Wait("ask", lambda answer: CONTINUE)

    exchange = engine(Waits()).begin(Request(), 0.0, PACKED)
    assert (exchange.step_start(), exchange.response.status) == ("reply", 500)
