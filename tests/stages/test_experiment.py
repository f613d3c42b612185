"""Experiment as a stage: who gets which variant, who hears of it, and when a cookie is set."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import CONTINUE, ConfigError, Context, Pipeline, Request, Response
from fastedge.limits import experiment_key_bytes_max
from fastedge.routing import address_key, assign
from fastedge.stages import Experiment

HALVES = {"a": 1, "b": 1}
COOKIE = re.compile(r"edge_exp=([A-Za-z0-9_-]{24}); Path=/; Max-Age=7776000; SameSite=Lax; HttpOnly(; Secure)?")


def run(stage, *, cookie=(), scheme="http", claims=None, client="192.0.2.1"):
    """One request through both hooks: the context and the Set-Cookie values."""
    lines = [cookie] if isinstance(cookie, str) else cookie
    request = Request("GET", "/", [("cookie", line) for line in lines], scheme=scheme)
    ctx = Context(client=client)
    if claims is not None:
        ctx.claims = claims
    response = Response()
    assert stage.decide(request, ctx) is CONTINUE
    stage.decorate(request, response, ctx)
    return ctx, response.headers.get_all("set-cookie")


def bound(**options):
    return Experiment("exp", HALVES, **options).bind(None)


def test_variant_goes_to_stages_origin_and_key():
    ctx, _ = run(Experiment("exp", {"only": 1}).bind(None))
    assert ctx.variants == {"exp": "only"}
    assert ctx.plan.header_edits == [("edge-variant", "exp=only", True)]


def test_variant_without_a_header_is_in_the_key_all_the_same():
    ctx, _ = run(Experiment("exp", {"only": 1}, header=None).bind(None))
    assert ctx.plan.header_edits == []
    assert ctx.plan.key_additions == [("experiment", "exp=only")]


def test_variant_that_is_not_keyed_is_for_stages_of_the_edge_alone():
    ctx, (cookie,) = run(Experiment("exp", {"only": 1}, keyed=False).bind(None))
    assert ctx.variants == {"exp": "only"}
    assert COOKIE.fullmatch(cookie)
    assert ctx.plan.header_edits == ctx.plan.key_additions == []


def test_new_visitor_gets_a_cookie_that_keeps_the_variant():
    stage = bound()
    for _ in range(20):
        ctx, (cookie,) = run(stage)
        visitor, secure = COOKIE.fullmatch(cookie).groups()
        assert secure is None
        assert ctx.variants["exp"] == assign("exp", visitor, HALVES)
        again, none = run(stage, cookie=f"x=y; edge_exp={visitor}")
        assert again.variants == ctx.variants
        assert none == []


def test_cookie_is_secure_over_https():
    _, (cookie,) = run(bound(), scheme="https")
    assert COOKIE.fullmatch(cookie).group(2) == "; Secure"


def test_new_visitors_get_different_ids_from_few_calls():
    calls = []
    source = random.Random(1)
    stage = bound(random_bytes=lambda size: calls.append(size) or source.randbytes(size))
    ids = {run(stage)[1][0] for _ in range(200)}
    assert len(ids) == 200
    assert len(calls) == 1


def test_id_is_the_random_bytes_in_base64url():
    _, (cookie,) = run(bound(random_bytes=lambda size: b"\xfb\xef\xff" * (size // 3)))
    assert cookie.startswith("edge_exp=" + "--__" * 6 + ";")


def test_source_of_too_few_random_bytes_is_refused():
    with pytest.raises(ValueError, match="random_bytes gave another number"):
        run(bound(random_bytes=lambda size: b"short"))


@pytest.mark.parametrize("value", ["", "x", "A" * 23, "A" * 25, "A" * 23 + "=", "A" * 8192, "\x01" * 24, "é" * 24])
def test_own_cookie_that_was_not_made_here_is_replaced(value):
    request = Request("GET", "/", [("cookie", "edge_exp=" + value)]) if value.isprintable() else None
    if request is None:
        with pytest.raises(ValueError, match="control character"):
            Request("GET", "/", [("cookie", "edge_exp=" + value)])
        return
    _, (cookie,) = run(bound(), cookie="edge_exp=" + value)
    assert COOKIE.fullmatch(cookie)
    assert cookie.split(";")[0] != "edge_exp=" + value


def test_cookie_of_the_site_is_the_key():
    stage = bound(sticky_by="cookie:uid")
    for i in range(20):
        ctx, cookies = run(stage, cookie=f"a=b; uid=visitor-{i}; uid=other")
        assert ctx.variants["exp"] == assign("exp", f"visitor-{i}", HALVES)
        assert cookies == []


def test_cookie_of_the_site_is_found_in_a_second_line():
    ctx, cookies = run(bound(sticky_by="cookie:uid"), cookie=["a=b", "uid=visitor-3"])
    assert ctx.variants["exp"] == assign("exp", "visitor-3", HALVES)
    assert cookies == []


@pytest.mark.parametrize("cookie", [(), "a=b", "uid=", "UID=7", f"uid={'x' * (experiment_key_bytes_max + 1)}"])
def test_visitor_without_the_cookie_of_the_site_gets_an_own_one(cookie):
    _, cookies = run(bound(sticky_by="cookie:uid"), cookie=cookie)
    assert len(cookies) == 1
    assert COOKIE.fullmatch(cookies[0])


@pytest.mark.parametrize(("claim", "key"), [("alice", "alice"), ("Grüße", "Grüße"), (42, "42")])
def test_claim_is_the_key(claim, key):
    for salt in map(str, range(10)):
        ctx, cookies = run(bound(sticky_by="claim:sub", salt=salt), claims={"sub": claim})
        assert ctx.variants["exp"] == assign(salt, key, HALVES)
        assert cookies == []


@pytest.mark.parametrize(
    "claims", [None, {}, {"sub": ""}, {"sub": True}, {"sub": 1.5}, {"sub": ["a"]}, {"sub": "x" * 5000}]
)
def test_visitor_without_the_claim_gets_an_own_cookie(claims):
    _, cookies = run(bound(sticky_by="claim:sub"), claims=claims)
    assert len(cookies) == 1
    visitor = COOKIE.fullmatch(cookies[0]).group(1)
    ctx, cookies = run(bound(sticky_by="claim:sub"), claims=claims, cookie=f"edge_exp={visitor}")
    assert (ctx.variants["exp"], cookies) == (assign("exp", visitor, HALVES), [])


@given(st.ip_addresses())
def test_address_is_the_key(address):
    ctx, cookies = run(bound(sticky_by="address"), client=str(address))
    assert ctx.variants["exp"] == assign("exp", address_key(str(address)), HALVES)
    assert cookies == []


def test_address_stage_has_no_response_hook():
    names = Pipeline(Experiment("exp", HALVES, sticky_by="address")).bind(None).hook_names
    assert names[1:] == ["Experiment.on_request"]
    assert len(Pipeline(Experiment("exp", HALVES)).bind(None).hook_names) == 3


def test_experiments_that_share_a_cookie_share_the_id():
    one = Experiment("one", HALVES, cookie="edge_id").bind(None)
    two = Experiment("two", HALVES, cookie="edge_id").bind(None)
    request, ctx, response = Request(), Context(), Response()
    one.decide(request, ctx)
    two.decide(request, ctx)
    two.decorate(request, response, ctx)
    one.decorate(request, response, ctx)
    (cookie,) = response.headers.get_all("set-cookie")
    visitor = cookie.partition("=")[2].partition(";")[0]
    assert ctx.variants == {"one": assign("one", visitor, HALVES), "two": assign("two", visitor, HALVES)}
    assert ctx.vars == {}


def test_reply_before_the_request_hook_sets_no_cookie():
    response = Response(403)
    bound().decorate(Request(), response, Context())
    assert "set-cookie" not in response.headers


def test_failure_leaves_the_request_as_it_was():
    def broken(size):
        raise OSError("no entropy")

    stage = Experiment("exp", HALVES, random_bytes=broken)
    ctx = Context()
    with pytest.raises(OSError, match="no entropy"):
        stage.bind(None).decide(Request(), ctx)
    assert (ctx.variants, ctx.plan.header_edits, stage.on_error) == ({}, [], "fail_open")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60))
def test_no_cookie_of_a_client_is_ever_repeated(value):
    ctx, cookies = run(bound(sticky_by="cookie:uid"), cookie=f"uid={value}; edge_exp={value}")
    assert ctx.variants["exp"] in HALVES
    assert all(COOKIE.fullmatch(cookie) for cookie in cookies)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "Exp"}, "Experiment: name: expected a lower-case name"),
        ({"name": ""}, "Experiment: name: expected"),
        ({"name": 7}, "Experiment: name: expected"),
        ({"name": "x" * 65}, "Experiment: name: expected"),
        ({"weights": {}}, "Experiment 'exp': weights: expected 1 to 64 variants"),
        ({"weights": {"5th": 1}}, "Experiment 'exp': weights: expected variants that are tokens"),
        ({"weights": {"a;b": 1}}, "Experiment 'exp': weights: expected variants that are tokens"),
        ({"weights": {"a\n": 1}}, "Experiment 'exp': weights: expected variants that are tokens"),
        ({"weights": {7: 1}}, "Experiment 'exp': weights: expected variants that are tokens"),
        ({"sticky_by": "ip"}, "Experiment 'exp': sticky_by: expected 'cookie', 'cookie:NAME'"),
        ({"sticky_by": "cookie:"}, "Experiment 'exp': sticky_by: expected"),
        ({"sticky_by": "address:x"}, "Experiment 'exp': sticky_by: expected"),
        ({"sticky_by": "claim"}, "Experiment 'exp': sticky_by: expected"),
        ({"sticky_by": 7}, "Experiment 'exp': sticky_by: expected"),
        ({"sticky_by": []}, "Experiment 'exp': sticky_by: expected 1 to 8 different ones"),
        ({"sticky_by": ["cookie"] * 2}, "Experiment 'exp': sticky_by: expected 1 to 8 different ones"),
        ({"sticky_by": ["address", "cookie"]}, "Experiment 'exp': sticky_by: 'address' is always there"),
        ({"default": "c"}, "Experiment 'exp': default: expected one of a, b, found 'c'"),
        ({"override_keys": 7}, "Experiment 'exp': override_keys: expected the NAME of a [keys.NAME]"),
        ({"layer": "checkout"}, "Experiment 'exp': layer: expected a Layer(…), found 'checkout'"),
        ({"sticky_by": "cookie:a b"}, "Experiment 'exp': sticky_by: expected a cookie's name"),
        ({"cookie": "a;b"}, "Experiment 'exp': cookie: expected a cookie's name"),
        ({"cookie": "é"}, "Experiment 'exp': cookie: expected a cookie's name"),
        ({"salt": ""}, "Experiment 'exp': salt: expected 1 to 64 printable characters"),
        ({"cookie_max_age_s": 0}, "Experiment 'exp': cookie_max_age_s: expected 1 to 34560000 s"),
        ({"cookie_max_age_s": True}, "Experiment 'exp': cookie_max_age_s: expected"),
        ({"header": "x-variant"}, "Experiment 'exp': header: expected a field like 'edge-variant'"),
        ({"keyed": None}, "Experiment 'exp': keyed: expected True or False, found None"),
        ({"header": "edge-variant\n"}, "Experiment 'exp': header: expected"),
    ],
)
def test_options_that_cannot_be_used_are_config_errors(options, told):
    with pytest.raises(ConfigError) as caught:
        Experiment(**{"name": "exp", "weights": HALVES, **options})
    assert str(caught.value).startswith(told)
