"""Request, Plan, Context, Response: what may be read, what may be edited, and when it is too late."""

import pytest

from fastedge import Context, Pipeline, Plan, Request, Response, StageError
from fastedge.engine import Engine, Site

OURS = (
    "host content-length transfer-encoding connection keep-alive proxy-connection te trailer upgrade expect via cdn-loop "
    "forwarded x-forwarded-for x-forwarded-host x-forwarded-proto"
)


def test_request_says_what_was_asked():
    request = Request("GET", "/a/b?c=d&e", {"X": "y"}, host="Shop.example:8080", scheme="https")
    assert (request.method, request.target, request.path, request.query) == ("GET", "/a/b?c=d&e", "/a/b", "c=d&e")
    assert (request.host, request.scheme, request.http_version) == ("shop.example", "https", "1.1")
    assert request.url == "https://shop.example:8080/a/b?c=d&e"
    assert Request("OPTIONS", "*", host="[::1]:80").host == "[::1]"


def test_request_cannot_be_changed():
    request = Request()
    for name in ("method", "target", "host", "headers"):
        with pytest.raises(AttributeError):
            setattr(request, name, "x")


def test_first_cookie_and_first_query_value_count():
    request = Request("GET", "/?a=1&a=2&b&c%20d=%C3%A9+f", [("cookie", "x=1; y=2"), ("cookie", "x=3; z=4; =5")])
    assert [request.cookie(name) for name in ("x", "y", "z", "q")] == ["1", "2", "4", None]
    assert [request.query_value(name) for name in ("a", "b", "c d", "q")] == ["1", "", "é f", None]


# --- Plan ------------------------------------------------------------------------------------------------------------


def test_plan_remembers_its_edits():
    plan = Plan(origin="main", target="/a")
    plan.set_header("X-A", " 1 ")
    plan.add_header("x-b", "2", keyed=False)
    plan.remove_header("Cookie")
    plan.add_key("device", "phone")
    assert plan.header_edits == [("x-a", "1", True), ("x-b", "2", False), ("cookie", None, True)]
    assert plan.key_additions == [("device", "phone")]


@pytest.mark.parametrize("name", OURS.split())
def test_fields_of_the_edges_own_are_no_stages(name):
    for edit in (
        lambda plan: plan.set_header(name, "x"),
        lambda plan: plan.add_header(name.title(), "x"),
        lambda plan: plan.remove_header(name),
    ):
        with pytest.raises(StageError, match="written by the edge itself"):
            edit(Plan())


@pytest.mark.parametrize(
    "target", ["", "a", "http://a/", "/a b", "/a\r\nX: y", "/é", "/a#b", "/\x7f", "/\0", None, 1, "*"]
)
def test_target_that_is_no_origin_form_is_refused(target):
    plan = Plan(target="/was")
    with pytest.raises(StageError):
        plan.target = target
    assert plan.target == "/was"


@pytest.mark.parametrize(("name", "value"), [("a b", "x"), ("x", "a\r\nb"), ("x", "ł"), ("x", "\0")])
def test_header_that_could_smuggle_is_refused(name, value):
    for edit in (Plan.set_header, Plan.add_header):
        plan = Plan()
        with pytest.raises(ValueError):
            edit(plan, name, value)
        assert plan.header_edits == []


def test_other_options_are_checked():
    plan = Plan()
    for name, value in (
        ("cache", "x"),
        ("cache", None),
        ("ttl_s", -1),
        ("ttl_s", float("nan")),
        ("origin", None),
        ("origin", 1),
    ):
        with pytest.raises(StageError):
            setattr(plan, name, value)
    plan.cache, plan.ttl_s, plan.origin = "bypass", 60, "eu"
    assert (plan.cache, plan.ttl_s, plan.origin) == ("bypass", 60.0, "eu")
    plan.ttl_s = None
    assert plan.ttl_s is None


def test_first_reason_to_keep_an_answer_private_counts():
    plan = Plan()
    assert plan.is_storable
    plan.make_unstorable("private")
    plan.make_unstorable("later")
    assert (plan.is_storable, plan.unstorable_reason) == (False, "private")


def test_no_reason_is_an_error_and_not_a_yes():
    with pytest.raises(TypeError):
        Plan().make_unstorable(None)


def test_plan_is_closed_once_its_key_is_fixed():
    tried = []

    class Late:
        def on_origin_request(self, request, ctx):
            plan = ctx.plan
            for edit in (
                lambda: setattr(plan, "origin", "main"),
                lambda: setattr(plan, "target", "/b"),
                lambda: setattr(plan, "cache", "bypass"),
                lambda: setattr(plan, "ttl_s", 1),
                lambda: plan.add_key("a", "b"),
                lambda: plan.set_header("x", "y"),
                lambda: plan.remove_header("x"),
            ):
                with pytest.raises(StageError, match="the cache key is fixed"):
                    edit()
                tried.append(edit)
            plan.set_header("x", "y", keyed=False)
            plan.make_unstorable("late")
            return Response(204)

    engine = Engine({"*": Site("", Pipeline(Late()).bind(None), "main")}, ["main"])
    exchange = engine.begin(Request(), 0.0, Context().client_packed)
    assert exchange.step_start() == "reply"
    assert (exchange.response.status, len(tried)) == (204, 7)
    assert exchange.ctx.plan.header_edits == [("x", "y", False)]


# --- Context ---------------------------------------------------------------------------------------------------------


def test_context_says_who_asks_and_when():
    ctx = Context(now=12.5, client="2001:db8::1")
    assert (ctx.now, ctx.client, len(ctx.client_packed)) == (12.5, "2001:db8::1", 16)
    assert Context(client="192.0.2.1").client_packed == bytes(10) + b"\xff\xff\xc0\x00\x02\x01"
    assert (ctx.claims, ctx.variants, ctx.vars, ctx.notes) == ({}, {}, {}, {})


def test_claims_are_written_once_and_cannot_be_edited():
    ctx = Context()
    ctx.claims = {"sub": "ann"}
    with pytest.raises(StageError):
        ctx.claims = {"sub": "bob"}
    with pytest.raises(TypeError):
        ctx.claims["sub"] = "bob"


def test_geo_without_a_table_is_the_stages_error():
    with pytest.raises(StageError, match="no geo table"):
        _ = Context().geo


# --- Response --------------------------------------------------------------------------------------------------------


def test_responses_in_short():
    assert Response.text("é").body == "é".encode()
    assert Response.text("a", 404).headers.items() == [("content-type", "text/plain; charset=utf-8")]
    assert (Response.json({"a": 1}).body, Response.redirect("/b", 308).headers["location"]) == (b'{"a":1}', "/b")
    assert (Response(body="x").body, Response(body=bytearray(b"x")).body, Response().streams) == (b"x", b"x", False)


@pytest.mark.parametrize("status", [-1, 0, 99, 100, 101, 199, 600, 999, 1 << 31])
def test_status_that_no_answer_has_is_refused(status):
    with pytest.raises((ValueError, OverflowError)):
        Response(status)


@pytest.mark.parametrize("body", [None, 1, ["a"], {"a": 1}])
def test_body_that_is_no_text_is_refused(body):
    with pytest.raises(TypeError):
        Response(body=body)


@pytest.mark.parametrize("location", ["/a\r\nSet-Cookie: b", "/\0", "/ł"])
def test_location_cannot_smuggle(location):
    with pytest.raises(ValueError):
        Response.redirect(location)
    with pytest.raises(ValueError):
        Response.redirect("/", 200)
