"""Where values of slots come from: bounded, UTF-8, and None wherever there is nothing to show."""

from typing import Any

import pytest

from fastedge import Context, Request, StageError
from fastedge._core.slotvalues import (
    CallValue,
    ClaimValue,
    CookieValue,
    EsiInclude,
    EsiVariable,
    FragmentsValue,
    GeoValue,
    UrlValue,
    ValueSource,
    VariantValue,
)
from fastedge._core.stitch import Fragment
from fastedge.geo import Place, compile_table, load
from fastedge.limits import esi_variable_bytes_max

PLACE = Place("DE", region="DE-BW", city="Köln", time_zone="Europe/Berlin", asn=64500, organization="A & B")
TABLE = load(compile_table([(0, PLACE), (256, Place(""))], [], built=1, source="test"))
HERE, NOWHERE = "0.0.0.1", "0.0.2.1"


def context(client: str = HERE, **facts: Any) -> Context:
    ctx = Context(client=client, geo=TABLE)
    for name, value in facts.items():
        if name == "claims":
            ctx.claims = value
        else:
            ctx.variants.update(value)
    return ctx


def found(source: ValueSource, request: Request | None = None, ctx: Context | None = None) -> Any:
    return source.find(request or Request(), ctx or context())


def with_cookie(value: str) -> Request:
    return Request(headers={"Cookie": value})


# --- facts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("Bob <b>", "Bob <b>"),
        ("", ""),
        (5, "5"),
        (-(2**63), str(-(2**63))),
        (2**63, None),
        pytest.param(10**5000, None, id="huge"),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        (None, None),
        (["a"], None),
        ({"a": 1}, None),
    ],
)
def test_claim_is_a_text_a_number_or_a_truth_value(claim: object, value: str | None) -> None:
    assert found(ClaimValue("c"), ctx=context(claims={"c": claim})) == value


def test_claim_stands_for_what_the_policy_says() -> None:
    source = ClaimValue("plan", {"paid": "★", "true": b"yes", "3": "three"})
    assert [found(source, ctx=context(claims={"plan": plan})) for plan in ("paid", True, 3, "free", [])] == [
        "★".encode(),
        b"yes",
        b"three",
        None,
        None,
    ]


def test_nobody_has_no_claims() -> None:
    assert found(ClaimValue("name")) is None
    assert found(ClaimValue("name"), ctx=context(claims={})) is None


def test_cookie_is_one_of_those_that_are_allowed() -> None:
    source = CookieValue("tier", {"gold": "Gold", "silver": "Silver"})
    cookies = ["tier=gold", "a=b; tier=silver", "tier=bronze", "tier=", "Tier=gold", "tier=golden", 'tier="gold"', "x"]
    assert [found(source, with_cookie(cookie)) for cookie in cookies] == [b"Gold", b"Silver", *[None] * 6]
    assert found(source) is None


def test_cookie_is_a_text_within_its_bound() -> None:
    source = CookieValue("name", bytes_max=8)
    assert found(source, with_cookie("name=<b>&amp")) == b"<b>&amp"
    assert found(source, with_cookie("name=%41")) == b"%41"
    assert found(source, with_cookie("name=" + "x" * 9)) is None
    assert found(source, with_cookie("name=" + "x" * 8000)) is None
    assert found(source, with_cookie("name=")) == b""


def test_cookie_is_utf_8_or_nothing() -> None:
    source = CookieValue("name", bytes_max=64)
    assert found(source, with_cookie("name=" + "Zoë".encode().decode("latin-1"))) == "Zoë".encode()
    assert found(source, with_cookie("name=Zo\xeb")) is None


def test_first_cookie_of_the_first_line_counts() -> None:
    request = Request(headers=[("Cookie", "a=1; b=2"), ("X-A", "b=9"), ("Cookie", "b=3; c=4")])
    assert [found(CookieValue(name, bytes_max=9), request) for name in "abc"] == [b"1", b"2", b"4"]


@pytest.mark.parametrize(
    ("fact", "here", "nowhere"),
    [
        ("country", b"DE", None),
        ("continent", b"EU", None),
        ("is_eu", b"1", b"0"),
        ("region", b"DE-BW", None),
        ("city", "Köln".encode(), None),
        ("time_zone", b"Europe/Berlin", None),
        ("asn", b"64500", None),
        ("organization", b"A & B", None),
    ],
)
def test_geo_is_a_fact_where_it_is_known(fact: str, here: bytes, nowhere: bytes | None) -> None:
    assert found(GeoValue(fact)) == here
    assert found(GeoValue(fact), ctx=context(NOWHERE)) == nowhere
    assert found(GeoValue(fact, {here.decode(): "x"})) == b"x"
    assert found(GeoValue(fact, {"elsewhere": "x"})) is None


def test_variant_is_that_of_an_experiment_or_nothing() -> None:
    ctx = context(variants={"hero": "b", "odd": ["b"]})
    assert [found(VariantValue(name), ctx=ctx) for name in ("hero", "odd", "other")] == ["b", None, None]
    source = VariantValue("hero", {"b": "/b.jpg"})
    assert found(source, ctx=ctx) == b"/b.jpg"
    assert found(source, ctx=context(variants={"hero": "c"})) is None
    assert found(source) is None


def test_fragment_is_named_by_what_another_source_finds() -> None:
    table = {"DE": Fragment(b"<p>Hallo</p>"), "Köln": Fragment(b"<p>Alaaf</p>"), "b": Fragment(b"<p>b</p>")}
    assert found(FragmentsValue(table, GeoValue("country"))) is table["DE"]
    assert found(FragmentsValue(table, GeoValue("city"))) is table["Köln"]
    assert found(FragmentsValue(table, VariantValue("x")), ctx=context(variants={"x": "b"})) is table["b"]
    assert found(FragmentsValue(table, VariantValue("x")), ctx=context(variants={"x": "<p>"})) is None
    assert found(FragmentsValue(table, GeoValue("country")), ctx=context(NOWHERE)) is None


def test_constants_are_encoded_once() -> None:
    source = GeoValue("country", {"DE": "9,99 €"})
    assert found(source) is found(source)


# --- functions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["text", b"bytes", None, Fragment(b"x")])
def test_function_gives_the_value(value: object) -> None:
    request, ctx = Request(), context()
    assert CallValue(lambda *given: value if given == (request, ctx) else 0, "s").find(request, ctx) is value


def test_function_that_gives_something_else_names_its_slot() -> None:
    with pytest.raises(StageError, match=r"^Personalize, slot 'hello': returned int; a value is str, bytes or None$"):
        found(CallValue(lambda request, ctx: 3, "hello"))


def test_function_that_fails_says_how_itself() -> None:
    with pytest.raises(ZeroDivisionError):
        found(CallValue(lambda request, ctx: 1 / 0, "hello"))


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_function_cannot_end_the_worker(error: type[BaseException]) -> None:
    def hello(request: Request, ctx: Context) -> str:
        raise error

    with pytest.raises(StageError, match=f"^Personalize, slot 'hello': {error.__name__}$"):
        found(CallValue(hello, "hello"))


# --- URLs --------------------------------------------------------------------------------------------------------


def test_url_has_its_values_percent_encoded() -> None:
    source = UrlValue([b"/cart?c=", GeoValue("country"), b"&s=", CookieValue("s", bytes_max=64)], 200)
    assert source.wait_ms == 200
    assert source.differs_by == (b"Cookie",)
    assert (
        source.locate(with_cookie("s=a&b=c/../d#e f%41\\"), context())
        == b"/cart?c=DE&s=a%26b%3Dc%2F..%2Fd%23e%20f%2541%5C"
    )
    assert source.locate(with_cookie("s=gold"), context(), True) is None


@pytest.mark.parametrize("cookie", ["t=1", "s=", "s=.", "s=..", "s=Zo\xeb", "s=" + "x" * 99])
def test_url_without_one_of_its_values_is_nowhere(cookie: str) -> None:
    assert UrlValue([b"/cart/", CookieValue("s", bytes_max=64), b"/x"]).locate(with_cookie(cookie), context()) is None


# --- ESI ---------------------------------------------------------------------------------------------------------

REQUEST = Request(
    target="/p?a=1&b=%C3%B6+%3C&b=2&c&bad=%FF",
    host="shop.example:8080",
    headers=[
        ("Cookie", "tier=gold; long=" + "x" * 3000),
        ("Referer", "http://elsewhere/"),
        ("User-Agent", "Mozilla"),
        ("Accept-Language", "de"),
        ("X-Two", "1"),
        ("X-Two", "2"),
        ("Authorization", "Bearer abc"),
        ("Proxy-Authorization", "Basic abc"),
    ],
)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("HTTP_COOKIE", "tier", b"gold"),
        ("HTTP_COOKIE", "long", None),
        ("HTTP_COOKIE", "none", None),
        ("HTTP_HEADER", "Accept-Language", b"de"),
        ("HTTP_HEADER", "x-two", b"1, 2"),
        ("HTTP_HEADER", "x-none", None),
        ("HTTP_HEADER", "no name", None),
        ("HTTP_HEADER", "authorization", None),
        ("HTTP_HEADER", "Proxy-Authorization", None),
        ("HTTP_HEADER", "cookie", None),
        ("QUERY_STRING", "", b"a=1&b=%C3%B6+%3C&b=2&c&bad=%FF"),
        ("QUERY_STRING", "a", b"1"),
        ("QUERY_STRING", "b", "ö <".encode()),
        ("QUERY_STRING", "c", b""),
        ("QUERY_STRING", "bad", None),
        ("QUERY_STRING", "none", None),
        ("GEO", "country", b"DE"),
        ("GEO", "CITY", "Köln".encode()),
        ("GEO", "weather", None),
        ("HTTP_HOST", "", b"shop.example:8080"),
        ("HTTP_REFERER", "", b"http://elsewhere/"),
        ("HTTP_USER_AGENT", "", b"Mozilla"),
    ],
)
def test_variable_is_a_bounded_fact_of_the_request(name: str, key: str, value: bytes | None) -> None:
    assert found(EsiVariable(name, key, "default"), REQUEST) == value


def test_variables_of_a_bare_request_are_none() -> None:
    names = [("QUERY_STRING", ""), ("QUERY_STRING", "a"), ("HTTP_REFERER", ""), ("HTTP_USER_AGENT", "")]
    assert [found(EsiVariable(*name)) for name in names] == [None] * 4
    long = Request(target="/?a=" + "x" * esi_variable_bytes_max)
    assert found(EsiVariable("QUERY_STRING", ""), long) is None


def test_field_that_a_stage_keeps_from_the_origin_is_no_variable() -> None:
    ctx = context()
    ctx.plan.remove_header("x-two")
    assert found(EsiVariable("HTTP_HEADER", "X-Two"), REQUEST, ctx) is None
    assert found(EsiVariable("HTTP_HEADER", "Accept-Language"), REQUEST, ctx) == b"de"


def test_variables_say_what_they_differ_by() -> None:
    names = [
        ("HTTP_COOKIE", "a"),
        ("HTTP_HEADER", "X-A"),
        ("HTTP_REFERER", ""),
        ("HTTP_USER_AGENT", ""),
        ("GEO", "city"),
    ]
    assert [EsiVariable(*name).differs_by for name in names] == [
        (b"Cookie",),
        (b"X-A",),
        (b"Referer",),
        (b"User-Agent",),
        (),
    ]


def test_include_has_variables_percent_encoded_or_their_default() -> None:
    cookie, other = EsiVariable("HTTP_COOKIE", "tier"), EsiVariable("HTTP_COOKIE", "x", "a b")
    source = EsiInclude(["/f/ö ?t=", cookie, "&x=", other], ["../alt?", EsiVariable("HTTP_COOKIE", "y")], 300)
    assert source.wait_ms == 300
    assert source.differs_by == (b"Cookie",)
    assert source.locate(REQUEST, context()) == b"/f/%C3%B6%20?t=gold&x=a%20b"
    assert source.locate(with_cookie("tier=../x&y"), context()) == b"/f/%C3%B6%20?t=..%2Fx%26y&x=a%20b"
    assert source.locate(with_cookie("tier=.."), context()) is None
    assert source.locate(REQUEST, context(), True) == b"../alt?"
    assert EsiInclude(["/a"], []).locate(REQUEST, context(), True) is None
