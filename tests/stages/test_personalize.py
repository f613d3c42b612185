"""Personalize: its options, and what it is bound to."""

import functools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastedge import Context, Pipeline, Request
from fastedge._core.personalstage import PersonalStage
from fastedge._core.slotvalues import UrlSource, ValueSource
from fastedge.assembly import prepare
from fastedge.config import Sources
from fastedge.engine import Engine, Site
from fastedge.errors import ConfigError
from fastedge.geo import Place, compile_table, load, shipped_table
from fastedge.html import Fragment, Variable, compile_page, load_fragments
from fastedge.html import Include as EsiTag
from fastedge.identity.keys import KeySet
from fastedge.limits import html_rules_max
from fastedge.stages import Claim, Cookie, Fragments, Geo, Include, JwtAuth, Personalize, Slot, Variant

TABLE = load(compile_table([(0, Place("DE", city="Köln"))], [], built=1, source="test"))
BANNERS = load_fragments("banners.json", b'{"DE": "<p>Hallo</p>"}')
SNAPSHOT = SimpleNamespace(geo=TABLE, fragments={"banners": BANNERS})


def values(*slots: Slot, request: Request | None = None, claims: dict[str, Any] | None = None) -> dict[str, Any]:
    """What each slot is for a visitor from Germany."""
    stage = Personalize(*slots).bind(SNAPSHOT)
    request, ctx = (
        request or Request(headers={"Cookie": "tier=gold; name=<b>Bob</b>"}),
        Context(client="0.0.0.1", geo=TABLE),
    )
    if claims is not None:
        ctx.claims = claims
    ctx.variants["hero"] = "b"
    return {
        name: source.locate(request, ctx) if isinstance(source, UrlSource) else source.find(request, ctx)
        for name, source in stage.sources.items()
    }


def hello(request: Request, ctx: Context) -> str:
    return f"Hello {request.method}"


def test_slots_have_the_values_of_their_sources() -> None:
    assert values(
        Slot("greeting", Claim("name"), fallback="guest"),
        Slot("price", Geo("country", {"DE": "9,99 €"})),
        Slot("hero", Variant("hero", {"b": "/b.jpg"}), at="img", action="set_attribute", attribute="src"),
        Slot("tier", Cookie("tier", allow=["gold"])),
        Slot("theme", Cookie("tier", {"gold": "yellow"})),
        Slot("name", Cookie("name", bytes_max=64)),
        Slot("banner", Fragments("banners", Geo("country")), raw=True),
        Slot("chosen", Fragments("banners", lambda request, ctx: "DE")),
        Slot("cart", Include("/cart/{who}?c={country}", who=hello, country=Geo("country")), raw=True),
        Slot("hello", hello),
        claims={"name": "Ann"},
    ) == {
        "greeting": "Ann",
        "price": "9,99 €".encode(),
        "hero": b"/b.jpg",
        "tier": b"gold",
        "theme": b"yellow",
        "name": b"<b>Bob</b>",
        "banner": BANNERS["DE"],
        "chosen": BANNERS["DE"],
        "cart": b"/cart/Hello%20GET?c=DE",
        "hello": "Hello GET",
    }


def test_stage_is_bound_with_its_options() -> None:
    stage = Personalize(Slot("a", Geo("country"), fallback="b", at="#a")).bind(SNAPSHOT)
    assert stage.fallbacks == {"a": "b"}
    assert [(slot.name, slot.at) for slot in stage.rules.slots] == [("a", "#a")]
    assert (stage.cache_control, stage.vary, stage.gzip, stage.wait_ms) == (b"private, no-cache", None, True, 500)
    assert stage.fragment_bytes_max == 256 * 1024
    assert stage.esi_source is None
    stage = Personalize(
        esi=True, gzip=False, cache_control="no-store", vary=["X-A"], wait_ms=20, fragment_bytes_max=1000
    ).bind(SNAPSHOT)
    assert (stage.cache_control, stage.vary, stage.gzip, stage.wait_ms) == (b"no-store", b"X-A", False, 20)
    assert stage.fragment_bytes_max == 1000
    assert stage.rules.esi


def test_tags_of_a_page_are_sources() -> None:
    stage = Personalize(esi=True, wait_ms=100).bind(SNAPSHOT)
    request, ctx = Request(headers={"Cookie": "tier=gold"}), Context()
    tier = Variable("HTTP_COOKIE", "tier", "none")
    assert stage.source(tier).find(request, ctx) == b"gold"
    tags = [EsiTag(("/a?t=", tier), ("/b",), maxwait_ms=wait_ms) for wait_ms in (None, 0, 50, 5000)]
    sources = [stage.source(tag) for tag in tags]
    assert all(isinstance(source, UrlSource) for source in sources)
    assert [source.wait_ms for source in sources if isinstance(source, UrlSource)] == [0, 1, 50, 100]
    assert isinstance(sources[0], UrlSource)
    assert [sources[0].locate(Request(), ctx), sources[0].locate(request, ctx, True)] == [b"/a?t=none", b"/b"]


def test_slots_of_one_name_share_a_source() -> None:
    stage = Personalize(Slot("a", Claim("x"), at="#a"), Slot("a", Claim("x"), at=".a", action="after")).bind(SNAPSHOT)
    assert [*stage.sources] == ["a"]
    assert len(stage.rules.slots) == 2
    with pytest.raises(
        ConfigError, match=r"^Personalize: two slots 'a', expected one source and one fallback for both$"
    ):
        Personalize(Slot("a", Claim("x")), Slot("a", Claim("y")))


class _Callable:
    def __call__(self, request: Request, ctx: Context) -> str:
        return "called"


def test_functions_may_be_any_plain_callable_of_two() -> None:
    partial = functools.partial(lambda extra, request, ctx: extra, "extra")
    assert values(Slot("a", partial), Slot("b", _Callable())) == {"a": "extra", "b": "called"}


async def _later(request: Request, ctx: Context) -> str:
    return ""


def _generates(request: Request, ctx: Context) -> Any:
    yield ""


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Personalize(), "Personalize: expected a Slot(…), or esi=True"),
        (lambda: Personalize(Claim("x")), "Personalize: expected a Slot(…), found Claim"),
        (lambda: Personalize(esi=1), "Personalize esi: expected True or False, found 1"),
        (lambda: Personalize(esi=True, gzip="no"), "Personalize gzip: expected True or False, found 'no'"),
        (lambda: Personalize(esi=True, wait_ms=0), "Personalize wait_ms: expected 1 to 30000, found 0"),
        (lambda: Personalize(esi=True, wait_ms=True), "Personalize wait_ms: expected 1 to 30000, found True"),
        (
            lambda: Personalize(esi=True, fragment_bytes_max=262145),
            "Personalize fragment_bytes_max: expected 1 to 262144",
        ),
        (lambda: Personalize(esi=True, cache_control="a\nb"), "Personalize cache_control: a field value has a control"),
        (lambda: Personalize(esi=True, cache_control=3), "Personalize cache_control: a field value is str, not int"),
        (lambda: Personalize(esi=True, vary="X-A"), "Personalize vary: expected a list of fields' names, found 'X-A'"),
        (lambda: Personalize(esi=True, vary=["a b"]), "Personalize vary: expected the name of a field, found 'a b'"),
        (
            lambda: Personalize(*[Slot("a", Claim("a"), at="p")] * (html_rules_max + 1)),
            "Personalize: a policy has at most",
        ),
        (lambda: Slot(3, Claim("a")), "Slot name: expected a text, found 3"),
        (lambda: Slot("a b", Claim("a")), "Personalize: a slot's name is 1 to 64 letters"),
        (lambda: Slot("a", Claim("a"), action="inside"), "Personalize: slot 'a': action 'inside' is none of"),
        (lambda: Personalize(Slot("a", Claim("a"), at="p:hover")), "Personalize: "),
        (lambda: Slot("a", "text"), "Slot 'a' source: expected Claim, Cookie, Geo, Variant"),
        (lambda: Slot("a", Claim), "Slot 'a' source: expected Claim, Cookie, Geo, Variant"),
        (lambda: Slot("a", _later), "Slot 'a' source: must be a plain function"),
        (lambda: Slot("a", _generates), "Slot 'a' source: must be a plain function"),
        (lambda: Slot("a", lambda request: ""), "Slot 'a' source: a function takes 2 arguments: request, ctx"),
        (lambda: Slot("a", Claim("a"), fallback=3), "Slot 'a' fallback: expected a text, found 3"),
        (lambda: Slot("a", Claim("a"), raw=True), "Slot 'a' raw: what a visitor says would be markup"),
        (lambda: Slot("a", Cookie("a", bytes_max=9), raw=True), "Slot 'a' raw: what a visitor says would be markup"),
        (lambda: Claim(""), "Claim name: expected the name of a claim, found ''"),
        (lambda: Claim("a", {}), "Claim 'a' values: expected 1 to 1024 texts, each with its value, found {}"),
        (lambda: Claim("a", {True: "x"}), "Claim 'a' values: expected texts, found True"),
        (lambda: Claim("a", {"x": None}), "Claim 'a' values['x']: expected a text, found None"),
        (lambda: Claim("a", {"x": "y" * 262_145}), "Claim 'a' values['x']: expected at most 262144 bytes"),
        (lambda: Cookie("a b", bytes_max=1), "Cookie name: expected a cookie's name (a token), found 'a b'"),
        (lambda: Cookie("a"), "Cookie 'a': expected one of values, allow and bytes_max"),
        (lambda: Cookie("a", allow=["x"], bytes_max=1), "Cookie 'a': expected one of values, allow and bytes_max"),
        (lambda: Cookie("a", allow="gold"), "Cookie 'a' allow: expected a list of texts, found 'gold'"),
        (lambda: Cookie("a", allow=[1]), "Cookie 'a' allow: expected texts, found 1"),
        (lambda: Cookie("a", allow=[]), "Cookie 'a' allow: expected 1 to 1024 texts"),
        (lambda: Cookie("a", bytes_max=0), "Cookie 'a' bytes_max: expected 1 to 262144, found 0"),
        (lambda: Geo("weather"), "Geo fact: 'weather' is none of country, continent"),
        (lambda: Geo(["country"]), "Geo fact: ['country'] is none of country, continent"),
        (lambda: Geo("country", {"UK": "x"}), "Geo 'country' values: 'UK' is no country (ISO 3166-1, such as 'DE')"),
        (lambda: Variant(""), "Variant experiment: expected an experiment's name, found ''"),
        (lambda: Fragments("", Geo("country")), "Fragments table: expected the NAME of a [fragments.NAME], found ''"),
        (lambda: Fragments("a", Fragments("b", Geo("country"))), "Fragments 'a' by: expected Claim, Cookie"),
        (lambda: Include("cart"), "Include url: expected a path of this site like '/cart?c={country}', found 'cart'"),
        (lambda: Include("//evil.example/"), "Include url: expected a path of this site"),
        (lambda: Include("http://evil.example/"), "Include url: expected a path of this site"),
        (lambda: Include("/a b"), "Include url: expected a path of this site"),
        (lambda: Include("/a#b"), "Include url: expected a path of this site"),
        (lambda: Include("/a/../b"), "Include url: expected a path of this site"),
        (lambda: Include("/a/{x", x=Geo("country")), "Include url: expected a path of this site"),
        (lambda: Include("{x}", x=Geo("country")), "Include url: expected a path of this site"),
        (lambda: Include("/" + "a" * 2048), "Include url: expected at most 2048 bytes"),
        (lambda: Include("/{x}"), "Include '/{x}': expected a source for each name in braces (x), found []"),
        (
            lambda: Include("/x", x=Geo("country")),
            "Include '/x': expected a source for each name in braces (none), found",
        ),
        (lambda: Include("/{x}", x=Include("/y")), "Include '/{x}' x: expected Claim, Cookie, Geo, Variant"),
        (lambda: Include("/x", wait_ms=0), "Include '/x' wait_ms: expected 1 to 30000, found 0"),
    ],
)
def test_option_that_cannot_be_is_named(make: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        make()
    assert str(error.value).startswith(problem)


@pytest.mark.parametrize(
    ("slot", "problem"),
    [
        (
            Slot("a", Fragments("moved", Geo("country"))),
            "Fragments table: no [fragments] is named 'moved'; there are: banners",
        ),
        (Slot("a", Geo("asn")), "Personalize: needs asn, and the geo table (test) has none: see [geo]"),
        (Slot("a", Fragments("banners", Geo("asn"))), "Personalize: needs asn"),
        (Slot("a", Include("/{x}", x=Geo("asn"))), "Personalize: needs asn"),
    ],
)
def test_name_that_the_configuration_lacks_is_an_error_before_the_first_request(slot: Slot, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        Pipeline(Personalize(slot)).bind(SNAPSHOT)
    assert str(error.value).startswith(problem)


def test_markup_of_the_policys_own_may_be_raw() -> None:
    page = Fragment(b"<b>x</b>")
    assert values(
        Slot("a", Claim("plan", {"paid": page}), raw=True),
        Slot("b", Cookie("tier", allow=["gold"]), raw=True),
        Slot("c", hello, raw=True),
        claims={"plan": "paid"},
    ) == {"a": page, "b": b"gold", "c": "Hello GET"}


def test_options_do_not_change_behind_the_stages_back() -> None:
    prices: dict[str, Any] = {"DE": "9"}
    slot = Slot("a", Geo("country", prices))
    prices["DE"] = 3
    assert values(slot) == {"a": b"9"}
    with pytest.raises(TypeError):
        slot.source.values["DE"] = "8"  # type: ignore[union-attr, index]


def test_shipped_table_knows_countries() -> None:
    stage = Personalize(Slot("a", Geo("country"))).bind(SimpleNamespace(geo=shipped_table()))
    assert stage.sources["a"].find(Request(), Context(client="129.69.1.1", geo=shipped_table())) == b"DE"


def test_reload_shows_the_new_fragments(tmp_path: Path) -> None:
    def prepared(generation: int, html: str) -> ValueSource:
        (tmp_path / "banners.json").write_text(json.dumps({"DE": html}))
        made = prepare(Sources.read(tmp_path / "edge.toml", {}), generation)
        made.policies.forget()
        stage = made.policies.of(made.config.policy.file).hooks()[0].native
        assert isinstance(stage, PersonalStage)
        return stage.sources["banner"]

    (tmp_path / "edge.toml").write_text(
        '[policy]\nfile = "shop.py"\n[origins.main]\nservers = ["http://127.0.0.1:9"]\n'
        '[fragments.banners]\nfile = "banners.json"\n'
    )
    (tmp_path / "shop.py").write_text(
        "from fastedge import Pipeline\nfrom fastedge.stages import *\n"
        'pipeline = Pipeline(Personalize(Slot("banner", Fragments("banners", Geo("country")), raw=True)))\n'
    )
    sources = [prepared(77_000, "old"), prepared(77_001, "new")]
    shown = [source.find(Request(), Context(client="0.0.0.1", geo=TABLE)) for source in sources]
    assert [fragment.data for fragment in shown if isinstance(fragment, Fragment)] == [b"old", b"new"]


# --- what a visitor says, on a page ----------------------------------------------------------------------------------

PAGE = b'<p id="a">A</p><p id="b" title="">B</p><p id="c">C</p>'


def page_of(*slots: Slot, **visitor: Any) -> bytes:
    """The page of a visitor, who has these claims and these fields."""
    stage = Personalize(*slots).bind(SNAPSHOT)
    template = compile_page(PAGE, stage.rules, charset="utf-8")
    shown = values(*slots, **visitor)
    return template.render_bytes(tuple(shown[name] for name in template.inputs))


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</p><p>", "&lt"])
def test_markup_of_a_visitor_comes_out_as_text(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    quoted = escaped.replace('"', "&#34;")
    page = page_of(
        Slot("a", Claim("name"), at="#a"),
        Slot("b", Cookie("name", bytes_max=64), at="#b", action="set_attribute", attribute="title"),
        Slot("c", lambda request, ctx: request.cookie("name"), at="#c"),
        request=Request(headers={"Cookie": f"name={text}"}),
        claims={"name": text},
    )
    assert page.decode() == f'<p id="a">{escaped}</p><p id="b" title="{quoted}">B</p><p id="c">{escaped}</p>'


def test_fragment_is_markup_only_where_its_slot_is_raw() -> None:
    fragments = Fragments("banners", Geo("country"))
    assert page_of(Slot("a", fragments, at="#a"), Slot("b", fragments, at="#c", raw=True)) == (
        b'<p id="a">&lt;p&gt;Hallo&lt;/p&gt;</p><p id="b" title="">B</p><p id="c"><p>Hallo</p></p>'
    )


def test_token_in_the_query_is_in_no_variable() -> None:
    keys = {"shop": KeySet.from_secret(b"k" * 32)}
    snapshot = SimpleNamespace(geo=TABLE, keys=keys, origins=frozenset({"main"}), revocations=None)
    gate = JwtAuth(issuer="https://id.shop.example", audience="shop", keys="shop", token_from=["query:token"])
    pipeline = Pipeline(gate, Personalize(esi=True)).bind(snapshot)
    engine = Engine({"*": Site("", pipeline, "main")}, ["main"], geo=TABLE)
    request = Request(target="/a?x=1&token=abc&y=2", headers={"Referer": "http://localhost/b?token=abc&z=3"})
    exchange = engine.begin(request, 0.0, Context().client_packed)
    assert exchange is not None
    exchange.step_start()
    stage = Personalize(esi=True).bind(snapshot)
    shown = [
        stage.source(Variable(*name)).find(request, exchange.ctx)
        for name in (("QUERY_STRING",), ("QUERY_STRING", "token"), ("QUERY_STRING", "y"), ("HTTP_REFERER",))
    ]
    assert shown == [b"x=1&y=2", None, b"2", b"http://localhost/b?z=3"]
