"""Experiment beyond weights: layers, targets, several ways to know a visitor, states, overrides and exposures."""

import dataclasses
import mmap
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import CONTINUE, ConfigError, Context, Pipeline, Plan, Request, Response, When
from fastedge._core import exposures as exposures_
from fastedge._core.key import cache_key
from fastedge.geo import compile_table, load
from fastedge.identity.keys import KeySet
from fastedge.identity.mac import mac_with
from fastedge.limits import experiment_override_bytes_max
from fastedge.routing import Layer, allocate, assign
from fastedge.routing.experiment_settings import ExperimentSlots, Setting
from fastedge.routing.overrides import make_override
from fastedge.stages import Experiment

HALVES = {"a": 1, "b": 1}
SECRET = b"a secret of the testers, 32 bytes and more"
NOW = 1_800_000_000.0
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
TABLE = load(compile_table([(0, "DE"), (1 << 8, "US")], [], built=1, source="test"))


@dataclasses.dataclass
class Snapshot:
    keys: Any = dataclasses.field(default_factory=lambda: {"testers": KeySet.from_secret(SECRET)})
    experiments: ExperimentSlots = dataclasses.field(default_factory=ExperimentSlots)


def bind(snapshot=None, *, name="exp", weights=HALVES, **options):
    return Experiment(name, weights, **options).bind(snapshot or Snapshot())


def decide(stage, *, cookie="uid=ann", target="/", client="0.0.0.9", claims=None, fields=(), now=NOW):
    request = Request("GET", target, [("cookie", cookie), *fields] if cookie else fields)
    ctx = Context(now=now, client=client, geo=TABLE, plan=Plan(target=target))
    if claims is not None:
        ctx.claims = claims
    assert stage.decide(request, ctx) is CONTINUE
    return ctx


def variant(stage, **asked):
    return decide(stage, **asked).variants.get("exp")


def exposures(window_s=86_400):
    buffer = mmap.mmap(-1, exposures_.mapping_bytes())
    exposures_.initialise(buffer, b"k" * 32, window_s)
    return exposures_.Exposures(buffer)


# --- layers ----------------------------------------------------------------------------------------------------------


def test_layer_puts_a_visitor_into_one_experiment_at_most():
    layer = Layer("shop", {"hero": (0, 5_000), "price": (5_000, 8_000)}, sticky_by="cookie:uid")
    stages = [bind(name=name, layer=layer) for name in ("hero", "price")]
    found = Counter()
    for i in range(500):
        cookie = f"uid=visitor-{i}"
        variants = {}
        for stage in stages:
            variants |= decide(stage, cookie=cookie).variants
        name = layer.experiment_of(f"visitor-{i}")
        assert variants == ({name: assign(name, f"visitor-{i}", HALVES)} if name else {})
        found[name] += 1
    assert all(found[name] > 50 for name in ("hero", "price", None))


def test_who_is_outside_the_layer_splits_no_key_but_has_the_default():
    layer = Layer("shop", {"exp": (0, 1)}, sticky_by="address")
    ctx = decide(bind(layer=layer))
    assert (ctx.variants, ctx.plan.header_edits, ctx.plan.key_additions) == ({}, [], [])
    ctx = decide(bind(layer=layer, default="b"))
    assert (ctx.variants, ctx.plan.header_edits) == ({"exp": "b"}, [("edge-variant", "exp=b", True)])


def test_layer_says_what_its_visitors_are_known_by():
    layer = Layer("shop", {"hero": (0, 5_000), "price": (5_000, 10_000)})
    response = Response()
    request, ctx = Request(), Context(now=NOW)
    stages = [bind(name=name, layer=layer) for name in ("hero", "price")]
    for stage in stages:
        stage.decide(request, ctx)
    for stage in stages:
        stage.decorate(request, response, ctx)
    (cookie,) = response.headers.get_all("set-cookie")
    assert cookie.startswith("edge_shop=")
    assert [*ctx.variants] == [layer.experiment_of(cookie[10:34])]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"layer": Layer("shop", {"hero": (0, 1)})}, "layer: 'shop' has no range for it"),
        ({"layer": Layer("shop", {"exp": (0, 1)}), "sticky_by": "address"}, "sticky_by, cookie: expected none beside"),
        ({"layer": Layer("shop", {"exp": (0, 1)}), "cookie": "id"}, "sticky_by, cookie: expected none beside"),
        ({"layer": Layer("shop", {"exp": (0, 1)}, sticky_by="ip")}, "sticky_by: expected 'cookie'"),
        ({"layer": Layer("shop", {"exp": (0, 1)}, cookie="a b")}, "cookie: expected a cookie's name"),
    ],
)
def test_layers_that_cannot_be_used_are_config_errors(options, told):
    with pytest.raises(ConfigError, match=f"^Experiment 'exp': {told}"):
        Experiment("exp", HALVES, **options)


def test_allocation_is_as_good_as_weights():
    ramped = allocate({"a": 10, "b": 90}, {"a": 50, "b": 50})
    stage = bind(weights=ramped, sticky_by="cookie:uid")
    for i in range(50):
        assert variant(stage, cookie=f"uid={i}") == assign("exp", str(i), ramped)


# --- what a visitor is known by --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "cookie", "key"),
    [
        ({"sub": "alice"}, "uid=ann; other=1", "alice"),
        ({}, "uid=ann; other=1", "ann"),
        (None, "other=1; uid=ann", "ann"),
        (None, "other=1", "1"),
        ({"sub": ["alice"]}, "uid=; other=1", "1"),
    ],
)
def test_first_thing_that_is_there_is_the_key(claims, cookie, key):
    for salt in map(str, range(10)):
        stage = bind(salt=salt, sticky_by=["claim:sub", "cookie:uid", "cookie:other", "cookie"])
        assert variant(stage, claims=claims, cookie=cookie) == assign(salt, key, HALVES)


def test_address_ends_a_list_and_sets_no_cookie():
    names = Pipeline(Experiment("exp", HALVES, sticky_by=["cookie:uid", "address"])).bind(Snapshot()).hook_names
    assert names[1:] == ["Experiment.on_request"]
    stage = bind(sticky_by=["cookie:uid", "address"])
    assert variant(stage, cookie=None) == assign("exp", b"\0\0\0\x09", HALVES)


def test_own_cookie_may_come_first():
    own = "A" * 24
    stage = bind(sticky_by=["cookie", "claim:sub"])
    assert variant(stage, cookie=f"edge_exp={own}", claims={"sub": "x"}) == assign("exp", own, HALVES)
    ctx = decide(stage, cookie=None, claims={"sub": "x"})
    assert (ctx.variants["exp"], ctx.vars) == (assign("exp", "x", HALVES), {})


# --- targets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "inside", "outside"),
    [
        ({"country": "DE"}, {"client": "0.0.0.9"}, {"client": "0.0.1.9"}),
        ({"country": ["union:EU", "FR"]}, {"client": "0.0.0.9"}, {"client": "0.0.1.9"}),
        ({"path": "/shop/*"}, {"target": "/shop/1"}, {"target": "/about"}),
        ({"path": ["/a", "/b"]}, {"target": "/b?x"}, {"target": "/c"}),
        ({"claims": {"plan": ["paid"]}}, {"claims": {"plan": "paid"}}, {"claims": {"plan": "free"}}),
        ({"claims": {"plan": "paid"}}, {"claims": {"plan": ("free", "paid")}}, {}),
        ({"claims": {"beta": True}}, {"claims": {"beta": True}}, {"claims": {"beta": 1}}),
        ({"claims": {"age": 18}}, {"claims": {"age": 18}}, {"claims": {"age": "18"}}),
        ({"device": "mobile"}, {"fields": [("user-agent", "iPhone")]}, {"fields": [("user-agent", "X11")]}),
        ({"device": ["bot", "desktop"]}, {"fields": [("user-agent", GOOGLEBOT)]}, {"fields": [("user-agent", "iPad")]}),
        (None, {}, {"fields": [("user-agent", GOOGLEBOT)]}),
        ({"path": "/*"}, {}, {"fields": [("user-agent", GOOGLEBOT)]}),
        (
            {"country": "DE", "claims": {"plan": "paid"}},
            {"claims": {"plan": "paid"}},
            {"claims": {"plan": "paid"}, "client": "0.0.1.9"},
        ),
    ],
)
def test_target_says_who_has_a_variant(target, inside, outside):
    stage = bind(target=target)
    assert variant(stage, **inside) in HALVES
    ctx = decide(stage, **outside)
    assert (ctx.variants, ctx.vars, ctx.plan.header_edits, ctx.plan.key_additions) == ({}, {}, [], [])
    assert variant(bind(target=target, default="b"), **outside) == "b"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ({}, "target: expected a mapping with some of path, device, country, claims"),
        ("DE", "target: expected a mapping"),
        ({"city": "Bonn"}, "target: there is no 'city'; there are path, device, country, claims"),
        ({"country": "XX"}, "'XX' is no country"),
        ({"country": "EU"}, "'EU' is a union and a continent"),
        ({"country": []}, "target: country: expected 1 to 1024 values"),
        ({"device": "phone"}, "target: device: expected some of bot, mobile, tablet, desktop, found 'phone'"),
        ({"path": "shop"}, 'a path pattern begins with "/"'),
        ({"claims": "plan"}, "target: claims: expected {'claim': value or values}"),
        ({"claims": {"plan": 1.5}}, "target: claims: expected texts, integers, True or False"),
    ],
)
def test_targets_that_cannot_be_are_config_errors(target, told):
    with pytest.raises(ConfigError) as caught:
        Experiment("exp", HALVES, target=target)
    assert str(caught.value).startswith(f"Experiment 'exp': {told}")


# --- states ----------------------------------------------------------------------------------------------------------


def test_off_gives_everyone_the_default_and_nobody_a_cookie():
    snapshot = Snapshot(experiments=ExperimentSlots({"exp": Setting("off", None, "b")}, exposures()))
    ctx = decide(bind(snapshot), cookie=None)
    assert (ctx.variants, ctx.vars) == ({"exp": "b"}, {})
    assert snapshot.experiments.exposures.figures() == []


def test_off_without_a_default_gives_nobody_a_variant():
    stage = bind(Snapshot(experiments=ExperimentSlots({"exp": Setting("off")})))
    assert decide(stage).variants == {}


def test_kill_switch_works_on_a_bound_stage():
    snapshot = Snapshot()
    stage = bind(snapshot, sticky_by="cookie:uid", default="b")
    people = [f"uid={i}" for i in range(50)]
    before = [variant(stage, cookie=one) for one in people]
    assert set(before) == {"a", "b"}
    snapshot.experiments.swap({"exp": Setting("off")})
    assert {variant(stage, cookie=one) for one in people} == {"b"}
    snapshot.experiments.swap({"exp": Setting("paused")})
    assert [variant(stage, cookie=one) for one in people] == before


# --- exposures -------------------------------------------------------------------------------------------------------


def test_exposure_is_once_a_visitor_and_variant():
    table = exposures()
    table.is_written = True
    snapshot = Snapshot(experiments=ExperimentSlots(exposures=table))
    stage = bind(snapshot, sticky_by="cookie:uid")
    for _ in range(3):
        for i in range(100):
            decide(stage, cookie=f"uid={i}")
    (row,) = table.figures()
    assert (row.experiment, sum(row.observed), row.expected) == ("exp", 100, [50, 50])
    assert row.observed[0] == sum(assign("exp", str(i), HALVES) == "a" for i in range(100))


@pytest.mark.parametrize(
    ("setting", "options", "asked"),
    [
        (Setting("paused"), {}, {}),
        (Setting("off", None, "a"), {}, {}),
        (Setting(), {"target": {"path": "/x"}, "default": "a"}, {}),
        (Setting(), {"layer": Layer("l", {"exp": (0, 1)}, sticky_by="cookie:uid"), "default": "a"}, {}),
        (Setting(), {}, {"fields": [("user-agent", GOOGLEBOT)]}),
        (Setting(), {"override_keys": "testers"}, {"cookie": "uid=ann; edge-variant-override={override}"}),
    ],
)
def test_nobody_is_exposed_where_the_experiment_does_not_decide(setting, options, asked):
    table = exposures()
    asked = {**asked, "cookie": asked.get("cookie", "uid=ann").format(override=signed())}
    decide(bind(Snapshot(experiments=ExperimentSlots({"exp": setting}, table)), **options), **asked)
    assert table.figures() == []


def test_exposure_needs_the_condition_to_hold():
    table = exposures()
    snapshot = Snapshot(experiments=ExperimentSlots(exposures=table))
    pipeline = Pipeline(When("/shop/*", Experiment("exp", HALVES, sticky_by="cookie:uid"))).bind(snapshot)
    assert request_key(pipeline, "/", "uid=ann") == request_key(pipeline, "/", "uid=bob")
    assert table.figures() == []
    keys = {request_key(pipeline, "/shop/1", f"uid={i}") for i in range(50)}
    assert len(keys) == 2
    assert sum(table.figures()[0].observed) == 50


def request_key(pipeline, target, cookie):
    from fastedge.engine import Engine, Site

    engine = Engine({"*": Site("", pipeline, "main")}, frozenset({"main"}), geo=TABLE)
    request = Request("GET", target, {"cookie": cookie})
    exchange = engine.begin(request, NOW, Context().client_packed)
    assert exchange is not None
    exchange.step_start()
    return cache_key(exchange.request, exchange.ctx.plan)


# --- overrides -------------------------------------------------------------------------------------------------------


def signed(name="exp", variant="a", expires=NOW + 60, secret=SECRET):
    return make_override(name, variant, int(expires), mac_with(secret))


def overriding(**options):
    return bind(override_keys="testers", sticky_by="cookie:uid", target={"path": "/nowhere"}, **options)


@pytest.mark.parametrize("choice", ["a", "b"])
def test_override_gives_its_variant_wherever_it_is_shown(choice):
    override = signed(variant=choice)
    for asked in (
        {"cookie": f"uid=ann; edge-variant-override={override}; x=1"},
        {"target": f"/p?x=1&edge-variant-override={override}"},
        {"target": f"/p?edge-variant-override={override}", "cookie": f"edge-variant-override={override}"},
        {"target": f"/p?edge-variant-override={override}", "cookie": f"edge-variant-override={signed('other')}"},
        {"target": f"/p?edge-variant-override={signed('other')}", "cookie": f"edge-variant-override={override}"},
    ):
        ctx = decide(overriding(), **asked)
        assert ctx.variants == {"exp": choice}
        assert ("edge-variant", f"exp={choice}", True) in ctx.plan.header_edits
        assert ctx.notes == {"Experiment exp": f"override: {choice}"}
        assert override not in ctx.plan.target
        assert all(override not in (value or "") for name, value, _ in ctx.plan.header_edits)


def test_override_never_reaches_the_origin_nor_the_key_but_as_a_variant():
    plain = decide(bind(override_keys="testers", weights={"a": 1, "b": 0}), cookie="x=1", target="/p?x=1")
    shown = decide(
        bind(override_keys="testers", weights={"a": 0, "b": 1}),
        cookie=f"x=1; edge-variant-override={signed()}",
        target=f"/p?edge-variant-override={signed()}&x=1",
    )
    asked = Request("GET", "/p?x=1")
    assert cache_key(asked, shown.plan) == cache_key(asked, plain.plan)
    assert shown.plan.target == "/p?x=1"
    assert ("cookie", "x=1", False) in shown.plan.header_edits


def test_override_that_is_ignored_is_taken_away_all_the_same():
    ctx = decide(overriding(), target="/p?edge-variant-override=rubbish")
    assert (ctx.plan.target, ctx.variants) == ("/p", {})


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("rubbish", "malformed"),
        ("", "malformed"),
        ("x" * (experiment_override_bytes_max + 1), "malformed"),
        (signed(secret=b"another secret of the testers, 32 bytes"), "signature"),
        (signed(expires=NOW), "expired"),
        (signed(variant="c"), "no such variant"),
    ],
)
def test_override_that_is_not_good_is_ignored_with_a_note(override, why):
    ctx = decide(overriding(), cookie=f"edge-variant-override={override}")
    assert (ctx.variants, ctx.notes) == ({}, {"Experiment exp": f"override ignored: {why}"})


def test_override_that_was_changed_is_ignored():
    granted, _, signature = signed(variant="a").partition(".")
    other = signed(variant="b").partition(".")[0]
    assert granted != other
    ctx = decide(overriding(), cookie=f"edge-variant-override={other}.{signature}")
    assert ctx.notes == {"Experiment exp": "override ignored: signature"}


def test_two_overrides_in_one_place_are_ignored():
    ctx = decide(overriding(), cookie=f"edge-variant-override={signed()}; edge-variant-override={signed(variant='b')}")
    assert ctx.notes == {"Experiment exp": "override ignored: malformed"}


def test_override_of_another_experiment_is_none_of_ours():
    ctx = decide(overriding(), cookie=f"edge-variant-override={signed('other')}")
    assert (ctx.variants, ctx.notes) == ({}, {})


def test_experiment_without_keys_takes_no_override():
    stage = bind(weights={"b": 1, "a": 0}, sticky_by="cookie:uid")
    assert variant(stage, cookie=f"uid=ann; edge-variant-override={signed()}") == "b"


def test_kill_switch_beats_an_override():
    snapshot = Snapshot(experiments=ExperimentSlots({"exp": Setting("off", None, "b")}))
    stage = bind(snapshot, override_keys="testers")
    ctx = decide(stage, cookie=f"edge-variant-override={signed()}")
    assert ctx.variants == {"exp": "b"}
    assert ("cookie", None, False) in ctx.plan.header_edits


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=";&#"), max_size=100))
def test_no_text_that_was_not_signed_is_an_override(text):
    for asked in ({"cookie": f"edge-variant-override={text}"}, {"target": f"/?edge-variant-override={text}"}):
        ctx = decide(overriding(), **asked)
        assert (ctx.variants, ctx.plan.target) == ({}, "/")


def test_log_never_shows_an_override():
    pipeline = Pipeline(When("/x", Experiment("exp", HALVES, override_keys="testers"))).bind(Snapshot())
    assert pipeline.hook_names[1:] == ["Experiment.on_request", "Experiment.on_response"]
    assert bind(override_keys="testers").hidden_parameters == ("edge-variant-override",)
    assert bind().hidden_parameters == ()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "override_keys: no [keys] is named 'testers'; there are: none"),
        ({"shop": 1}, "override_keys: no [keys] is named 'testers'; there are: shop"),
        ({"testers": object()}, "override_keys: [keys.testers] is not one shared secret"),
    ],
)
def test_keys_that_cannot_be_used_are_config_errors(keys, told):
    with pytest.raises(ConfigError) as caught:
        bind(Snapshot(keys=keys), override_keys="testers")
    assert str(caught.value) == f"Experiment 'exp': {told}"


def test_time_of_an_override_is_the_contexts():
    expires = time.time() - 3_600
    assert variant(overriding(), cookie=f"edge-variant-override={signed(expires=expires)}", now=expires - 1) == "a"
