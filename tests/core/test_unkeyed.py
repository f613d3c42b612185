"""Unkeyed input: who is named for letting a request's field decide what is stored, and who is not."""

import pytest

from fastedge import CONTINUE, Context, Match, Pipeline, Request, Response, When
from fastedge._core.unkeyed import outside_key
from fastedge.engine import Engine, Site
from fastedge.geo import compile_table, load
from fastedge.stages import CacheRules, Experiment

GEO = load(compile_table([(1 << 24, "DE")], [], built=1, source="test"))
REQUEST = Request("GET", "/a?q=1", {"host": "shop.example", "x-user": "ann", "cookie": "uid=ann"})


def stage(on_request=None, on_origin_request=None, on_origin_response=None, on_response=None, **attributes):
    """A custom stage of these functions; a request hook's is asked to say CONTINUE."""

    def passing(hook):
        def run(self, request, ctx):
            hook(request, ctx)
            return CONTINUE

        return run

    hooks = {"on_request": on_request, "on_origin_request": on_origin_request}
    body = {name: passing(hook) for name, hook in hooks.items() if hook is not None}
    if on_origin_response is not None:
        body["on_origin_response"] = lambda self, request, response, ctx: on_origin_response(request, response, ctx)
    if on_response is not None:
        body["on_response"] = lambda self, request, response, ctx: on_response(request, response, ctx)
    return type("Custom", (), body | attributes)()


def reported(*stages, vary=None, request=REQUEST):
    pipeline = Pipeline(*stages).bind(type("Snapshot", (), {"geo": GEO}))
    exchange = Engine({"*": Site("", pipeline, "main")}, ["main"], geo=GEO).begin(request, 0.0, Context().client_packed)
    assert exchange.step_start() == "fetch"
    exchange.step_fetched(Response(200, {"x": "1"}, b"body"))
    found = outside_key(exchange.ctx, vary)
    assert {name for name, _ in found} <= {"Custom", "CacheRules"}
    return [what for _, what in found]


def short_lived(request, ctx):
    ctx.plan.ttl_s = 1


def reads_user(request, ctx):
    return request.headers.get("x-user")


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (lambda request, ctx: request.headers["X-User"], ["x-user"]),
        (lambda request, ctx: request.headers.get("x-none"), ["x-none"]),
        (lambda request, ctx: request.headers.get_all("x-user"), ["x-user"]),
        (lambda request, ctx: "x-user" in request.headers, ["x-user"]),
        (lambda request, ctx: request.headers.items(), ["every field"]),
        (lambda request, ctx: list(request.headers), ["every field"]),
        (lambda request, ctx: request.headers.copy(), ["every field"]),
        (lambda request, ctx: request.cookie("uid"), ["cookie:uid"]),
        (lambda request, ctx: ctx.client, ["client address"]),
        (lambda request, ctx: ctx.client_packed, ["client address"]),
        (lambda request, ctx: ctx.geo.country, ["geo"]),
        (lambda request, ctx: ctx.claims, ["claims"]),
        (lambda request, ctx: (request.target, request.path, request.query_value("q"), request.host), []),
        (lambda request, ctx: request.headers["host"], []),
        (lambda request, ctx: (ctx.now, ctx.vars, ctx.notes, request.method), []),
        (lambda request, ctx: [request.headers.get(f"x-{i}") for i in range(99)], [*(f"x-{i}" for i in range(31)), "every field"]),
    ],
)  # fmt: skip
def test_what_is_read_before_an_edit_is_named(read, what):
    def decides(request, ctx):
        read(request, ctx)
        ctx.plan.ttl_s = 1

    assert reported(stage(decides)) == what


@pytest.mark.parametrize(
    ("edit", "counts"),
    [
        (lambda plan: setattr(plan, "ttl_s", 1), True),
        (lambda plan: setattr(plan, "default_ttl_s", 1), True),
        (lambda plan: setattr(plan, "stale_while_revalidate_s", 1), True),
        (lambda plan: setattr(plan, "stale_if_error_s", 1), True),
        (lambda plan: plan.add_tag("a"), True),
        (lambda plan: plan.set_header("x-trace", "a", keyed=False), True),
        (lambda plan: plan.add_header("x-trace", "a", keyed=False), True),
        (lambda plan: plan.set_header("x-a", "a"), False),
        (lambda plan: plan.add_header("x-a", "a"), False),
        (lambda plan: plan.remove_header("x-a"), False),
        (lambda plan: plan.add_key("a", "b"), False),
        (lambda plan: setattr(plan, "origin", "main"), False),
        (lambda plan: setattr(plan, "target", "/b"), False),
        (lambda plan: setattr(plan, "cache", "bypass"), False),
        (lambda plan: plan.make_unstorable("private"), False),
    ],
)
def test_edits_of_the_plan_outside_the_key_count(edit, counts):
    def decides(request, ctx):
        reads_user(request, ctx)
        edit(ctx.plan)

    assert reported(stage(decides)) == (["x-user"] if counts else [])


@pytest.mark.parametrize(
    "edit",
    [
        lambda response: response.headers.set("x", "2"),
        lambda response: response.headers.add("x", "2"),
        lambda response: response.headers.remove("x"),
        lambda response: setattr(response, "status", 201),
        lambda response: setattr(response, "body", b"other"),
    ],
)
def test_edits_of_what_is_stored_count_and_of_one_reply_do_not(edit):
    def edits(request, response, ctx):
        reads_user(request, ctx)
        edit(response)

    assert reported(stage(on_origin_response=edits)) == ["x-user"]
    assert reported(stage(on_response=edits)) == []


def test_response_that_is_only_looked_at_does_not_count():
    assert (
        reported(
            stage(on_origin_response=lambda request, response, ctx: (reads_user(request, ctx), response.headers["x"]))
        )
        == []
    )


def test_what_one_hook_read_counts_for_the_stages_next():
    remembers = stage(reads_user, on_origin_response=lambda request, response, ctx: response.headers.set("x", "2"))
    assert reported(remembers) == ["x-user"]
    assert reported(
        stage(reads_user, on_origin_request=lambda request, ctx: ctx.plan.set_header("a", "b", keyed=False))
    ) == ["x-user"]


def test_what_is_read_after_the_edit_or_by_another_stage_does_not_count():
    assert reported(stage(short_lived, on_origin_request=reads_user)) == []
    assert reported(stage(reads_user), stage(short_lived)) == []


def test_hook_that_fails_open_has_edited_nothing():
    def fails(request, ctx):
        reads_user(request, ctx)
        ctx.plan.ttl_s = 1
        raise ValueError

    assert reported(stage(fails, on_error="fail_open")) == []


def decides_by_user(request, ctx):
    reads_user(request, ctx)
    request.cookie("uid")
    ctx.plan.ttl_s = 1


@pytest.mark.parametrize(
    ("others", "vary", "left"),
    [
        ([], None, ["x-user", "cookie:uid"]),
        ([], b"Accept, X-User", ["cookie:uid"]),
        ([], b"cookie", ["x-user"]),
        ([CacheRules(key=["header:x-user"])], None, ["cookie:uid"]),
        ([CacheRules(key=["cookie:uid", "header:x-user"])], None, []),
        ([CacheRules(key=["header:cookie"])], b"x-user", []),
        ([CacheRules(key=["cookie:other"])], None, ["x-user", "cookie:uid"]),
        ([CacheRules(strip_cookies=True)], b"x-user, cookie", ["cookie:uid"]),
        ([stage(lambda request, ctx: ctx.plan.set_header("x-user", "ann"))], None, ["cookie:uid"]),
        (
            [stage(lambda request, ctx: ctx.plan.set_header("x-user", "ann", keyed=False))],
            None,
            ["x-user", "cookie:uid"],
        ),
        ([stage(lambda request, ctx: ctx.plan.remove_header("x-user"))], b"x-user", ["x-user", "cookie:uid"]),
    ],
)
def test_what_is_in_the_key_or_in_vary_is_told_apart(others, vary, left):
    assert reported(*others, stage(decides_by_user), vary=vary) == left


@pytest.mark.parametrize(
    ("others", "read", "left"),
    [
        ([CacheRules(key=["country"])], lambda ctx: ctx.geo, []),
        ([CacheRules(key=["claim:plan"])], lambda ctx: ctx.claims, []),
        ([Experiment("exp", {"a": 1})], lambda ctx: ctx.variants, []),
        ([Experiment("exp", {"a": 1}, header=None)], lambda ctx: ctx.variants, []),
        ([Experiment("exp", {"a": 1}, keyed=False)], lambda ctx: ctx.variants, ["variants"]),
        ([stage(lambda request, ctx: ctx.variants.update(own="b"))], lambda ctx: ctx.variants, ["variants"]),
        ([stage(lambda request, ctx: ctx.plan.add_key("client address", ctx.client))], lambda ctx: ctx.client, []),
    ],
)
def test_facts_in_the_key_are_told_apart(others, read, left):
    def decides(request, ctx):
        read(ctx)
        ctx.plan.ttl_s = 1

    assert reported(*others, stage(decides)) == left


def test_condition_on_a_field_is_a_read_of_the_stages_behind_it():
    by_user = Match(path="/a") & ~(Match(field={"x-user": "bob"}) | Match(cookie={"uid": "bob"}))
    assert reported(When(by_user, stage(short_lived))) == ["x-user", "cookie:uid"]
    assert reported(When(by_user, CacheRules(default_ttl_s=1))) == ["x-user", "cookie:uid"]
    assert reported(When(by_user, CacheRules(bypass=["cookie:x"]))) == []
    assert reported(When(Match(path="/a", query={"q": "1"}), CacheRules(default_ttl_s=1))) == []


def test_reads_of_one_request_are_not_anothers():
    """One request object, as tests make them, in two exchanges."""
    assert reported(stage(decides_by_user)) == ["x-user", "cookie:uid"]
    assert REQUEST.headers["x-user"] == "ann"
    assert reported(stage(short_lived)) == []
