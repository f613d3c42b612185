"""What a slot's value costs by where it comes from, the stage's hook, and whether a client takes gzip."""

from typing import Any

import pytest

from fastedge import Context, Fields, Plan, Request
from fastedge._core.codings import takes_gzip
from fastedge._core.slotvalues import (
    CallValue,
    ClaimValue,
    CookieValue,
    EsiVariable,
    FragmentsValue,
    GeoValue,
    UrlValue,
    VariantValue,
)
from fastedge._core.stitch import Fragment
from fastedge.geo import shipped_table
from fastedge.stages import Geo, Personalize, Slot

TABLE = shipped_table()
CODINGS = "gzip, deflate, br, zstd"
REQUEST = Request(
    "GET",
    "/products/summer/shoes/12345?color=red&size=9",
    [
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36"),
        ("accept", "text/html,application/xhtml+xml"),
        ("accept-language", "en-GB,en;q=0.8"),
        ("accept-encoding", CODINGS),
        ("cookie", "theme=dark; session=abcdef0123456789; segment=gold; uid=visitor-000042"),
        ("sec-fetch-mode", "navigate"),
    ],
)
COUNTRY = GeoValue("country", {"DE": "9,99 €", "US": "$10.99"})
SOURCES = {
    "claim": ClaimValue("name"),
    "claim, mapped": ClaimValue("plan", {"paid": "yes"}),
    "cookie, allowed": CookieValue("segment", {"gold": "gold", "silver": "silver"}),
    "cookie, text": CookieValue("segment", bytes_max=64),
    "geo": COUNTRY,
    "variant": VariantValue("hero", {"a": "/a.jpg", "b": "/b.jpg"}),
    "fragments": FragmentsValue({"DE": Fragment(b"<p>Hallo</p>")}, GeoValue("country")),
    "function": CallValue(lambda request, ctx: "hello", "hello"),
    "ESI, a parameter": EsiVariable("QUERY_STRING", "size"),
}
TIMES = 1000


def context() -> Context:
    ctx = Context(client="129.69.1.1", geo=TABLE, plan=Plan())
    ctx.claims = {"name": "Bob", "plan": "paid"}
    ctx.variants["hero"] = "b"
    return ctx


def find_all(source: Any, ctx: Context) -> Any:
    find = source.find
    for _ in range(TIMES):
        value = find(REQUEST, ctx)
    return value


@pytest.mark.parametrize("source", SOURCES)
def test_value(benchmark: Any, source: str) -> None:
    benchmark.extra_info["operations"] = TIMES
    assert benchmark(find_all, SOURCES[source], context()) is not None


def test_url(benchmark: Any) -> None:
    source = UrlValue([b"/cart?c=", GeoValue("country"), b"&s=", CookieValue("segment", bytes_max=64)])
    assert benchmark(source.locate, REQUEST, context()) == b"/cart?c=DE&s=gold"


def take_all(fields: Fields) -> bool:
    for _ in range(TIMES):
        takes = takes_gzip(fields)
    return takes


def test_takes_gzip(benchmark: Any) -> None:
    benchmark.extra_info["operations"] = TIMES
    assert benchmark(take_all, REQUEST.headers)


def decide_all(stage: Any, contexts: list[Context]) -> None:
    for ctx in contexts:
        stage.decide(REQUEST, ctx)


def test_hook(benchmark: Any) -> None:
    """As many contexts as the freelists hold."""
    stage = Personalize(Slot("price", Geo("country"))).bind(Bound)
    benchmark.extra_info["operations"] = 200
    benchmark.pedantic(decide_all, setup=lambda: ((stage, [context() for _ in range(200)]), {}), rounds=50)


class Bound:
    geo = TABLE
