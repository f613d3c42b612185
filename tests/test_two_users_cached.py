"""Invariant: what a user gets from the store is what the origin would have said to that user.

The other half of test_two_users: the same stages and the same people, through a real store; the origin says back what it
heard, as far as a shared cache has to tell it apart.
"""

import dataclasses
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_two_users import ENGINES, NOW, SETS, begun, engine_of, heard, users
from xxhash import xxh3_128_digest

from fastedge import CONTINUE, Context, Request, Response
from fastedge._core.message import replaced_fields
from fastedge._core.store import MemoryStore
from fastedge._core.stored import make_stored
from fastedge._core.storedhead import stored_head
from fastedge.caching.storing import assessment
from fastedge.engine import Engine, Exchange
from fastedge.handover import private_purges

PURGES = private_purges()
VARIED = ("authorization", "cookie", "origin", "x-country", "x-plan", "x-user")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the origin adds to its answers, the fields of a request whose lines it says back, and those of them that a
    shared cache tells apart: whoever shows others may hit only what was said to somebody who showed none."""

    fields: tuple[tuple[str, str], ...]
    says_back: tuple[str, ...]
    told_apart: tuple[str, ...]


ANSWERS = {
    "explicit": Answer((("cache-control", "max-age=60"),), (), ()),
    "a guess": Answer((("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),), ("authorization", "cookie"), ()),
    "varied": Answer((("cache-control", "public, max-age=60"), ("vary", ", ".join(VARIED))), VARIED, VARIED),
}


def said(exchange: Exchange, says_back: tuple[str, ...]) -> bytes:
    """The origin's body for this request."""
    origin, target, made, replaced = heard(exchange)
    lines = [(name, value) for name in says_back for value in own_lines(exchange, name)]
    return repr((origin, target, made, sorted(replaced), lines)).encode()


def own_lines(exchange: Exchange, name: str) -> list[str]:
    """The client's own lines of that name, as the origin gets them."""
    plan = exchange.ctx.plan
    edits = [(value, keyed) for edited, value, keyed in plan.header_edits if edited == name == "cookie"]
    if edits and edits[-1][0] and not edits[-1][1]:
        return [edits[-1][0]]  # what a stage has left of them
    return [] if name in replaced_fields(plan) else exchange.request.headers.get_all(name)


def keep(store: MemoryStore, exchange: Exchange, answer: Answer) -> None:
    """Stores the origin's answer, if a shared cache may."""
    fields = Response(200, list(answer.fields)).headers
    says_back = answer.says_back
    if exchange.ctx.plan.ttl_s is not None or exchange.ctx.plan.ignores_cookies:
        # The policy vouches for it that cookies change nothing, unless Vary names them.
        says_back = tuple(name for name in says_back if name != "cookie" or name in answer.told_apart)
    found = assessment(exchange.request, exchange.ctx.plan, 200, fields, [], NOW, NOW)
    if found.reason is not None:
        return
    assert exchange.key is not None and found.names is not None
    digest = xxh3_128_digest(exchange.key)
    store.put(
        make_stored(
            *halves(digest), exchange.key, 200, stored_head(fields), said(exchange, says_back), vary=found.vary,
            lifetime_s=found.lifetime_s, flags=found.flags, names=found.names, received_us=int(NOW * 1e6), born=PURGES.now(),
        )
    )  # fmt: skip


def halves(digest: bytes) -> tuple[int, int]:
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def live(engine: Engine, store: MemoryStore, request: Request, client: str, answer: Answer) -> Exchange:
    """One request's life; the origin answers where it is asked for all."""
    exchange = engine.begin(request, NOW, Context(client=client).client_packed, store, PURGES)
    assert exchange is not None
    if begun(exchange) == "share" and exchange.step_lead() == "share":
        keep(store, exchange, answer)
    return exchange


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("name", SETS)
@settings(max_examples=15, deadline=None)
@given(st.lists(users(), min_size=8, max_size=8))
@example([(Request("GET", "/a/1", fields, host="shop.example"), "0.0.0.9") for fields in ({}, {"X-Country": "ann"})])
def test_user_gets_what_the_origin_would_have_said(name: str, kind: str, people: list[tuple[Request, str]]) -> None:
    store = MemoryStore(1 << 20, bytes(16))
    cookies: set[str] = set()
    for request, client in people:
        exchange = live(ENGINES[name], store, request, client, ANSWERS[kind])
        if exchange.stored is None:
            continue
        assert exchange.response.body == said(exchange, ANSWERS[kind].told_apart)
        assert b"set-cookie" not in exchange.stored.head
        own = set(exchange.response.headers.get_all("set-cookie"))
        assert not own & cookies
        cookies |= own


def hits(engine: Engine, kind: str, *people: Request) -> list[bool]:
    store = MemoryStore(1 << 20, bytes(16))
    return [live(engine, store, request, "0.0.0.9", ANSWERS[kind]).stored is not None for request in people]


def test_the_property_is_not_empty() -> None:
    """Users do hit, and a stage that hides what it tells the origin is found out."""

    class Hides:
        def on_request(self, request: Request, ctx: Context) -> Any:
            ctx.plan.set_header("x-uid", request.cookie("uid") or "none", keyed=False)
            return CONTINUE

    ann, bob = (Request("GET", "/", {"cookie": f"uid={name}"}) for name in ("ann", "bob"))
    nobody = Request("GET", "/")
    assert hits(engine_of([]), "explicit", ann, bob) == [False, True]
    assert hits(engine_of([]), "a guess", ann, bob, nobody, nobody) == [False, False, False, True]
    assert hits(engine_of([]), "varied", ann, bob, ann) == [False, False, True]
    store, engine = MemoryStore(1 << 20, bytes(16)), engine_of([Hides()])
    live(engine, store, ann, "0.0.0.9", ANSWERS["explicit"])
    exchange = live(engine, store, bob, "0.0.0.9", ANSWERS["explicit"])
    assert exchange.stored is not None
    assert exchange.response.body != said(exchange, ())


def test_keys_that_collide_are_told_apart() -> None:
    """As if somebody had found two keys of one XXH3-128: the key itself is compared."""
    store = MemoryStore(1 << 20, bytes(16))
    engine = engine_of([])
    mine = live(engine, store, Request("GET", "/mine"), "0.0.0.9", ANSWERS["explicit"])
    other = live(engine, MemoryStore(1 << 20, bytes(16)), Request("GET", "/other"), "0.0.0.9", ANSWERS["explicit"])
    assert mine.key is not None and other.key is not None
    digest = halves(xxh3_128_digest(mine.key))
    store.put(make_stored(*digest, other.key, 200, b"", b"theirs", lifetime_s=60.0, received_us=int(NOW * 1e6)))
    again = live(engine, store, Request("GET", "/mine"), "0.0.0.9", ANSWERS["explicit"])
    assert again.stored is not None and again.response.body != b"theirs"
