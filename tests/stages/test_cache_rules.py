"""CacheRules: what it puts onto the plan, what the origin is asked for, and which options make no sense."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import CONTINUE, ConfigError, Context, Match, Pipeline, Plan, Request, When
from fastedge._core.key import cache_key
from fastedge._core.queryrules import QueryRules
from fastedge.engine import Engine, Site
from fastedge.geo import compile_table, load
from fastedge.stages import CacheRules, Experiment

GEO = load(compile_table([(1 << 24, "DE"), (2 << 24, "US")], [], built=1, source="test"))
SNAPSHOT = SimpleNamespace(geo=GEO)


def planned(*rules, target="/", headers=(), method="GET", client="1.0.0.1", claims=None, variants=()):
    """The plan after these rules."""
    ctx = Context(client=client, geo=GEO, plan=Plan(origin="main", target=target))
    if claims is not None:
        ctx.claims = claims
    ctx.variants.update(variants)
    for rule in rules:
        assert rule.bind(SNAPSHOT).decide(Request(method, target, headers), ctx) is CONTINUE
    return ctx.plan


def parts(*key, **request):
    return planned(CacheRules(key=key), **request).key_additions


def test_without_options_nothing_changes():
    plan = planned(CacheRules())
    assert (plan.ttl_s, plan.default_ttl_s, plan.stale_while_revalidate_s, plan.stale_if_error_s) == (None,) * 4
    assert (plan.status_ttls, plan.tag_additions, plan.header_edits, plan.key_additions) == (None, [], [], [])
    assert (plan.cache, plan.target, plan.ignores_request, plan.ignores_cookies) == ("default", "/", False, False)


def test_lifetimes_go_onto_the_plan():
    plan = planned(
        CacheRules(
            ttl_s=1,
            default_ttl_s=2.5,
            stale_while_revalidate_s=3,
            stale_if_error_s=0,
            ignore_client=True,
            ignore_cookies=True,
        )
    )
    assert (plan.ttl_s, plan.default_ttl_s, plan.stale_while_revalidate_s, plan.stale_if_error_s) == (1, 2.5, 3, 0)
    assert (plan.ignores_request, plan.ignores_cookies) == (True, True)


def test_statuses_stand_in_their_order():
    plan = planned(CacheRules(status_ttl_s={"404": 10, 200: 60, "500-503": 0, "4xx": 5.5}))
    assert plan.status_ttls == ((404, 404, 10.0), (200, 200, 60.0), (500, 503, 0.0), (400, 499, 5.5))


def test_later_rules_override_what_they_name_and_tags_add_up():
    site = CacheRules(ttl_s=60, default_ttl_s=30, ignore_client=True, tags=["site"])
    plan = planned(site, CacheRules(ttl_s=5, ignore_client=False, tags={"/a/*": ["a"], "/b": ["b"]}), target="/a/1")
    assert (plan.ttl_s, plan.default_ttl_s, plan.ignores_request, plan.tag_additions) == (5, 30, False, ["site", "a"])


@pytest.mark.parametrize(
    ("rules", "target", "asked"),
    [
        ({"keep_query": ["a", "c*"]}, "/p?a=1&b=2&cc=3&a=4", "/p?a=1&cc=3&a=4"),
        ({"keep_query": []}, "/p?a=1", "/p"),
        ({"keep_query": ["a"]}, "/p?&a=1&&", "/p?a=1"),
        ({"keep_query": ["a"]}, "/p?%61=%31&b", "/p?%61=%31"),
        ({"drop_query": ["utm_*", "fbclid"]}, "/p?utm_source=x&a=%7E&fbclid&utm=1", "/p?a=%7E&utm=1"),
        ({"drop_query": ["utm_*"]}, "/p?%75tm_source=x", "/p"),
        ({"drop_query": ["a b"]}, "/p?a+b=1&a%20b=2&a=3", "/p?a=3"),
        ({"drop_query": ["a"]}, "/p?b&&c?d=/e&", "/p?b&&c?d=/e&"),
        ({"drop_query": ["a"]}, "/p?", "/p?"),
        ({"sort_query": True}, "/p?b=2&a=9&b=1&a", "/p?a=9&a&b=2&b=1"),
        ({"sort_query": True, "drop_query": ["c"]}, "/p?b&c=1&a", "/p?a&b"),
        ({"sort_query": True}, "/p", "/p"),
        ({"keep_query": []}, "*", "*"),
    ],
)
def test_query_that_the_origin_gets(rules, target, asked):
    stage = CacheRules(**rules).bind(SNAPSHOT)
    ctx = Context(plan=Plan())
    ctx.plan.target = target if target != "*" else "/"
    stage.decide(Request("GET", target), ctx)
    assert ctx.plan.target == (asked if target != "*" else "/")


def test_query_is_that_of_the_plan_and_not_of_the_client():
    ctx = Context(plan=Plan(target="/new?a=1&b=2"))
    CacheRules(keep_query=["b"]).bind(SNAPSHOT).decide(Request("GET", "/old?b=3"), ctx)
    assert ctx.plan.target == "/new?b=2"


@given(st.lists(st.sampled_from(["a=1", "a=2", "b", "", "utm_x=1", "%75tm_y", "c=&"])), st.booleans(), st.booleans())
def test_normal_query_is_normal_and_keeps_what_stays(pairs, keeps, sorts):
    rules = QueryRules([b"utm_*"], keeps, sorts)
    target = ("/p?" + "&".join(pairs)).encode()
    normal = rules.apply(target)
    assert rules.apply(normal) == normal
    stays = [pair for pair in target[3:].split(b"&") if pair.startswith((b"utm_", b"%75tm_")) == keeps]
    left = normal.partition(b"?")[2].split(b"&") if b"?" in normal else []
    assert sorted(left) == sorted(stays)
    assert sorts or left == stays


def test_key_parts_of_every_source():
    headers = [("cookie", "uid=ann; x=1"), ("x-device", "phone")]
    assert parts("cookie:uid", "header:X-Device", "query:q", headers=headers, target="/?q=%31") == [
        ("cookie:uid", "ann"),
        ("header:x-device", "phone"),
        ("query:q", "=%31"),
    ]
    assert parts("country", "continent", "is_eu") == [("country", "DE"), ("continent", "EU"), ("is_eu", "1")]
    assert parts("country", "is_eu", client="2.0.0.1") == [("country", "US"), ("is_eu", "0")]
    assert parts("variant:exp", variants={"exp": "b"}) == [("variant:exp", "b")]
    claims = {"plan": "1", "level": 1, "roles": ["a"], "none": None}
    assert parts("claim:plan", "claim:level", "claim:roles", "claim:none", claims=claims) == [
        ("claim:plan", '"1"'),
        ("claim:level", "1"),
        ("claim:roles", '["a"]'),
        ("claim:none", "null"),
    ]


def test_what_is_missing_is_not_what_is_empty():
    for part, empty in [
        ("cookie:uid", {"headers": {"cookie": "uid="}}),
        ("header:x-a", {"headers": {"x-a": ""}}),
        ("query:q", {"target": "/?q"}),
        ("claim:c", {"claims": {"c": ""}}),
        ("variant:v", {"variants": {"v": ""}}),
    ]:
        assert parts(part) == [(part, "\0")]
        assert parts(part, **empty) != parts(part)


def test_every_cookie_and_parameter_of_a_name_is_in_the_key():
    """Nobody knows which of them the origin takes."""
    assert parts("cookie:c", headers=[("cookie", "c=1; c=2"), ("cookie", "c=3")]) == [("cookie:c", "1;2;3")]
    assert parts("query:q", target="/?q=1&r&q=2&%71") == [("query:q", "=1&=2&")]


def test_claim_that_json_cannot_say_is_for_its_owner_alone():
    assert planned(CacheRules(key=["claim:n"]), claims={"n": 1 << 70}).unstorable_reason == "private"


@pytest.mark.parametrize(
    ("bypass", "headers", "target", "mode"),
    [
        (["cookie:session"], {"cookie": "a=b; session=1"}, "/", "bypass"),
        (["cookie:session"], {"cookie": "xsession=1"}, "/", "default"),
        (["header:Authorization", "query:preview"], {"authorization": "x"}, "/", "bypass"),
        (["header:Authorization", "query:preview"], {}, "/?preview", "bypass"),
        (["header:Authorization", "query:preview"], {}, "/?previews", "default"),
        (Match(path="/cart/*") | Match(cookie={"mode": "edit*"}), {"cookie": "mode=editor"}, "/", "bypass"),
        (Match(path="/cart/*"), {}, "/cart", "bypass"),
    ],
)
def test_bypass(bypass, headers, target, mode):
    assert planned(CacheRules(bypass=bypass), headers=headers, target=target).cache == mode


def test_stripped_cookies_share_a_key_with_no_cookies():
    rules = CacheRules(strip_cookies=True)
    with_cookie, without = planned(rules, headers={"cookie": "a=b"}), planned(rules)
    assert with_cookie.header_edits == without.header_edits == [("cookie", None, True)]
    assert cache_key(Request("GET", "/", {"cookie": "a=b"}), with_cookie) == cache_key(Request(), without)


def test_cookies_of_the_key_stay_once_each():
    rules = CacheRules(strip_cookies=True, key=["cookie:currency", "cookie:lang"])
    plan = planned(rules, headers={"cookie": "uid=ann; lang=de; currency=EUR; currency=USD"})
    assert plan.header_edits == [("cookie", "currency=EUR; lang=de", True)]
    assert plan.ignores_cookies
    assert planned(rules, headers={"cookie": "uid=ann"}).header_edits == [("cookie", None, True)]


def test_cookies_stay_with_what_cannot_be_stored():
    rules = CacheRules(strip_cookies=True, bypass=["cookie:session"])
    assert planned(rules, headers={"cookie": "session=1"}).header_edits == []
    assert planned(rules, headers={"cookie": "a=1"}, method="POST").header_edits == []
    assert planned(rules, headers={"cookie": "a=1"}, method="HEAD").header_edits == [("cookie", None, True)]


def test_rules_in_a_pipeline_are_scoped_by_when():
    pipeline = Pipeline(CacheRules(default_ttl_s=60), When("/api/*", CacheRules(default_ttl_s=0))).bind(SNAPSHOT)
    engine = Engine({"*": Site("", pipeline, "main")}, ["main"], geo=GEO)
    for path, seconds in [("/a", 60), ("/api/a", 0)]:
        exchange = engine.begin(Request("GET", path), 0.0, Context().client_packed)
        assert exchange.step_start() == "fetch"
        assert exchange.ctx.plan.default_ttl_s == seconds


def test_variant_splits_behind_an_experiment():
    ctx = Context()
    Experiment("exp", {"only": 1}).bind(None).decide(Request(), ctx)
    CacheRules(key=["variant:exp"]).bind(SNAPSHOT).decide(Request(), ctx)
    assert ctx.plan.key_additions == [("variant:exp", "only")]


@pytest.mark.parametrize(
    "options",
    [
        {"ttl_s": -1}, {"ttl_s": "60"}, {"ttl_s": True}, {"ttl_s": float("nan")}, {"ttl_s": 1e12}, {"default_ttl_s": -1},
        {"stale_while_revalidate_s": -1}, {"stale_if_error_s": []},
        {"status_ttl_s": {}}, {"status_ttl_s": 60}, {"status_ttl_s": {"600": 1}}, {"status_ttl_s": {"1xx": 1}},
        {"status_ttl_s": {"503-500": 1}}, {"status_ttl_s": {"404": -1}}, {"status_ttl_s": {"all": 1}},
        {"key": "country"}, {"key": ["cookie"]}, {"key": ["cookie:"]}, {"key": ["cookie:a b"]}, {"key": ["country:DE"]},
        {"key": ["device"]}, {"key": [1]}, {"key": ["country", "country"]}, {"key": ["header:edge-variant"]},
        {"key": ["header:a b"]}, {"key": [f"query:{i}" for i in range(33)]},
        {"keep_query": ["a"], "drop_query": ["b"]}, {"keep_query": "a"}, {"drop_query": [""]}, {"sort_query": 1},
        {"bypass": []}, {"bypass": "cookie:a"}, {"bypass": ["session"]}, {"bypass": ["country"]}, {"bypass": 1},
        {"tags": "a"}, {"tags": [""]}, {"tags": ["a\n"]}, {"tags": {"a": ["b"]}}, {"tags": {"/a": "b"}}, {"tags": {1: ["a"]}},
        {"tags": ["x" * 1025]}, {"tags": [str(i) for i in range(129)]},
        {"strip_cookies": "yes"}, {"ignore_cookies": 1}, {"ignore_client": "no"},
    ],
    ids=str,
)  # fmt: skip
def test_nonsense_is_refused(options):
    with pytest.raises(ConfigError, match="CacheRules"):
        CacheRules(**options)


def test_place_in_the_key_needs_a_table():
    with pytest.raises(ConfigError, match="geo table"):
        CacheRules(key=["country"]).bind(SimpleNamespace(geo=None))
    assert CacheRules(key=["cookie:a"]).bind(SimpleNamespace(geo=None)) is not None
