"""The pipeline: what it is built from, what a hook may return, and what becomes of one that fails."""

import pytest

from fastedge import CONTINUE, ConfigError, Context, Match, Pipeline, Request, Response, When
from fastedge.engine import Engine, Site
from fastedge.limits import conditions_max, stages_max


class Mark:
    """Leaves its name with the request on the way in and with the response on the way out."""

    def __init__(self, name):
        self.name = name

    def on_request(self, request, ctx):
        ctx.vars.setdefault("in", []).append(self.name)
        return CONTINUE

    def on_response(self, request, response, ctx):
        response.headers.add("x-out", self.name)


class Says:
    def __init__(self, verdict):
        self.verdict = verdict

    def on_request(self, request, ctx):
        if isinstance(self.verdict, BaseException):
            raise self.verdict
        return self.verdict


def play(*stages, request=None, fetched=None):
    """An exchange played to its end; `fetched` is what the origin answers."""
    engine = Engine({"*": Site("", Pipeline(*stages).bind(None), "main")}, ["main"])
    exchange = engine.begin(request or Request(), 0.0, Context().client_packed)
    if exchange.step_start() == "fetch":
        assert exchange.step_fetched(fetched or Response(200)) == "reply"
    return exchange


def test_hooks_run_in_order_and_backwards():
    exchange = play(Mark("a"), Mark("b"), Mark("c"))
    assert exchange.ctx.vars["in"] == ["a", "b", "c"]
    assert exchange.response.headers.get_all("x-out") == ["c", "b", "a"]


def test_first_response_ends_the_request_hooks_but_every_response_hook_runs():
    exchange = play(Mark("a"), Says(Response(403)), Mark("b"))
    assert exchange.ctx.vars["in"] == ["a"]
    assert (exchange.response.status, exchange.response.headers.get_all("x-out")) == (403, ["b", "a"])


@pytest.mark.parametrize(
    "verdict", [None, True, False, 0, "CONTINUE", 200, (), Response, KeyError("x"), SystemExit(0)], ids=repr
)
def test_anything_but_a_verdict_lets_nobody_in(verdict):
    exchange = play(Mark("a"), Says(verdict), Mark("b"))
    assert exchange.response.status == 500
    assert (exchange.failure.stage, exchange.failure.hook, exchange.error) == ("Says", "on_request", "stage_error")
    assert exchange.ctx.vars["in"] == ["a"]
    assert exchange.response.headers.get_all("x-out") == ["b", "a"]
    assert b"Says" not in exchange.response.body


def test_verdict_is_no_truth_value():
    with pytest.raises(TypeError):
        bool(CONTINUE)


def test_failing_open_discards_the_hooks_edits():
    class Fails:
        on_error = "fail_open"

        def on_request(self, request, ctx):
            ctx.plan.origin, ctx.plan.target, ctx.plan.cache, ctx.plan.ttl_s = "other", "/b", "bypass", 5
            ctx.plan.set_header("x", "y")
            ctx.plan.add_key("a", "b")
            raise ValueError("secret")

        def on_response(self, request, response, ctx):
            response.status, response.body = 404, b"gone"
            response.headers.set("x-out", "Fails")
            response.headers.set("x-more", "1")
            raise ValueError("secret")

    exchange = play(Mark("a"), Fails(), Mark("b"), fetched=Response(200, {"x-own": "1"}, b"body"))
    plan, response = exchange.ctx.plan, exchange.response
    assert (plan.origin, plan.target, plan.cache, plan.ttl_s) == ("main", "/", "default", None)
    assert (plan.header_edits, plan.key_additions) == ([], [])
    assert (response.status, response.body, response.headers.items()) == (
        200, b"body", [("x-own", "1"), ("x-out", "b"), ("x-out", "a")]
    )  # fmt: skip
    assert exchange.failure is None
    assert exchange.ctx.notes == {"Fails": "failed open: ValueError"}


@pytest.mark.parametrize("answer", [CONTINUE, Response(200), 0, False], ids=repr)
def test_response_hook_that_returns_something_makes_it_a_500(answer):
    class Returns:
        def on_response(self, request, response, ctx):
            response.headers.set("x-secret", "1")
            return answer

    exchange = play(Mark("a"), Returns(), Mark("b"))
    assert (exchange.response.status, exchange.response.headers.get_all("x-out")) == (500, ["a"])
    assert "x-secret" not in exchange.response.headers
    assert exchange.failure.stage == "Returns"


def test_response_that_is_one_object_for_all_stays_as_it_was():
    forbidden = Response(403)
    for _ in range(2):
        assert play(Mark("a"), Says(forbidden)).response.headers.get_all("x-out") == ["a"]
    assert forbidden.headers.items() == []


def test_when_scopes_every_hook_of_its_stages():
    stages = (When("/a/*", Mark("a"), When(Match(method="PUT"), Mark("put"))), Mark("all"))
    assert play(*stages, request=Request("PUT", "/a/b")).ctx.vars["in"] == ["a", "put", "all"]
    assert play(*stages, request=Request("GET", "/a/b")).ctx.vars["in"] == ["a", "all"]
    assert play(*stages, request=Request("PUT", "/b")).response.headers.get_all("x-out") == ["all"]


def test_condition_is_looked_at_once_for_all_its_stages():
    pipeline = Pipeline(*[When(Match(path=f"/{i}"), Mark(str(i)), Mark("again")) for i in range(conditions_max)])
    pipeline.bind(None)
    with pytest.raises(ConfigError, match="conditions"):
        Pipeline(*pipeline.stages, When("/more", Mark("x"))).bind(None)


class Misspelt:
    def on_requests(self, request, ctx):
        return CONTINUE


class Waits:
    async def on_request(self, request, ctx):
        return CONTINUE


class Yields:
    def on_request(self, request, ctx):
        yield CONTINUE


class TakesLess:
    def on_request(self, request):
        return CONTINUE


class TakesMore:
    def on_response(self, request, response, ctx, more):
        pass


class Uncertain:
    on_error = "open"

    def on_request(self, request, ctx):
        return CONTINUE


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (object(), "is no stage"),
        (None, "is no stage"),
        (Mark, "is a class"),
        (Misspelt(), "did you mean on_request"),
        (Waits(), "must be a plain function"),
        (Yields(), "must be a plain function"),
        (TakesLess(), "takes 2 arguments"),
        (TakesMore(), "takes 3 arguments"),
        (Uncertain(), "on_error"),
    ],
    ids=lambda value: getattr(type(value), "__name__", ""),
)
def test_what_is_no_stage_is_refused_when_the_pipeline_is_built(stage, words):
    with pytest.raises(ConfigError, match=words):
        Pipeline(stage)
    with pytest.raises(ConfigError, match=words):
        Pipeline(When("/", stage))


def test_when_is_checked():
    for build in (lambda: When("/a"), lambda: When(None, Mark("a")), lambda: When("a", Mark("a"))):
        with pytest.raises(ConfigError):
            build()
    with pytest.raises(ConfigError, match="at most"):
        Pipeline(*[Mark("a")] * (stages_max + 1))


def test_bind_resolves_names_and_what_it_gives_runs():
    class Named:
        def bind(self, snapshot):
            if "shop" not in snapshot:
                raise ConfigError("no such key")
            return Mark(snapshot["shop"])

    pipeline = Pipeline(Named())
    with pytest.raises(ConfigError):
        pipeline.bind({})
    assert [hook.name for hook in pipeline.bind({"shop": "x"}).hooks()] == ["on_request", "on_response"]
