"""GeoRoute and GeoGate: what the options mean, country by country, and that wrong ones are named before any request."""

from collections.abc import Collection
from dataclasses import FrozenInstanceError, dataclass
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import CONTINUE, ConfigError, Context, Pipeline, Plan, Request, Response
from fastedge.engine import Engine, Site
from fastedge.geo import COUNTRIES, GeoTable, Place, compile_table, load
from fastedge.stages import CacheRules, When
from fastedge.stages.geo import GeoGate, GeoHeaders, GeoRoute

CODES = sorted(COUNTRIES)
REGIONS = st.sampled_from(
    ["union:EU", "continent:EU", "continent:AF", "continent:NA", "country:NA", "DE", "FR", "GB", "US", "GP", "ZA"]
)


@dataclass(frozen=True)
class Snapshot:
    geo: object
    origins: Collection[str] = ("eu", "eu-de", "us", "af")


def every_country() -> GeoTable:
    """0.0.i.x belongs to the i-th code; 0.0.0.x is of unknown country."""
    return load(compile_table([(i << 8, code) for i, code in enumerate(CODES)], [], built=1, source="test"))


TABLE = every_country()
SNAPSHOT = Snapshot(TABLE)


def context(country: str, origin: str | None = "main") -> Context:
    return Context(client=f"0.0.{CODES.index(country)}.9", geo=TABLE, plan=Plan(origin=origin))


def origin_of(stage: GeoRoute, country: str, snapshot: Snapshot = SNAPSHOT) -> str | None:
    ctx = context(country)
    assert stage.bind(snapshot).decide(Request(), ctx) is CONTINUE
    return ctx.plan.origin


def is_refused(stage: GeoGate, country: str) -> bool:
    verdict = stage.bind(SNAPSHOT).decide(Request(), context(country))
    assert verdict is CONTINUE or isinstance(verdict, Response)
    return verdict is not CONTINUE


# --- GeoRoute ---------------------------------------------------------------------------------------------------------


def test_route_prefers_the_country_then_the_union_then_the_continent_then_the_default() -> None:
    stage = GeoRoute({"continent:EU": "us", "DE": "eu-de", "union:EU": "eu"}, default="af")
    expected = {"DE": "eu-de", "FR": "eu", "GB": "us", "US": "af", "": "af"}
    assert {country: origin_of(stage, country) for country in expected} == expected


def test_route_without_default_leaves_the_plan_as_it_is() -> None:
    stage = GeoRoute({"continent:NA": "us"})
    assert {c: origin_of(stage, c) for c in ("US", "DE", "")} == {"US": "us", "DE": "main", "": "main"}


@given(st.dictionaries(REGIONS, st.sampled_from(["eu", "us", "af"]), min_size=1), st.sampled_from(["eu", None]))
def test_route_gives_every_country_what_its_rules_say(routes: dict[str, str], default: str | None) -> None:
    native = GeoRoute(routes, default).bind(SNAPSHOT)
    for country, facts in COUNTRIES.items():
        ctx = context(country)
        native.decide(Request(), ctx)
        chosen = (
            routes.get(country)
            or routes.get(f"country:{country}")
            or (routes.get("union:EU") if facts.is_eu else None)
            or routes.get(f"continent:{facts.continent}")
            or default
            or "main"
        )
        assert ctx.plan.origin == chosen, country


def test_route_shows_its_facts_in_the_context() -> None:
    ctx = context("DE")
    GeoRoute({"DE": "eu"}).bind(SNAPSHOT).decide(Request(), ctx)
    assert ctx.geo is COUNTRIES["DE"]


def test_route_works_with_a_table_that_is_not_ours() -> None:
    @dataclass(frozen=True)
    class Elsewhere:
        country: str = "DE"
        continent: str = "EU"
        is_eu: bool = True

    class Fake:
        def lookup_packed(self, address: bytes, /) -> Elsewhere:
            assert address[12:] == bytes([192, 0, 2, 1])
            return Elsewhere()

    ctx = Context(geo=Fake(), plan=Plan())
    GeoRoute({"union:EU": "eu"}).bind(SNAPSHOT).decide(Request(), ctx)
    assert ctx.plan.origin == "eu"


def test_country_beyond_our_list_counts_as_unknown() -> None:
    @dataclass(frozen=True)
    class Elsewhere:
        country: str = "ZZ"
        continent: str = ""
        is_eu: bool = False

    class Fake:
        def lookup_packed(self, address: bytes, /) -> Elsewhere:
            return Elsewhere()

    ctx = Context(geo=Fake(), plan=Plan())
    GeoRoute({"DE": "eu"}, default="us").bind(SNAPSHOT).decide(Request(), ctx)
    assert ctx.plan.origin == "us"
    assert GeoGate(allow=["DE"]).bind(SNAPSHOT).decide(Request(), ctx) is not CONTINUE


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"routes": {}}, "expected a mapping"),
        ({"routes": ["DE"]}, "expected a mapping"),
        ({"routes": {"EU": "eu"}}, "GeoRoute routes: 'EU' is a union and a continent"),
        ({"routes": {"XX": "eu"}}, "GeoRoute routes: 'XX' is no country"),
        ({"routes": {"DE": "eu", "country:DE": "us"}}, "'DE' and 'country:DE' are the same region"),
        ({"routes": {"DE": 7}}, r"routes\['DE'\]: expected the name of an origin, or several different ones, not 7"),
        ({"routes": {"DE": ""}}, "expected the name of an origin"),
        ({"routes": {"DE": "eu"}, "default": ""}, "GeoRoute default: expected the name"),
        ({"routes": {"DE": "eu"}, "default": 5}, "GeoRoute default: expected the name"),
    ],
)
def test_route_options_that_cannot_be_are_named(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        GeoRoute(**options)


@pytest.mark.parametrize(
    ("stage", "problem"),
    [
        (
            GeoRoute({"DE": "nowhere"}),
            r"GeoRoute routes\['DE'\]: no origin is named 'nowhere'; .* has: af, eu, eu-de, us",
        ),
        (GeoRoute({"DE": "eu"}, default="nowhere"), "GeoRoute default: no origin is named 'nowhere'"),
    ],
)
def test_route_to_an_origin_that_there_is_not_is_refused_at_binding(stage: GeoRoute, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Pipeline(stage).bind(SNAPSHOT)


# --- GeoGate ----------------------------------------------------------------------------------------------------------


def test_allow_list_refuses_everyone_else() -> None:
    stage = GeoGate(allow=["union:EU", "CH"])
    assert [is_refused(stage, country) for country in ("DE", "CH", "US", "GB", "")] == [False, False, True, True, True]


def test_deny_list_lets_everyone_else_in() -> None:
    stage = GeoGate(deny=["continent:NA"])
    assert [is_refused(stage, country) for country in ("US", "MX", "DE", "NA", "")] == [True, True, False, False, False]


@given(
    st.booleans(),
    st.lists(REGIONS, min_size=1, unique=True),
    st.sampled_from(["allow", "deny", None]),
)
def test_gate_decides_every_country_as_its_list_says(is_allow: bool, regions: list[str], unknown: Any) -> None:
    gate = GeoGate(allow=regions, unknown=unknown) if is_allow else GeoGate(deny=regions, unknown=unknown)
    native = gate.bind(SNAPSHOT)
    for country, facts in COUNTRIES.items():
        names = {country, f"country:{country}", f"continent:{facts.continent}", "union:EU" if facts.is_eu else ""} - {
            ""
        }
        refused = bool(names & set(regions)) != is_allow
        if country == "" and unknown is not None:
            refused = unknown == "deny"
        assert (native.decide(Request(), context(country)) is not CONTINUE) == refused, country


@pytest.mark.parametrize("status", [403, 451])
def test_refusal_has_its_status_and_is_not_to_be_stored(status: int) -> None:
    ctx = context("US")
    verdict = GeoGate(deny=["US"], status=status).bind(SNAPSHOT).decide(Request(), ctx)
    assert isinstance(verdict, Response)
    assert (verdict.status, verdict.headers["cache-control"]) == (status, "no-store")
    assert verdict.headers["content-type"] == "text/plain; charset=utf-8"
    assert b"not available in your region" in verdict.body
    assert ctx.notes == {"GeoGate": "refused country US"}
    assert ctx.plan.origin == "main"


def test_each_refusal_is_an_answer_of_its_own() -> None:
    native = GeoGate(deny=["US"]).bind(SNAPSHOT)
    first, second = (native.decide(Request(), context("US")) for _ in range(2))
    assert isinstance(first, Response)
    assert isinstance(second, Response)
    first.headers["x-mine"] = "1"
    first.body = b"changed"
    assert "x-mine" not in second.headers
    assert second.body != b"changed"


def test_unknown_country_is_named_as_such_in_the_log() -> None:
    ctx = context("")
    GeoGate(allow=["DE"]).bind(SNAPSHOT).decide(Request(), ctx)
    assert ctx.notes == {"GeoGate": "refused country unknown"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "either allow"),
        ({"allow": ["DE"], "deny": ["US"]}, "either allow"),
        ({"allow": []}, "GeoGate allow: expected a list"),
        ({"deny": "DE"}, "GeoGate deny: expected a list"),
        ({"deny": 5}, "GeoGate deny: expected a list"),
        ({"deny": ["EU"]}, "GeoGate deny: 'EU' is a union and a continent"),
        ({"allow": ["NA"]}, "GeoGate allow: 'NA' is a country and a continent"),
        ({"allow": ["DE", "DE"]}, "'DE' and 'DE' are the same region"),
        ({"allow": [49]}, "49 is no region"),
        ({"allow": ["DE"], "status": 404}, "GeoGate status: expected 403 or 451, not 404"),
        ({"allow": ["DE"], "status": True}, "not True"),
        ({"allow": ["DE"], "unknown": "refuse"}, "GeoGate unknown: expected 'allow' or 'deny', not 'refuse'"),
        ({"allow": ["DE"], "unknown": True}, "GeoGate unknown"),
    ],
)
def test_gate_options_that_cannot_be_are_named(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        GeoGate(**options)


# --- both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [GeoRoute({"DE": "eu"}), GeoGate(deny=["US"])])
def test_stage_without_a_table_is_refused_at_binding(stage: GeoRoute | GeoGate) -> None:
    with pytest.raises(ConfigError, match="needs a geo table"):
        Pipeline(stage).bind(Snapshot(None))


def test_stages_bind_in_a_pipeline_as_compiled_request_hooks_that_fail_closed() -> None:
    bound = Pipeline(GeoGate(deny=["US"]), GeoRoute({"DE": "eu"})).bind(SNAPSHOT)
    hooks = [(hook.stage, hook.name, hook.fail_open) for hook in bound.hooks()]
    assert hooks == [("GeoGate", "on_request", False), ("GeoRoute", "on_request", False)]


def test_options_cannot_be_changed_from_outside() -> None:
    routes, listed = {"DE": "eu"}, ["US"]
    route, gate = GeoRoute(routes), GeoGate(deny=listed)
    routes["DE"] = "us"
    listed.append("DE")
    assert origin_of(route, "DE") == "eu"
    assert not is_refused(gate, "DE")
    with pytest.raises(FrozenInstanceError):
        gate.status = 451  # type: ignore[misc]
    with pytest.raises(TypeError):
        route.routes["DE"] = "us"  # type: ignore[index]


# --- more than countries ----------------------------------------------------------------------------------------------

PLACES = {
    "1.0.0.1": Place("US", region="US-CA", city="Los Angeles", time_zone="America/Los_Angeles", asn=64500),
    "2.0.0.1": Place("US", region="US-NY", asn=64501, organization="Example Netz"),
    "3.0.0.1": Place("DE", city="München"),
    "4.0.0.1": Place(asn=64500),
}
DETAILED = load(
    compile_table([(int(IPv4Address(ip)), place) for ip, place in PLACES.items()], [], built=1, source="detailed")
)


def at(address: str) -> Context:
    return Context(client=address, geo=DETAILED, plan=Plan(origin="main"))


def test_route_prefers_the_network_then_the_region_then_the_country() -> None:
    native = GeoRoute({"US": "us", "region:US-CA": "eu", "asn:64501": "af"}, default="eu-de").bind(Snapshot(DETAILED))
    chosen = {}
    for address in PLACES:
        ctx = at(address)
        native.decide(Request(), ctx)
        chosen[address] = ctx.plan.origin
    assert chosen == {"1.0.0.1": "eu", "2.0.0.1": "af", "3.0.0.1": "eu-de", "4.0.0.1": "eu-de"}


def test_route_puts_the_others_of_its_line_onto_the_plan() -> None:
    native = GeoRoute({"US": ["us", "eu", "af"], "DE": "eu-de"}, default=["af", "us"]).bind(Snapshot(DETAILED))
    lines = {}
    for address in PLACES:
        ctx = at(address)
        native.decide(Request(), ctx)
        lines[address] = (ctx.plan.origin, *ctx.plan.fallbacks)
    assert lines == {
        "1.0.0.1": ("us", "eu", "af"),
        "2.0.0.1": ("us", "eu", "af"),
        "3.0.0.1": ("eu-de",),
        "4.0.0.1": ("af", "us"),
    }


@pytest.mark.parametrize("line", [[], ["eu", "eu"], ["eu", 5], [""]])
def test_line_of_origins_that_cannot_be_is_named(line: Any) -> None:
    with pytest.raises(ConfigError, match=r"GeoRoute routes\['DE'\]: expected the name of an origin, or several"):
        GeoRoute({"DE": line})


def test_fallback_that_is_no_origin_is_refused_at_binding() -> None:
    with pytest.raises(ConfigError, match="no origin is named 'nowhere'"):
        GeoRoute({"DE": ["eu", "nowhere"]}).bind(SNAPSHOT)


@pytest.mark.parametrize(
    ("gate", "refused"),
    [
        (GeoGate(deny=["asn:64500"]), {"1.0.0.1", "4.0.0.1"}),
        (GeoGate(deny=["region:US-CA", "DE"]), {"1.0.0.1", "3.0.0.1"}),
        (GeoGate(allow=["region:US-NY"]), {"1.0.0.1", "3.0.0.1", "4.0.0.1"}),
        (GeoGate(allow=["DE", "asn:64500"]), {"2.0.0.1"}),
        (GeoGate(allow=["asn:64500"], unknown="deny"), {"2.0.0.1", "3.0.0.1"}),
    ],
)
def test_gate_goes_by_networks_and_regions_too(gate: GeoGate, refused: set[str]) -> None:
    native = gate.bind(Snapshot(DETAILED))
    assert {ip for ip in PLACES if native.decide(Request(), at(ip)) is not CONTINUE} == refused


@pytest.mark.parametrize(
    ("stage", "missing"),
    [
        (GeoRoute({"region:US-CA": "eu"}), "GeoRoute: needs region"),
        (GeoGate(deny=["asn:1", "region:US-CA"]), "GeoGate: needs asn, region"),
        (GeoHeaders({"city": "x-city", "country": "x-country"}), "GeoHeaders: needs city"),
        (CacheRules(key=["time_zone"]), "CacheRules: needs time_zone"),
    ],
)
def test_rule_about_what_the_table_never_knows_is_refused_at_binding(stage: Any, missing: str) -> None:
    with pytest.raises(ConfigError, match=rf"{missing}, and the geo table \(test\) has none"):
        stage.bind(SNAPSHOT)


# --- GeoHeaders -------------------------------------------------------------------------------------------------------

ALL = {fact: f"X-{fact.replace('_', '-')}" for fact in (*Place._fields, "continent", "is_eu")}


def edits_of(stage: GeoHeaders, address: str) -> list[tuple[str, str | None, bool]]:
    ctx = at(address)
    assert stage.bind(Snapshot(DETAILED)).decide(Request(), ctx) is CONTINUE
    return ctx.plan.header_edits


def test_origin_is_told_what_is_known_and_nothing_else() -> None:
    assert edits_of(GeoHeaders(ALL), "1.0.0.1") == [
        ("x-country", "US", True),
        ("x-region", "US-CA", True),
        ("x-city", "Los Angeles", True),
        ("x-time-zone", "America/Los_Angeles", True),
        ("x-asn", "64500", True),
        ("x-continent", "NA", True),
        ("x-is-eu", "0", True),
    ]
    assert edits_of(GeoHeaders(ALL), "0.0.0.1") == [("x-is-eu", "0", True)]


def test_names_beyond_ascii_are_told_in_utf_8() -> None:
    assert edits_of(GeoHeaders({"city": "x-city"}), "3.0.0.1") == [
        ("x-city", "München".encode().decode("latin-1"), True)
    ]


def test_fact_that_is_unkeyed_is_not_in_the_key() -> None:
    stage = GeoHeaders({"country": "x-country", "asn": "x-asn"}, unkeyed=["asn"])
    assert edits_of(stage, "1.0.0.1") == [("x-country", "US", True), ("x-asn", "64500", False)]


def test_what_clients_say_under_these_names_never_passes() -> None:
    class Nobody:
        def on_request(self, request: Request, ctx: Context) -> Any:
            return CONTINUE

    pipeline = Pipeline(When("/other", GeoHeaders({"city": "X-City"})), Nobody()).bind(Snapshot(DETAILED))
    engine = Engine({"*": Site("", pipeline, "eu")}, ["eu"], geo=DETAILED)
    request = Request(headers={"x-city": "Rome", "X_City": "Rome", "x-other": "stays"})
    exchange = engine.begin(request, 0.0, at("0.0.0.1").client_packed)
    assert exchange is not None
    exchange.step_start()
    assert {name for name, value, _ in exchange.ctx.plan.header_edits if value is None} == {"x-city", "x_city"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"fields": {}}, "expected a mapping"),
        ({"fields": {"planet": "x-planet"}}, "'planet' is none of country, continent"),
        ({"fields": {"city": "x city"}}, r"fields\['city'\]"),
        ({"fields": {"city": "host"}}, r"fields\['city'\]: host is written by the edge itself"),
        ({"fields": {"city": 5}}, r"fields\['city'\]"),
        ({"fields": {"city": "x-a", "asn": "X-A"}}, "two facts in one field"),
        ({"fields": {"city": "x-a"}, "unkeyed": "city"}, "unkeyed: expected some"),
        ({"fields": {"city": "x-a"}, "unkeyed": ["asn"]}, "unkeyed: expected some"),
    ],
)
def test_header_options_that_cannot_be_are_named(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        GeoHeaders(**options)


def test_place_in_the_key_is_what_the_table_knows() -> None:
    native = CacheRules(key=["region", "city", "asn", "country"]).bind(Snapshot(DETAILED))
    ctx = at("1.0.0.1")
    native.decide(Request(), ctx)
    assert ctx.plan.key_additions == [("region", "US-CA"), ("city", "Los Angeles"), ("asn", "64500"), ("country", "US")]
