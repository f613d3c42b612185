"""Invariant: two requests with one cache key that may be stored ask the origin the same, as far as stages have a say.

Whatever is derived from a client and can influence stored bytes is in the key, or the answer is not stored (DESIGN: the
cache key follows the plan). Held against every stage that ships, alone and together, and against custom ones.
"""

import base64
import hmac
import itertools
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge import CONTINUE, Context, Match, Pipeline, Request, Response, When, sign_url, stages
from fastedge._core.key import cache_key
from fastedge.engine import Engine, Exchange, Site
from fastedge.geo import Place, compile_table, load
from fastedge.html import load_fragments
from fastedge.identity.api_keys import ApiKeys, key_hash
from fastedge.identity.keys import KeySet
from fastedge.identity.mac import mac_with
from fastedge.identity.passwords import Users
from fastedge.routing import Layer
from fastedge.routing.experiment_settings import ExperimentSlots, Setting
from fastedge.routing.overrides import OVERRIDE, make_override
from fastedge.stages import (
    AllOf,
    AnyOf,
    ApiKeyAuth,
    BasicAuth,
    CacheRules,
    Claim,
    Cookie,
    Experiment,
    Fragments,
    Geo,
    GeoGate,
    GeoHeaders,
    GeoRoute,
    Include,
    JwtAuth,
    Personalize,
    Redirects,
    Require,
    SignedUrl,
    Slot,
    Variant,
)

NOW = 1_800_000_000.0
SECRET = b"an HMAC secret of 32 bytes, just"
COUNTRIES = ["DE", "FR", "GB", "US"]
PLACES = [Place(code, region=f"{code}-CA", city=f"City of {code}", asn=i + 1) for i, code in enumerate(COUNTRIES)]
TABLE = load(compile_table([(i << 8, place) for i, place in enumerate(PLACES)], [], built=1, source="test"))


@dataclass(frozen=True)
class Snapshot:
    keys: Any
    tables: Any
    origins: frozenset[str]
    geo: Any
    credentials: Any
    experiments: Any = None
    fragments: Any = None
    revocations: Any = None


def api_keys() -> ApiKeys:
    """Whose name is the key."""
    salt = bytes(16)
    rows = [{"name": name, "keys": [key_hash(salt, name)], "claims": {"plan": "paid"}} for name in ("ann", "bob")]
    return ApiKeys.from_json(json.dumps({"salt": "A" * 22, "consumers": rows}).encode())


# Passwords "pw", by the cheapest hash that there is.
CHEAP = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$LSf8dWS2rDg/5QPLiItELqsao0qJtl8C2FnmF6Ddpms"
CREDENTIALS = {"keys": api_keys(), "people": Users.from_lines(f"ann:{CHEAP}\nbob:{CHEAP}".encode())}
SNAPSHOT = Snapshot({"shop": KeySet.from_secret(SECRET)}, {}, frozenset({"main", "eu", "us"}), TABLE, CREDENTIALS)
SNAPSHOT = replace(
    SNAPSHOT,
    fragments={"banners": load_fragments("banners.json", b'{"DE": "<p>Hallo</p>"}')},
    experiments=ExperimentSlots({"killed": Setting("off", None, "b"), "kept": Setting("paused")}),
)
AUTH = {"keys": "shop", "issuer": "https://id.shop.example", "audience": "shop"}


def token(**claims: Any) -> str:
    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    body = {"iss": AUTH["issuer"], "aud": "shop", "exp": NOW + 600, **claims}
    signed = part(b'{"alg":"HS256"}') + b"." + part(json.dumps(body).encode())
    return (signed + b"." + part(hmac.digest(SECRET, signed, "sha256"))).decode()


# --- custom stages, as policies write them ---------------------------------------------------------------------------


class ToCountry:
    """Tells the origin the country, sends some elsewhere, and rewrites the target by a cookie."""

    def on_request(self, request: Request, ctx: Context) -> Any:
        ctx.plan.set_header("x-country", ctx.geo.country)
        if ctx.geo.country == "US":
            ctx.plan.origin = "us"
        if request.cookie("beta"):
            ctx.plan.target = "/beta" + request.target
        return CONTINUE


class AddsAndRemoves:
    """Edits the client's own fields, and one name twice."""

    def on_request(self, request: Request, ctx: Context) -> Any:
        uid = request.cookie("uid")
        if uid == "ann":
            ctx.plan.remove_header("x-user")
        elif uid is not None:
            ctx.plan.add_header("x-user", uid)
            ctx.plan.set_header("x-user", uid)
        ctx.plan.add_header("x-user", ctx.client)
        return CONTINUE


class Personal:
    """Sends a secret of the client's outside the key, and says that the answer is personal."""

    def on_request(self, request: Request, ctx: Context) -> Any:
        ctx.plan.set_header("x-uid", request.cookie("uid") or "none", keyed=False)
        ctx.plan.make_unstorable("private")
        return CONTINUE


class Parts:
    """Splits the cache by parts that a careless join would mix up."""

    def on_request(self, request: Request, ctx: Context) -> Any:
        uid = request.cookie("uid") or ""
        ctx.plan.add_key("a", uid)
        ctx.plan.add_key("b" + uid, "")
        ctx.plan.set_header("x-parts", uid)
        return CONTINUE


class Late:
    """Says in the last hook what is outside the key, and fails when it touches what is in it."""

    def on_origin_request(self, request: Request, ctx: Context) -> Any:
        ctx.plan.set_header("x-late", ctx.geo.country)
        return CONTINUE


def stage_sets() -> dict[str, list[Any]]:
    """Every stage that ships, with every option that decides what an origin hears; and stages together."""
    halves = {"a": 1, "b": 1}
    claims = {"sub": "x-user", "plan": "x-plan"}
    by_cookie = JwtAuth(
        **AUTH, token_from=["cookie:uid", "query:q"], forward_claims={"plan": "x-plan"}, key_claims=["plan"]
    )
    by_key = ApiKeyAuth(credentials="keys", key_from=["header:x-api-key", "query:q"], forward_claims=claims)
    by_password = BasicAuth(credentials="people", forward_claims={"sub": "x-user"}, key_claims=["sub"])
    by_url = SignedUrl(keys={"k": "shop"}, query=["x"])
    by_header = JwtAuth(**AUTH, forward_claims={"sub": "x-user"})
    by_claim = Experiment("pay", halves, sticky_by="claim:sub")
    personal = Personalize(
        Slot("name", Claim("sub")),
        Slot("uid", Cookie("uid", bytes_max=64)),
        Slot("hero", Variant("exp", {"a": "/a.jpg", "b": "/b.jpg"})),
        Slot("banner", Fragments("banners", Geo("country")), raw=True),
        Slot("cart", Include("/cart?c={country}", country=Geo("country")), raw=True),
        Slot("hello", lambda request, ctx: request.cookie("uid")),
        esi=True,
    )
    layer = Layer("shop", {"one": (0, 5_000), "two": (5_000, 8_000)}, sticky_by=["cookie:uid", "address"])
    return {
        "Redirects": [Redirects(rows=[("/old", "/new"), ("/a/*", "/b/*")])],
        "Experiment": [Experiment("exp", halves)],
        "Experiment by cookie": [Experiment("exp", halves, sticky_by="cookie:uid")],
        "Experiment by address": [Experiment("exp", halves, sticky_by="address")],
        "Experiment without a field": [Experiment("exp", halves, header=None)],
        "Experiment of the edge alone": [Experiment("exp", halves, keyed=False)],
        "Experiment twice": [Experiment("exp", halves), Experiment("two", {"c": 1, "d": 3}, sticky_by="cookie:uid")],
        "Experiment in a layer": [
            Experiment("one", halves, layer=layer, header=None),
            Experiment("two", halves, layer=layer, default="b"),
        ],
        "Experiment by the first that is there": [
            JwtAuth(**AUTH),
            Experiment("exp", halves, sticky_by=["claim:sub", "cookie:uid", "address"]),
        ],
        "Experiment for some": [
            Experiment("here", halves, sticky_by="cookie:uid", target={"country": ["union:EU", "US"], "path": "/a/*"}),
            Experiment("phone", halves, sticky_by="address", target={"device": ["mobile", "bot"]}, header=None),
            JwtAuth(**AUTH),
            Experiment("paid", halves, sticky_by="claim:sub", target={"claims": {"plan": "paid"}}, default="a"),
        ],
        "Experiment off, paused and on": [
            Experiment(name, halves, sticky_by="cookie:uid", cookie="edge_exp") for name in ("killed", "kept", "exp")
        ],
        "Experiment with overrides": [
            Experiment("exp", halves, sticky_by="cookie:uid", override_keys="shop", default="b"),
            Experiment("two", {"c": 1, "d": 3}, sticky_by="address", override_keys="shop", target={"path": "/a/*"}),
        ],
        "Experiment with overrides, then CacheRules": [
            Experiment("exp", halves, sticky_by="cookie:uid", override_keys="shop"),
            CacheRules(strip_cookies=True, key=["cookie:beta"], sort_query=True),
        ],
        "CacheRules, then Experiment with overrides": [
            CacheRules(ttl_s=60, key=["cookie:uid"], strip_cookies=True),
            Experiment("exp", halves, override_keys="shop"),
        ],
        "GeoRoute": [GeoRoute({"union:EU": "eu", "US": "us"})],
        "GeoRoute with a default": [GeoRoute({"DE": "eu"}, default="us")],
        "GeoRoute with fallbacks": [GeoRoute({"union:EU": ["eu", "us"], "region:US-CA": "us", "asn:1": "eu"})],
        "GeoHeaders": [GeoHeaders({"country": "x-country", "is_eu": "x-eu", "city": "x-city"})],
        "GeoGate": [GeoGate(deny=["FR"])],
        "GeoGate allowing": [GeoGate(allow=["union:EU"], unknown="allow", status=451)],
        "JwtAuth": [JwtAuth(**AUTH)],
        "JwtAuth forwarding claims": [JwtAuth(**AUTH, forward_claims=claims)],
        "JwtAuth keying a claim": [JwtAuth(**AUTH, forward_claims=claims, key_claims=["plan"])],
        "JwtAuth keying all claims": [JwtAuth(**AUTH, forward_claims=claims, key_claims=["plan", "sub"])],
        "JwtAuth forwarding the token": [JwtAuth(**AUTH, forward_token=True)],
        "JwtAuth that is optional": [JwtAuth(**AUTH, optional=True, forward_claims=claims, key_claims=["plan"])],
        "JwtAuth that is optional, forwarding the token": [JwtAuth(**AUTH, optional=True, forward_token=True)],
        "JwtAuth with preflights": [JwtAuth(**AUTH, allow_preflight=True, forward_claims=claims, key_claims=["plan"])],
        "JwtAuth from a cookie and the query": [by_cookie],
        "JwtAuth from a cookie, then CacheRules": [by_cookie, CacheRules(strip_cookies=True, key=["cookie:beta"])],
        "CacheRules, then JwtAuth from a cookie": [
            CacheRules(ttl_s=60, key=["cookie:uid"], strip_cookies=True),
            by_cookie,
        ],
        "ApiKeyAuth": [ApiKeyAuth(credentials="keys")],
        "ApiKeyAuth forwarding claims": [by_key],
        "ApiKeyAuth keying claims": [
            ApiKeyAuth(credentials="keys", forward_claims=claims, key_claims=["sub", "plan"]),
        ],
        "ApiKeyAuth forwarding the key": [ApiKeyAuth(credentials="keys", forward_key=True)],
        "BasicAuth": [BasicAuth(credentials="people", forward_claims={"sub": "x-user"})],
        "BasicAuth keying the name": [by_password],
        "BasicAuth forwarding the password": [BasicAuth(credentials="people", forward_password=True)],
        "SignedUrl": [SignedUrl(keys={"k": "shop"})],
        "SignedUrl with some parameters": [by_url],
        "SignedUrl of an address": [SignedUrl(keys={"k": "shop"}, address=True)],
        "SignedUrl behind CacheRules": [CacheRules(sort_query=True, drop_query=["x"]), SignedUrl(keys={"k": "shop"})],
        "AnyOf all kinds": [AnyOf(by_url, by_key, by_password, by_cookie)],
        "AnyOf": [AnyOf(by_header, by_cookie)],
        "AllOf": [AllOf(by_cookie, by_header)],
        "Require": [JwtAuth(**AUTH), Require(one_of={"plan": ["free", "paid"]})],
        "JwtAuth and Experiment": [JwtAuth(**AUTH), by_claim],
        "CacheRules": [CacheRules(default_ttl_s=60, drop_query=["utm_*"], sort_query=True, tags={"/a/*": ["a"]})],
        "CacheRules without a query": [CacheRules(keep_query=[], ttl_s=60)],
        "CacheRules splitting": [
            JwtAuth(**AUTH),
            CacheRules(key=["cookie:uid", "header:x-user", "query:q", "claim:plan"]),
        ],
        "CacheRules by place": [CacheRules(key=["country"]), CacheRules(key=["continent", "is_eu"])],
        "CacheRules by variant": [Experiment("exp", halves, header=None), CacheRules(key=["variant:exp"])],
        "CacheRules stripping cookies": [CacheRules(strip_cookies=True, bypass=["cookie:beta"])],
        "CacheRules keeping a cookie": [CacheRules(strip_cookies=True, key=["cookie:uid"], ignore_cookies=True)],
        "Personalize": [personal],
        "Personalize twice, and all that it shows": [
            JwtAuth(**AUTH),
            Experiment("exp", halves),
            personal,
            When("/a/*", Personalize(Slot("uid", Cookie("uid", allow=["ann"])))),
            CacheRules(strip_cookies=True),
        ],
        "When": [When("/a/*", GeoRoute({"US": "us"}), JwtAuth(**AUTH)), When("/*", Experiment("exp", halves))],
        "Match": [When(Match(field={"x-user": "ann"}), ToCountry()), When(Match(query={"q": "*"}), Parts())],
        "custom": [ToCountry(), AddsAndRemoves(), Parts()],
        "custom and personal": [Personal(), AddsAndRemoves()],
        "custom at the last": [Late()],
        "everything": [
            Redirects(rows=[("/old", "/new")]),
            GeoGate(deny=["FR"]),
            JwtAuth(**AUTH, forward_claims=claims, key_claims=["plan"]),
            by_claim,
            CacheRules(strip_cookies=True, key=["cookie:uid"], keep_query=["q"]),
            GeoRoute({"union:EU": "eu"}),
            ToCountry(),
            AddsAndRemoves(),
        ],
    }


SETS = stage_sets()
# What each set's stages are; the others scope stages, or are parts of one, and have none of their own to show.
PARTS = {"Match", "When", "Slot", "Claim", "Cookie", "Geo", "Variant", "Fragments", "Include"}
COVERED = {*PARTS, *(type(stage).__name__ for name, many in SETS.items() for stage in many)}


def test_every_stage_that_ships_is_held_to_it() -> None:
    assert set(stages.__all__) <= COVERED


# --- two users -------------------------------------------------------------------------------------------------------

SIGNED = [token(sub=sub, plan=plan) for sub in ("ann", "bob") for plan in ("free", "paid")]
COOKIES = ["uid=ann", "uid=bob", "uid=", "beta=1", f"edge_exp={'a' * 24}", *(f"uid={one}" for one in SIGNED)]
OVERRIDES = [
    make_override(name, variant, int(NOW) + 60, mac_with(SECRET)) for name, variant in (("exp", "a"), ("two", "d"))
]
COOKIES += [f"{OVERRIDE}={one}" for one in [*OVERRIDES, "x.y"]]


def basic(user: str, password: str = "pw") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def signed(target: str, expires: float, **options: Any) -> str:
    url = sign_url(f"http://shop.example{target}", key_id="k", secret=SECRET, expires=expires, **options)
    return url.removeprefix("http://shop.example")


URLS = [
    signed("/a/1", NOW + 60),
    signed("/a/1", NOW + 90),
    signed("/a/1?x=1", NOW + 60, query=["x"]) + "&y=2",
    signed("/a/1?x=1&x=2&y=2", NOW + 60),
    signed("/a/1", NOW + 60, address="0.0.0.9"),
]


NAMES = ["ann", "bob", "eve"]
BEARERS = [token(sub=sub, plan=plan) for sub in NAMES for plan in ("free", "paid", None)] + ["x.y.z"]
AUTHORIZATIONS = [None, *(f"Bearer {one}" for one in BEARERS), basic("ann"), basic("bob"), basic("ann", "x")]
FORGED = list(itertools.product(["X-User", "X-Plan", "X-Country", "X_User", "Origin"], NAMES))
TARGETS = ["/a/1", "/a/1", "/b", "/old", "/b?q=1", "/b?q=ann", f"/b?x=1&q={SIGNED[0]}", *URLS]
TARGETS += [f"/a/1?{OVERRIDE}={OVERRIDES[0]}", f"/b?q=1&{OVERRIDE}={OVERRIDES[1]}"]
DEVICES = [None, "iPhone", "Googlebot"]


def up_to_two(choices: list[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """None, one or two of them; one draw, as there are many."""
    return st.sampled_from([(), *((one,) for one in choices), *itertools.product(choices, repeat=2)])


def users() -> st.SearchStrategy[tuple[Request, str]]:
    """(request, address) of somebody; small alphabets, so that two of them often share a key."""
    return st.builds(
        user,
        st.sampled_from(["GET", "GET", "GET", "OPTIONS", "HEAD"]),
        st.sampled_from(TARGETS),
        st.sampled_from(AUTHORIZATIONS),
        st.sampled_from([None, *NAMES]),
        up_to_two(COOKIES),
        up_to_two(FORGED),
        st.booleans(),
        st.sampled_from([f"0.0.{i}.9" for i in range(5)]),
        st.sampled_from(DEVICES),
    )


def user(
    method: str,
    target: str,
    authorization: str | None,
    api_key: str | None,
    cookies: tuple[str, ...],
    forged: tuple[tuple[str, str], ...],
    preflight: bool,
    client: str,
    device: str | None = None,
) -> tuple[Request, str]:
    fields = [
        ("User-Agent", device),
        ("Authorization", authorization),
        ("X-Api-Key", api_key),
        ("Cookie", "; ".join(cookies)),
        *forged,
    ]
    fields.append(("Access-Control-Request-Method", "PUT" if preflight else None))
    return Request(method, target, [line for line in fields if line[1]], host="shop.example"), client


def engine_of(stages_: list[Any]) -> Engine:
    pipeline = Pipeline(*stages_).bind(SNAPSHOT)
    return Engine({"*": Site("", pipeline, "main")}, SNAPSHOT.origins, geo=TABLE)


ENGINES = {name: engine_of(many) for name, many in SETS.items()}


def plan_of(engine: Engine, request: Request, client: str) -> Exchange | None:
    """The exchange that is about to ask an origin; None where a stage answered."""
    exchange = engine.begin(request, NOW, Context(client=client).client_packed)
    assert exchange is not None
    return exchange if begun(exchange) == "fetch" else None


def begun(exchange: Exchange) -> str:
    """The first step that is no Wait: those are performed here and now."""
    step = exchange.step_start()
    while step == "wait":
        step = exchange.step_resume(exchange.wait.step())
    return step


def heard(exchange: Exchange) -> tuple[str | None, str, list[tuple[str, str]], set[str]]:
    """What stages have a say in: origin, target, fields that they made, and names of the client's that they took away.

    What is taken away outside the key is taken from everyone who says it: reserved fields, and a cookie with a token.
    """
    plan = exchange.ctx.plan
    made: list[tuple[str, str]] = []
    replaced: set[str] = set()
    for name, value, keyed in plan.header_edits:
        if name == "cookie" and value is not None and not keyed:
            continue  # what is left of the client's own without a token is the client's own
        if value is None:
            replaced |= {name} if keyed else set()
            made = [line for line in made if line[0] != name]
        else:
            made.append((name, value))
    return plan.origin, plan.target, made, replaced


@pytest.mark.parametrize("name", SETS)
@settings(max_examples=25, deadline=None)
@given(st.lists(users(), min_size=6, max_size=6))
def test_users_who_share_a_key_share_what_the_origin_hears(name: str, people: list[tuple[Request, str]]) -> None:
    stored: dict[bytes, Any] = {}
    for request, client in people:
        exchange = plan_of(ENGINES[name], request, client)
        if exchange is None or not exchange.ctx.plan.is_storable:
            continue
        key = cache_key(exchange.request, exchange.ctx.plan)
        assert stored.setdefault(key, heard(exchange)) == heard(exchange)


def test_the_property_is_not_empty() -> None:
    """Users do share keys, and a stage that hides what it tells the origin is found out."""

    class Hides:
        def on_request(self, request: Request, ctx: Context) -> Any:
            ctx.plan.set_header("x-uid", request.cookie("uid") or "none", keyed=False)
            return CONTINUE

    engine = engine_of([Hides()])
    ann, bob = (Request("GET", "/", {"cookie": f"uid={name}"}) for name in ("ann", "bob"))
    one, two = plan_of(engine, ann, "0.0.0.9"), plan_of(engine, bob, "0.0.0.9")
    assert one is not None and two is not None
    assert cache_key(ann, one.ctx.plan) == cache_key(bob, two.ctx.plan)
    assert heard(one) != heard(two)


def test_a_claim_outside_the_key_makes_the_answer_unstorable() -> None:
    exchange = plan_of(
        ENGINES["JwtAuth forwarding claims"], Request(headers={"authorization": f"Bearer {token(sub='a')}"}), "0.0.0.9"
    )
    assert exchange is not None
    assert exchange.ctx.plan.unstorable_reason == "private"


def test_response_hooks_of_one_user_leave_no_trace_for_the_next() -> None:
    class Always:
        """Answers everybody with one object."""

        answer = Response.text("closed", 503)

        def on_request(self, request: Request, ctx: Context) -> Any:
            return self.answer

    engine = engine_of([Experiment("exp", {"a": 1, "b": 1}), Always()])
    cookies = []
    for _ in range(3):
        exchange = engine.begin(Request(), NOW, Context().client_packed)
        assert exchange is not None and exchange.step_start() == "reply"
        cookies.append(exchange.response.headers.get_all("set-cookie"))
    assert [len(lines) for lines in cookies] == [1, 1, 1]
    assert Always.answer.headers.get_all("set-cookie") == []
