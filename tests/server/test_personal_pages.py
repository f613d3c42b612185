"""Personal pages as a client sees them: what one visitor gets reaches no other, and no page is cut short or taken for another."""

import gzip
import json
import os
import random
import signal
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from exchange import Message, Origin, Peer, Scene
from exchange.cached import MINUTE, answer, cache_status, get, until_landed, until_read
from running import Edge, connect, wait_until
from test_hostile_identity import SECRET, bearer

from fastedge import clock

HTML = "content-type: text/html"
PAGE = b'<p data-edge="a">you</p>'
LIMIT = 2 * 1024 * 1024
POLICY = """
from fastedge import CONTINUE, Pipeline, Response
from fastedge.stages import *

def who(request, ctx):
    return request.headers.get("x-who")

{more}
pipeline = Pipeline({before} Personalize(Slot("a", {source}){options}) {behind})
"""


def personal(
    scene: Scene, *, before: str = "", source: str = "who", options: str = "", behind: str = "", more: str = ""
) -> Peer:
    scene.policy = POLICY.format(before=before, source=source, options=options, behind=behind, more=more)
    return scene.client()


def page_of(name: str) -> bytes:
    return PAGE.replace(b"you", name.encode())


def ask(client: Peer, name: str, *fields: str, method: str = "GET", target: str = "/") -> Message:
    client.send(f"{method} {target} HTTP/1.1", "host: a.example", f"x-who: {name}", *fields)
    return client.message(head=method == "HEAD")


def first(
    scene: Scene, client: Peer, *fields: str | bytes, body: bytes = PAGE, name: str = "Ann"
) -> tuple[Message, Peer]:
    """What the one gets whose request the origin answers so; and the origin's connection."""
    client.send("GET / HTTP/1.1", "host: a.example", f"x-who: {name}")
    server = scene.origin.accept()
    server.message()
    server.send(*answer(HTML, *(fields or (MINUTE,)), body=body))
    return client.message(), server


def until_hit(client: Peer, name: str = "Ann") -> None:
    """It is written to the disk behind the visitor's back."""
    wait_until(lambda: cache_status(ask(client, name)) == "fastedge; hit; ttl=60", "a hit")


def etag(message: Message) -> str:
    found = message.get("etag")
    assert found is not None
    return found


# --- one page, many visitors ------------------------------------------------------------------------------------------


def test_each_visitor_gets_their_own_of_one_stored_page(scene: Scene) -> None:
    client = personal(scene)
    page, _ = first(scene, client)
    assert page.body == page_of("Ann")
    for name in ("Bob", "Cid", "Ann"):
        page = ask(client, name)
        assert page.body == page_of(name) and cache_status(page) == "fastedge; hit; ttl=60"
    assert scene.origin.accepted == 1


VISITORS = """
visitors = Pipeline(
    When(Match(field={"authorization": "*"}), JwtAuth(issuer="https://id.example", audience="shop", keys="shop")),
    Experiment("hero", {"a": 50, "b": 50}, sticky_by="cookie:uid"),
    Personalize(
        Slot("name", Claim("name"), fallback="guest"),
        Slot("tier", Cookie("tier", allow=["gold", "silver"])),
        Slot("uid", Cookie("uid", bytes_max=64)),
        Slot("hero", Variant("hero")),
        Slot("who", who),
    ),
    CacheRules(strip_cookies=True, default_ttl_s=60),
)
"""
VISITED = b"".join(b'<p data-edge="%b">-</p>' % name for name in (b"name", b"tier", b"uid", b"hero", b"who"))


@pytest.mark.parametrize("seed", range(3))
def test_visitors_are_kept_apart(scene: Scene, tmp_path, seed: int) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "secret").write_bytes(SECRET)
    scene.more = '[keys.shop]\nsecret_file = "secret"\n'
    scene.policy = POLICY.partition("pipeline =")[0].format(more=VISITORS.replace("visitors =", "pipeline ="))
    asked: list[str] = []

    def reply(peer: Peer, request: Message) -> None:
        asked.append(request.start)
        peer.send(*reply_to(request, HTML, body=VISITED))

    scene.origin.serve(reply)
    chance = random.Random(seed)
    clients = [scene.client() for _ in range(3)]
    etags: dict[str, tuple[bytes, bool]] = {}
    marks = {name: f"{name}-{seed}-mark" for name in ("ann", "bob", "cid", "dan")}
    variants: dict[str, set[bytes]] = {}
    for _ in range(60):
        name = chance.choice(list(marks))
        tier = chance.choice(["gold", "silver", "brass", ""])
        takes_gzip = chance.random() < 0.5
        has_token = chance.random() < 0.5
        fields = [f"x-who: {marks[name]}w", f"cookie: uid={marks[name]}u; tier={tier}"]
        fields += [bearer(name=marks[name] + "n")] if has_token else []
        fields += ["accept-encoding: gzip"] if takes_gzip else []
        head = chance.random() < 0.2
        client = chance.choice(clients)
        client.send(f"{'HEAD' if head else 'GET'} / HTTP/1.1", "host: a.example", *fields)
        message = client.message(head=head)
        assert message.status == 200 and message.get("cache-control") == "private, no-cache"
        if head:
            continue
        assert (message.get("content-encoding") == "gzip") == takes_gzip
        body = gzip.decompress(message.body) if takes_gzip else message.body
        for other, mark in marks.items():
            assert (mark.encode() in body) == (other == name)
        assert (b"guest" in body) != has_token
        for word in ("gold", "silver"):
            assert (word.encode() in body) == (tier == word)
        variants.setdefault(name, set()).add(body.partition(b'"hero">')[2][:1])
        assert etags.setdefault(etag(message), (body, takes_gzip)) == (body, takes_gzip)
        known = ask_again(client, etag(message), *fields)
        assert known.status == 304 and etag(known) == etag(message)
    assert all(len(found) == 1 for found in variants.values())
    assert asked.count("GET / HTTP/1.1") <= 4  # each variant, with and without a token


def ask_again(client: Peer, known: str, *fields: str) -> Message:
    return client.send("GET / HTTP/1.1", "host: a.example", f"if-none-match: {known}", *fields).message()


@pytest.mark.parametrize("when", ["before the head", "behind the head", "in the middle"])
@pytest.mark.parametrize("control", ["max-age=60", "private", "no-store"])
def test_all_who_wait_for_one_fetch_get_their_own(scene: Scene, when: str, control: str) -> None:
    personal(scene).close()
    names = ["Ann", "Bob", "Cid"]
    clients = [scene.client() for _ in names]
    clients[0].send("GET / HTTP/1.1", "host: a.example", "x-who: Ann")
    server = scene.origin.accept()
    server.message()
    if when != "before the head":
        server.send("HTTP/1.1 200 OK", HTML, f"cache-control: {control}", f"content-length: {len(PAGE)}")
        server.send(PAGE[:9] if when == "in the middle" else b"")
    for client, name in zip(clients[1:], names[1:], strict=True):
        client.send("GET / HTTP/1.1", "host: a.example", f"x-who: {name}")
    until_read(scene, 3)
    scene.origin.serve(lambda peer, request: peer.send(*answer(HTML, f"cache-control: {control}", body=PAGE)))
    if when == "before the head":
        server.send(*answer(HTML, f"cache-control: {control}", "connection: close", body=PAGE))
        server.close()
    else:
        server.send(PAGE[9:] if when == "in the middle" else PAGE)
    for client, name in zip(clients, names, strict=True):
        assert client.message().body == page_of(name)
    assert scene.origin.accepted == (1 if control == "max-age=60" else 3)


def test_stages_own_answer_is_left_as_it_is(scene: Scene) -> None:
    """One object for all: what is put into it for one would be every other's."""
    more = f"""
SHARED = Response(200, {{"content-type": "text/html", "cache-control": "max-age=9"}}, {PAGE!r})
class Answer:
    def on_request(self, request, ctx):
        return SHARED
"""
    client = personal(scene, more=more, behind=", Answer()")
    for name in ("Ann", "Bob"):
        page = ask(client, name)
        assert (page.body, page.get("cache-control"), page.get("etag")) == (PAGE, "max-age=9", None)


def test_answer_before_the_origin_is_left_as_it_is(scene: Scene) -> None:
    more = f"""
SHARED = Response(200, {{"content-type": "text/html"}}, {PAGE!r})
class Answer:
    def on_origin_request(self, request, ctx):
        return SHARED
"""
    client = personal(scene, more=more, behind=", Answer()")
    for name in ("Ann", "Bob"):
        assert ask(client, name).body == PAGE


def test_page_and_plain_hit_of_one_key(scene: Scene) -> None:
    scene.policy = POLICY.format(
        more="", before='When(Match(field={"x-who": "*"}), ', source="who", options="", behind=")"
    )
    client = scene.client()
    first(scene, client)
    for _ in range(2):
        plain = get(client)
        assert plain.body == PAGE and plain.get("cache-control") == "max-age=60"
        assert ask(client, "Bob").body == page_of("Bob")


def test_two_stages_are_one(scene: Scene) -> None:
    more = 'second = Personalize(Slot("b", lambda request, ctx: "2"), cache_control="private, max-age=5")'
    client = personal(scene, more=more, behind=", second")
    page, _ = first(scene, client, body=PAGE + b'<b data-edge="b"></b>')
    assert page.body == page_of("Ann") + b'<b data-edge="b">2</b>'
    assert page.get("cache-control") == "private, max-age=5"
    assert ask(client, "Bob").body == page_of("Bob") + b'<b data-edge="b">2</b>'
    pages = scene.edge.worker.front.engine.pages
    assert scene.edge.call(lambda: len(pages)) == 1


# --- what it says of itself -------------------------------------------------------------------------------------------

SHARED = (
    "cache-control: public, max-age=60, s-maxage=600", "expires: Thu, 01 Jan 2099 00:00:00 GMT", "pragma: x", 'etag: "theirs"',
    "last-modified: Sun, 06 Nov 1994 08:49:37 GMT", "age: 7", "cdn-cache-control: max-age=600", "surrogate-control: max-age=600",
    "edge-cache-control: max-age=600", "other-cdn-cache-control: public, max-age=600", "x-accel-expires: 600",
    "accept-ranges: bytes", "content-digest: sha-256=:AA==:", "vary: Accept-Language, ACCEPT-encoding", "x-own: 1",
)  # fmt: skip
GONE = (
    "expires", "pragma", "last-modified", "age", "cdn-cache-control", "surrogate-control", "edge-cache-control",
    "other-cdn-cache-control", "x-accel-expires", "accept-ranges", "content-digest", "content-encoding",
)  # fmt: skip


@pytest.mark.parametrize("hooks", ["", ", Hook()"])
def test_no_field_lets_another_cache_keep_it(scene: Scene, hooks: str) -> None:
    more = """
class Hook:
    def on_response(self, request, response, ctx):
        response.headers["cache-control"] = "public, max-age=1000"
"""
    client = personal(scene, more=more, behind=hooks)
    page, _ = first(scene, client, *SHARED)
    for message in (page, ask(client, "Bob"), ask(client, "Bob", method="HEAD")):
        assert message.get("cache-control") == "private, no-cache"
        assert [name for name in GONE if message.get(name) is not None] == []
        assert message.get("vary") == "Accept-Language, ACCEPT-encoding"
        assert etag(message).startswith('W/"') and message.get("x-own") == "1"
        assert message.get("content-length") == str(len(PAGE)) and len(message.all("date")) == 1
    known = ask(client, "Bob", f"if-none-match: {etag(message)}")
    assert known.status == 304 and known.get("content-length") is None and known.get("content-type") is None
    assert [name for name in GONE if known.get(name) is not None] == [] and len(known.all("date")) == 1
    assert known.get("vary") == "Accept-Language, ACCEPT-encoding" and etag(known) == etag(message)
    assert known.get("cache-control") == "private, no-cache"


@pytest.mark.parametrize("how", ["stored", "unstored", "head"])
def test_what_no_cache_may_keep_stays_so(scene: Scene, how: str) -> None:
    client = personal(scene)
    control = "cache-control: No-Store"
    fields = (control, "edge-cache-control: max-age=60") if how == "stored" else (control,)
    scene.origin.serve(lambda peer, request: peer.send(*reply_to(request, HTML, *fields, body=PAGE)))
    for _ in range(2):
        page = ask(client, "Ann", method="HEAD" if how == "head" else "GET")
        assert page.get("cache-control") == "private, no-cache, no-store"
    assert (cache_status(page) or "").startswith("fastedge; hit") == (how == "stored")


def reply_to(request: Message, *fields: str, body: bytes) -> tuple[str | bytes, ...]:
    whole = answer(*fields, body=body)
    return whole[:-1] if request.start.startswith("HEAD") else whole


def test_page_is_as_old_as_its_visitors_answer(scene: Scene) -> None:
    """Else what a policy lets browsers keep for a minute would be too old when it comes."""
    client = personal(scene, options=', cache_control="private, max-age=60"')
    first(scene, client, "cache-control: max-age=600", f"date: {formatdate(time.time() - 300, usegmt=True)}")
    for fields in ([], ["accept-encoding: gzip"]):
        page = ask(client, "Bob", *fields)
        assert page.get("cache-control") == "private, max-age=60" and page.get("age") is None
        assert time.time() - parsedate_to_datetime(page.get("date") or "").timestamp() < 60


@pytest.mark.parametrize(
    ("said", "want"), [("*", None), ("accept, Accept", "accept, Accept-Encoding"), (None, "Accept-Encoding")]
)
def test_vary_has_each_name_once(scene: Scene, said: str | None, want: str | None) -> None:
    client = personal(scene)
    page, _ = first(scene, client, MINUTE, *([f"vary: {said}"] if said else []))
    assert (page.get("vary") or "").lower() == (want or "*").lower()


def test_etag_is_of_the_values_the_page_and_the_coding(scene: Scene) -> None:
    client = personal(scene)
    page, server = first(scene, client)
    same, bob, squeezed = ask(client, "Ann"), ask(client, "Bob"), ask(client, "Ann", "accept-encoding: gzip")
    assert etag(page) == etag(same) and len({etag(page), etag(bob), etag(squeezed)}) == 3
    clock.travel(70)
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Ann")
    server.message()
    server.send(*answer(HTML, MINUTE, body=b"<b>new</b>" + PAGE))
    assert etag(client.message()) != etag(page)


def test_conditions_are_about_the_visitors_page(scene: Scene) -> None:
    client = personal(scene)
    own, _ = first(scene, client, MINUTE, 'etag: "stored"', "last-modified: Sun, 06 Nov 1994 08:49:37 GMT")
    assert ask(client, "Ann", f'if-none-match: "x", {etag(own)}').status == 304
    assert ask(client, "Ann", f"if-none-match: {etag(own)}", method="HEAD").status == 304
    assert ask(client, "Ann", "if-none-match: *").status == 304
    later = "if-modified-since: Thu, 01 Jan 2099 00:00:00 GMT"
    for fields in (
        ['if-none-match: "stored"'], ['if-none-match: W/"stored"'], [later], ["range: bytes=0-3"], ["range: bytes=99-"],
        ["range: bytes=0-1", f"if-range: {etag(own)}"], ["range: bytes=0-1", 'if-range: "stored"'],
    ):  # fmt: skip
        page = ask(client, "Ann", *fields)
        assert (page.status, page.body) == (200, page_of("Ann")), fields
    assert ask(client, "Bob", f"if-none-match: {etag(own)}").body == page_of("Bob")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions_and_ranges_never_reach_the_origin(scene: Scene, method: str) -> None:
    client = personal(scene)
    seen: list[Message] = []

    def reply(peer: Peer, request: Message) -> None:
        seen.append(request)
        peer.send(*reply_to(request, HTML, "cache-control: no-store", 'etag: "1"', body=PAGE))

    scene.origin.serve(reply)
    for _ in range(2):
        fields = (
            "if-none-match: *",
            "range: bytes=0-1",
            'if-range: "1"',
            "if-modified-since: Thu, 01 Jan 2099 00:00:00 GMT",
        )
        page = ask(client, "Ann", *fields, method=method)
        assert page.status == (304 if method == "GET" else 200)
    names = ("if-none-match", "range", "if-range", "if-modified-since")
    assert [request.get(name) for request in seen for name in names] == [None] * 4 * len(seen)


def test_precondition_is_the_origins_to_judge(scene: Scene) -> None:
    client = personal(scene)
    _, server = first(scene, client)
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Ann", 'if-match: "x"')
    assert server.message().get("if-match") == '"x"'
    server.send(*answer(HTML, status="412 Precondition Failed", body=PAGE))
    page = client.message()
    assert (page.status, page.body, page.get("etag")) == (412, page_of("Ann"), None)


# --- HEAD, other methods, other statuses ------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_head_of_a_stored_page_says_what_get_would(scene: Scene, coding: str) -> None:
    client = personal(scene)
    first(scene, client)
    fields = [f"accept-encoding: {coding}"] if coding else []
    page, head = ask(client, "Bobby", *fields), ask(client, "Bobby", *fields, method="HEAD")
    assert head.body == b"" and head.fields == page.fields


def test_head_of_what_is_not_stored_promises_no_length(scene: Scene) -> None:
    """The origin's is that of another page."""
    client = personal(scene)
    scene.origin.serve(lambda peer, request: peer.send(*reply_to(request, HTML, *SHARED, body=PAGE)))
    for _ in range(2):
        head = ask(client, "Ann", method="HEAD")
        assert head.status == 200 and head.get("content-length") is None and head.get("etag") is None
        assert head.get("cache-control") == "private, no-cache" and len(head.all("date")) == 1
        assert [name for name in GONE if head.get(name) is not None] == []


def test_answer_to_a_post_is_a_page_without_etag(scene: Scene) -> None:
    client = personal(scene)
    scene.origin.serve(lambda peer, request: peer.send(*answer(HTML, 'etag: "1"', body=PAGE)))
    client.send("POST / HTTP/1.1", "host: a.example", "x-who: Ann", "content-length: 3", b"abc")
    page = client.message()
    assert page.body == page_of("Ann") and page.get("etag") is None and page.get("cache-control") == "private, no-cache"


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal Server Error", "201 Created"])
def test_page_of_any_status(scene: Scene, status: str) -> None:
    client = personal(scene)
    scene.origin.serve(lambda peer, request: peer.send(*answer(HTML, MINUTE, 'etag: "1"', status=status, body=PAGE)))
    for name in ("Ann", "Bob"):
        page = ask(client, name, "if-none-match: *")
        assert f"HTTP/1.1 {status}" == page.start and page.body == page_of(name) and page.get("etag") is None


def test_part_that_nobody_asked_for_is_left_alone(scene: Scene) -> None:
    client = personal(scene)
    scene.origin.serve(
        lambda peer, request: peer.send(
            *answer(HTML, MINUTE, f"content-range: bytes 0-{len(PAGE) - 1}/99", status="206 Partial Content", body=PAGE)
        )
    )
    page = ask(client, "Ann")
    assert (page.status, page.body) == (206, PAGE)


# --- the stored page's life -------------------------------------------------------------------------------------------


def test_validated_page_is_not_compiled_again(scene: Scene) -> None:
    client = personal(scene)
    page, server = first(scene, client, MINUTE, 'etag: "1"')
    pages = scene.edge.worker.front.engine.pages
    clock.travel(70)
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Bob", f"if-none-match: {etag(page)}")
    assert server.message().get("if-none-match") == '"1"'
    server.send("HTTP/1.1 304 Not Modified", MINUTE, 'etag: "1"', "x-new: 1")
    page = client.message()
    assert (page.status, page.body, page.get("x-new")) == (200, page_of("Bob"), "1")
    assert cache_status(page) == "fastedge; fwd=stale; fwd-status=304"
    assert scene.edge.call(lambda: len(pages)) == 1


@pytest.mark.parametrize("field", ["content-type", "content-encoding"])
def test_page_is_what_the_reply_says_it_is(scene: Scene, field: str) -> None:
    """A hook may say so of one reply and otherwise of the next."""
    does = f"response.headers['{field}'] = request.headers['x-says']"
    client = hooked(scene, does)
    first_says, then_says = (
        ("text/html; charset=utf-8", "text/html; charset=windows-1252")
        if field == "content-type"
        else ("identity", "br")
    )
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: \xc3\xa9", f"x-says: {first_says}")
    server = scene.origin.accept()
    server.message()
    server.send(*answer(HTML, MINUTE, body=PAGE))
    seen = [client.message()]
    for says in (then_says, first_says):
        seen.append(ask(client, "\xc3\xa9", f"x-says: {says}"))
    assert seen[0].body == seen[2].body != PAGE and etag(seen[0]) == etag(seen[2])
    if field == "content-type":
        assert b"&#" in seen[1].body and etag(seen[1]) != etag(seen[0])
    else:
        assert seen[1].body == PAGE and seen[1].get("edge-error") == "personalize;reason=encoding"


def test_stale_page_is_sent_while_it_is_refreshed(scene: Scene) -> None:
    client = personal(scene)
    _, server = first(scene, client, "cache-control: max-age=60, stale-while-revalidate=60")
    clock.travel(70)
    assert ask(client, "Bob").body == page_of("Bob")
    server.message()
    server.send(*answer(HTML, MINUTE, body=b"<i>new</i>" + PAGE))
    until_landed(scene)
    assert ask(client, "Cid").body == b"<i>new</i>" + page_of("Cid")


@pytest.mark.parametrize("how", ["503", "silence", "breaks off", "breaks off unstored"])
def test_stale_page_stands_in_for_a_failing_origin(scene: Scene, how: str) -> None:
    scene.options = "first_byte_timeout_ms = 100"
    client = personal(scene)
    _, server = first(scene, client, "cache-control: max-age=60, stale-if-error=60")
    clock.travel(70)
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Bob")
    server.message()
    if how == "503":
        server.send(*answer(HTML, status="503 Service Unavailable", body=PAGE))
    elif how.startswith("breaks"):
        control = (
            "cache-control: private" if how.endswith("unstored") else 'cache-control: max-age=60, no-cache="x-mine"'
        )
        server.send(
            "HTTP/1.1 200 OK", HTML, control, "connection: x-own", "x-own: 1", "x-mine: 1", "content-length: 99", PAGE
        )
        server.close()
    page = client.message()
    assert (page.status, page.body, page.get("cache-control")) == (200, page_of("Bob"), "private, no-cache")
    assert page.get("x-mine") is None
    assert (cache_status(page) or "").startswith("fastedge; fwd=stale") and "stored" not in (cache_status(page) or "")


def test_purged_page_is_fetched_anew(scene: Scene) -> None:
    client = personal(scene)
    _, server = first(scene, client)
    client.send("DELETE / HTTP/1.1", "host: a.example")
    server.message()
    server.send("HTTP/1.1 204 No Content")
    client.message()
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Bob")
    server.message()
    server.send(*answer(HTML, MINUTE, body=b"<i>new</i>" + PAGE))
    assert client.message().body == b"<i>new</i>" + page_of("Bob")


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_page_that_is_on_the_disk_alone(scene: Scene, coding: str) -> None:
    scene.disk_mb, scene.more = 64, "[cache]\nmemory_mb = 1\n"
    client = personal(scene)
    body = PAGE + b"<i>" + random.Random(1).randbytes(300_000).hex().encode() + b"</i>"
    page, _ = first(scene, client, MINUTE, body=body)
    assert page.body == body.replace(b"you", b"Ann")
    until_hit(client)
    fields = [f"accept-encoding: {coding}"] if coding else []
    for name in ("Bobby", "Cid"):
        page, head = ask(client, name, *fields), ask(client, name, *fields, method="HEAD")
        assert (gzip.decompress(page.body) if coding else page.body) == body.replace(b"you", name.encode())
        assert head.fields == page.fields and (cache_status(page) or "").startswith("fastedge; hit")
        assert ask(client, name, f"if-none-match: {etag(page)}", *fields).status == 304
    assert scene.origin.accepted == 1
    assert scene.edge.call(lambda: len(scene.edge.worker.front.engine.pages)) <= 2


# --- origins ----------------------------------------------------------------------------------------------------------


def deflated(data: bytes, window: int) -> bytes:
    compressor = zlib.compressobj(wbits=window)
    return compressor.compress(data) + compressor.flush()


CODINGS = {
    "gzip": ("gzip", gzip.compress(PAGE), True),
    "members": ("GZip", gzip.compress(PAGE[:5]) + gzip.compress(PAGE[5:]), True),
    "x-gzip": ("x-gzip", gzip.compress(PAGE), True),
    "deflate": ("deflate", zlib.compress(PAGE), True),
    "twice": ("deflate, gzip", gzip.compress(zlib.compress(PAGE)), True),
    "identity": ("identity", PAGE, True),
    "raw deflate": ("deflate", deflated(PAGE, -15), False),
    "damaged": ("gzip", gzip.compress(PAGE)[:-9] + b"123456789", False),
    "short": ("gzip", gzip.compress(PAGE)[:-1], False),
    "more": ("gzip", gzip.compress(PAGE) + b"x", False),
    "bomb": ("gzip", gzip.compress(PAGE + bytes(LIMIT)), False),
    "br": ("br", b"\x0b\x02\x80abc\x03", False),
    "none of it": ("gzip", PAGE, False),
}


@pytest.mark.parametrize("control", [MINUTE, "cache-control: private"])
@pytest.mark.parametrize("name", CODINGS)
def test_page_in_a_content_coding(scene: Scene, name: str, control: str) -> None:
    coding, body, is_read = CODINGS[name]
    client = personal(scene)
    scene.origin.serve(
        lambda peer, request: peer.send(*answer(HTML, control, f"content-encoding: {coding}", body=body))
    )
    for visitor in ("Ann", "Bob"):
        page = ask(client, visitor)
        if is_read:
            assert page.body == page_of(visitor) and page.get("content-encoding") is None
            assert page.get("edge-error") is None
        else:
            assert (page.body, page.get("content-encoding"), page.get("cache-control")) == (body, coding, control[15:])
            assert page.get("edge-error") == "personalize;reason=encoding"


def test_empty_page_is_empty(scene: Scene) -> None:
    client = personal(scene)
    for fields in ([], ["accept-encoding: gzip"]):
        scene.origin.serve(lambda peer, request: peer.send(*answer(HTML, body=b"")))
        page = ask(client, "Ann", *fields)
        assert page.status == 200 and (gzip.decompress(page.body) if fields else page.body) == b""


@pytest.mark.parametrize("charset", ["utf-16le", "utf-16", "utf-7", "iso-2022-jp", "nonsense", "hex", "", '"', "\xff"])
def test_page_in_any_encoding_is_whole(scene: Scene, charset: str) -> None:
    client = personal(scene)
    bodies = (PAGE, PAGE.decode().encode("utf-16-le"), b"\xff\xfe" + PAGE, b"\x00\x80" * 99)

    def reply(peer: Peer, request: Message) -> None:
        peer.send(*answer(f"{HTML}; charset={charset}", body=bodies[int(request.target[1:])]))

    scene.origin.serve(reply)
    for number, body in enumerate(bodies):
        page = ask(client, "you", "accept-encoding: gzip", target=f"/{number}")
        assert page.status == 200 and gzip.decompress(page.body) == body
        assert page.get("content-type") == f"text/html; charset={charset}"


def test_page_behind_early_hints(scene: Scene) -> None:
    client = personal(scene)
    for is_whole in (True, False):
        client.send("GET / HTTP/1.1", "host: a.example", "x-who: Ann")
        server = scene.origin.accept()
        server.message()
        server.send("HTTP/1.1 103 Early Hints", "link: </a>; rel=preload")
        assert client.message().status == 103
        server.send("HTTP/1.1 200 OK", HTML, f"content-length: {len(PAGE) + 1 - is_whole}", "connection: close", PAGE)
        server.close()
        page = client.message()
        assert page.body == page_of("Ann") if is_whole else page.status == 502


@pytest.mark.parametrize("more", [0, 1], ids=["longest", "too long"])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_page_at_the_bound(scene: Scene, more: int, framing: str) -> None:
    client = personal(scene)
    body = PAGE + b" " * (LIMIT - len(PAGE) + more)

    def reply(peer: Peer, request: Message) -> None:
        if framing == "length":
            peer.send("HTTP/1.1 200 OK", HTML, MINUTE, f"content-length: {len(body)}", body)
        elif framing == "chunked":
            half = len(body) // 2
            peer.send("HTTP/1.1 200 OK", HTML, MINUTE, "transfer-encoding: chunked", "trailer: x-t", b"")
            for piece in (body[:half], body[half:]):
                peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            peer.send(b"0\r\nx-t: 1\r\n\r\n")
        else:
            peer.send("HTTP/1.1 200 OK", HTML, MINUTE, "connection: close", body)
            peer.close()

    scene.origin.serve(reply)
    for name in ("Ann", "Bob"):
        page = ask(client, name, "accept-encoding: gzip")
        if more:
            assert page.body == body and page.get("edge-error") == "personalize;reason=too_large"
            assert page.get("cache-control") == "max-age=60"
        else:
            assert gzip.decompress(page.body) == body.replace(b"you", name.encode())
            assert page.get("edge-error") is None


@pytest.mark.parametrize("control", [MINUTE, "cache-control: private"])
@pytest.mark.parametrize("framing", ["content-length: 9000", "transfer-encoding: chunked"])
def test_page_that_breaks_off_is_an_error(scene: Scene, framing: str, control: str) -> None:
    client = personal(scene)
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Ann")
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 200 OK", HTML, control, framing, b"%x\r\n%b\r\n" % (len(PAGE), PAGE))
    server.close()
    page = client.message()
    assert page.status == 502 and PAGE not in page.body and page.get("via") is None
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Bob")
    server = scene.origin.accept()
    server.message()
    server.send(*answer(HTML, control, body=PAGE))
    assert client.message().body == page_of("Bob")


@pytest.mark.parametrize("framing", [f"content-length: {LIMIT + 9000}", "transfer-encoding: chunked"])
@pytest.mark.parametrize("minor", [0, 1])
def test_long_page_that_breaks_off_is_seen_to(scene: Scene, framing: str, minor: int) -> None:
    client = personal(scene)
    client.send(f"GET / HTTP/1.{minor}", "host: a.example", "x-who: Ann")
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 200 OK", HTML, MINUTE, framing, b"%x\r\n%b\r\n" % (LIMIT + 2000, bytes(LIMIT + 2000)))
    server.close()
    client.expect_cut()


def test_fields_that_connection_names_go_no_further(scene: Scene) -> None:
    client = personal(scene)
    for control in (MINUTE, "cache-control: private"):
        client.send(f"GET /{len(control)} HTTP/1.1", "host: a.example", "x-who: Ann")
        server = scene.origin.accept()
        server.message()
        server.send(
            *answer(HTML, control, "connection: x-hop, close", "x-hop: 1", "keep-alive: 5", "x-own: 1", body=PAGE)
        )
        server.close()
        page = client.message()
        assert page.body == page_of("Ann") and page.get("x-hop") is None and page.get("keep-alive") is None
        assert page.get("x-own") == "1" and page.get("connection") is None


def test_trailers_of_a_page_go_no_further(scene: Scene) -> None:
    client = personal(scene)
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Ann", "te: trailers", "connection: te")
    server = scene.origin.accept()
    server.message()
    server.send(
        "HTTP/1.1 200 OK", HTML, "transfer-encoding: chunked", "trailer: etag", b"%x\r\n%b\r\n" % (len(PAGE), PAGE)
    )
    server.send(b'0\r\netag: "1"\r\n\r\n')
    page = client.message()
    assert page.framing == "length" and page.body == page_of("Ann") and page.get("trailer") is None


@pytest.mark.parametrize("control", [MINUTE, "cache-control: private"])
def test_client_that_goes_away_leaves_nothing(scene: Scene, control: str) -> None:
    client = personal(scene)
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Ann")
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 200 OK", HTML, control, f"content-length: {len(PAGE)}", PAGE[:9])
    other = scene.client()
    client.reset()
    scene.edge.until(lambda: len(scene.edge.worker.front.connections) == 1)
    if control == MINUTE:
        server.send(PAGE[9:])
        until_landed(scene)
        assert ask(other, "Bob").body == page_of("Bob")
        assert scene.origin.accepted == 1
    else:
        server.expect_gone()


# --- clients ----------------------------------------------------------------------------------------------------------


def test_requests_behind_a_page_are_answered_in_turn(scene: Scene) -> None:
    client = personal(scene)
    one = "GET /{} HTTP/1.1\r\nhost: a.example\r\nx-who: {}\r\n\r\n"
    client.send(
        "".join([one.format(1, "Ann"), one.format(1, "Bob"), one.format(2, "Cid"), one.format(1, "Dan")]).encode()
    )
    server = scene.origin.accept()
    for _ in range(2):
        server.message()
        server.send("HTTP/1.1 200 OK", HTML, MINUTE, f"content-length: {len(PAGE)}", PAGE[:7])
        scene.edge.call(lambda: None)
        server.send(PAGE[7:])
    assert [client.message().body for _ in range(4)] == [page_of(name) for name in ("Ann", "Bob", "Cid", "Dan")]


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("minor", [0, 1])
def test_connection_is_kept_or_closed_behind_a_page(scene: Scene, connection: str, minor: int) -> None:
    personal(scene).close()
    scene.origin.serve(lambda peer, request: peer.send(*answer(HTML, MINUTE, body=PAGE)))
    for name in ("Ann", "Bob"):
        client = scene.client()
        client.send(f"GET / HTTP/1.{minor}", "host: a.example", f"x-who: {name}", f"connection: {connection}")
        page = client.message()
        assert page.framing == "length" and page.body == page_of(name)
        if connection == "close":
            client.expect_end()
        else:
            assert ask(client, name).body == page_of(name)


def test_half_closed_client_gets_its_page(scene: Scene) -> None:
    client = personal(scene)
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Ann").finish()
    server = scene.origin.accept()
    server.message()
    server.send(*answer(HTML, body=PAGE))
    assert client.message().body == page_of("Ann")
    client.expect_end()


@pytest.mark.parametrize("rest", ["soon", "never"])
def test_page_that_comes_while_the_request_is_still_arriving(scene: Scene, rest: str) -> None:
    client = personal(scene)
    client.send("POST / HTTP/1.1", "host: a.example", "x-who: Ann", "content-length: 6", b"abc")
    server = scene.origin.accept()
    server.head()
    server.send(*answer(HTML, body=PAGE))
    assert client.message().body == page_of("Ann")
    if rest == "soon":
        client.send(b"def")
        scene.origin.serve(lambda peer, request: peer.send(*answer(HTML, body=PAGE)))
        assert ask(client, "Bob").body == page_of("Bob")


def test_page_for_one_who_waits_for_continue(scene: Scene) -> None:
    client = personal(scene)
    client.send("POST / HTTP/1.1", "host: a.example", "x-who: Ann", "expect: 100-continue", "content-length: 6")
    server = scene.origin.accept()
    server.head()
    server.send(*answer(HTML, status="403 Forbidden", body=PAGE))
    page = client.message()
    assert (page.status, page.body, page.get("connection")) == (403, page_of("Ann"), "close")


@pytest.mark.parametrize(
    ("accepts", "takes"),
    [
        ("gzip", True), ("GZIP;Q=0.5", True), ("x-gzip", True), ("*", True), ("identity;q=0, *", True), ("br, gzip", True),
        ("gzip;q=0", False), ("gzip;q=0.000, *", False), ("*;q=0", False), ("br", False), ("identity", False), ("", False),
        ("gzip;q=x", False), ("gzipped", False),
    ],
)  # fmt: skip
def test_gzip_is_for_those_who_take_it(scene: Scene, accepts: str, takes: bool) -> None:
    client = personal(scene)
    first(scene, client)
    for name in ("Ann", "<Bob>" * 200):
        page = ask(client, name, f"accept-encoding: {accepts}")
        assert (page.get("content-encoding") == "gzip") == takes
        inflater = zlib.decompressobj(31)
        body = inflater.decompress(page.body) if takes else page.body
        assert body == page_of(name.replace("<", "&lt;").replace(">", "&gt;"))
        assert not takes or (inflater.eof and not inflater.unused_data)


@pytest.mark.parametrize("slots", [1, 40, 100])
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_slow_client_gets_all_of_a_long_page(scene: Scene, slots: int, coding: str) -> None:
    """The socket takes some of it, in the middle of a piece."""
    client = personal(scene)
    noise = random.Random(slots)
    size = (LIMIT - 100_000) // slots
    body = b"".join(PAGE + b"<i>%b</i>" % noise.randbytes(size // 2).hex().encode() for _ in range(slots))
    first(scene, client, body=body)
    slow = scene.client(SO_RCVBUF=4096)
    one = ("GET / HTTP/1.1", "host: a.example", "x-who: Bob", *([f"accept-encoding: {coding}"] if coding else []))
    for _ in range(2):
        slow.send(*one)  # the second waits behind the first
    quick = ask(client, "Cid")
    assert quick.body == body.replace(b"you", b"Cid")
    for _ in range(2):
        page = slow.message()
        assert (gzip.decompress(page.body) if coding else page.body) == body.replace(b"you", b"Bob")


def test_client_that_closes_in_the_middle_of_a_long_page(scene: Scene) -> None:
    client = personal(scene)
    body = PAGE + bytes(LIMIT - 100)
    first(scene, client, body=body)
    for _ in range(3):
        slow = scene.client(SO_RCVBUF=4096)
        slow.send("GET / HTTP/1.1", "host: a.example", "x-who: Bob").head()
        slow.reset()
    assert ask(client, "Cid").body == body.replace(b"you", b"Cid")


# --- hooks of policies ------------------------------------------------------------------------------------------------

HOOK = """
class Hook:
    def {hook}(self, request, response, ctx):
        {does}
"""


def hooked(scene: Scene, does: str, hook: str = "on_response", **options: str) -> Peer:
    return personal(scene, more=HOOK.format(hook=hook, does=does), behind=", Hook()", **options)


@pytest.mark.parametrize("hook", ["on_response", "on_origin_response"])
def test_body_of_a_hook_is_made_a_page(scene: Scene, hook: str) -> None:
    client = hooked(scene, "response.body = response.headers['x-body']", hook)
    scene.origin.serve(
        lambda peer, request: peer.send(*answer(HTML, MINUTE, f"x-body: {PAGE.decode()}", 'etag: "1"', body=b"other"))
    )
    for name in ("Ann", "Bob", "Ann"):
        page = ask(client, name)
        assert page.body == page_of(name) and page.get("cache-control") == "private, no-cache" and etag(page) != '"1"'


@pytest.mark.parametrize("control", [MINUTE, "cache-control: private"])
def test_body_of_a_hook_waits_for_its_urls(scene: Scene, control: str) -> None:
    client = hooked(
        scene,
        f"response.body = {PAGE!r} if request.path == '/' else b'A'",
        source='Include("/a")',
        options=", gzip=False",
    )
    scene.origin.serve(lambda peer, request: peer.send(*answer(HTML, control, body=b"other")))
    for _ in range(3):
        page = ask(client, "Ann")
        assert page.body == page_of("A") and page.get("cache-control") == "private, no-cache"


def test_hooks_edits_go_along(scene: Scene) -> None:
    does = "response.headers['set-cookie'] = 'who=' + request.headers['x-who']; response.status = 203"
    client = hooked(scene, does)
    first(scene, client)
    for name in ("Bob", "Cid"):
        page = ask(client, name)
        assert (page.status, page.body, page.get("set-cookie")) == (203, page_of(name), f"who={name}")


def test_hook_can_make_it_no_page(scene: Scene) -> None:
    client = hooked(scene, "response.headers['content-type'] = 'text/plain'")
    page, _ = first(scene, client)
    assert page.body == PAGE and page.get("cache-control") == "max-age=60"


def test_hook_that_fails_makes_it_no_page(scene: Scene) -> None:
    client = hooked(scene, "raise ValueError")
    page, _ = first(scene, client)
    assert page.status == 500 and PAGE not in page.body


def test_experiments_cookie_goes_along(scene: Scene) -> None:
    client = personal(scene, before='Experiment("exp", {"a": 1}), ', source='Variant("exp")')
    page, _ = first(scene, client)
    assert page.body == page_of("a") and len(page.all("set-cookie")) == 1
    again = get(client)
    assert again.body == page_of("a") and again.all("set-cookie") != page.all("set-cookie")


def test_failing_function_is_told_once_for_each_reply(scene: Scene) -> None:
    client = personal(scene, source="lambda request, ctx: 1 / 0")
    for count in range(3):
        page = first(scene, client)[0] if count == 0 else ask(client, "Ann")
        assert page.body == PAGE and page.get("edge-error") == 'personalize;slot="a";reason=failed'


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_compiled_pages_are_bounded(scene: Scene) -> None:
    scene.more = "[cache]\nmemory_mb = 64\n"
    client = personal(scene)
    body = PAGE + b"<i>" + random.Random(2).randbytes(150_000).hex().encode() + b"</i>"
    scene.origin.serve(lambda peer, request: peer.send(*answer(HTML, MINUTE, body=body)))
    pages = scene.edge.worker.front.engine.pages
    used = []
    for turn in range(3):
        for number in range(16):
            page = ask(client, "Ann", *(["accept-encoding: gzip"] if turn else []), target=f"/{number}")
            assert (gzip.decompress(page.body) if turn else page.body) == body.replace(b"you", b"Ann")
            used.append(scene.edge.call(lambda: pages.bytes_used))
            assert used[-1] <= pages.bytes_max
    assert max(used) > pages.bytes_max // 2


def test_many_hits_take_no_memory(scene: Scene) -> None:
    import tracemalloc

    client = personal(scene)
    first(scene, client)
    burst = b"GET / HTTP/1.1\r\nhost: a.example\r\naccept-encoding: gzip\r\nx-who: Bob\r\n\r\n" * 100
    ask(client, "Bob", "accept-encoding: gzip")
    tracemalloc.start()
    try:
        sizes = []
        for turn in range(20):
            client.send(burst)
            for _ in range(100):
                client.message()
            if turn in (4, 19):
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < 50_000


# --- around it --------------------------------------------------------------------------------------------------------


def edge_of(run_edge: Callable[..., Edge], origin: Origin, *, more: str = "", **options: Any) -> Edge:
    policy = POLICY.format(more="", before="", source="who", options="", behind="")
    return run_edge(policy=policy, workers=1, more=f'[origins.main]\nservers = ["{origin.url}"]\n{more}', **options)


def fetched(edge: Edge, name: str, *fields: str) -> Message:
    with Peer(connect(edge.port)) as client:
        return ask(client, name, *fields)


@pytest.fixture
def origin() -> Iterator[Origin]:
    one = Origin()
    yield one
    one.close()


def test_edge_that_starts_again_and_reloads(run_edge: Callable[..., Edge], origin: Origin, tmp_path: Path) -> None:
    """Its disk is warm; what it says in its log and counts is what its visitors got; curl reads it."""
    origin.serve(lambda peer, request: peer.send(*answer(HTML, "cache-control: max-age=600", body=PAGE)))
    more = f'[cache]\ndisk_path = "{tmp_path}/disk"\ndisk_mb = 8\n'
    log = tmp_path / "log"
    edge = edge_of(run_edge, origin, more=more, log=str(log))
    assert fetched(edge, "Ann").body == page_of("Ann")
    wait_until(lambda: (cache_status(fetched(edge, "Bob")) or "").startswith("fastedge; hit"), "it is stored")
    edge.stop()
    edge = edge_of(run_edge, origin, more=more, log=str(log))
    for name in ("Cid", "Dan"):
        page = fetched(edge, name)
        assert page.body == page_of(name) and (cache_status(page) or "").startswith("fastedge; hit")
    assert edge.reload()[0] == 200
    page = fetched(edge, "Eve")
    assert page.body == page_of("Eve") and (cache_status(page) or "").startswith("fastedge; hit")
    command = [
        "curl",
        "-s",
        "--compressed",
        "-i",
        "-H",
        "host: a.example",
        "-H",
        "x-who: Eve",
        f"http://127.0.0.1:{edge.port}/",
    ]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    assert shown.endswith(b"\r\n\r\n" + page_of("Eve")) and b"content-encoding: gzip" in shown
    assert origin.accepted == 1
    wait_until(lambda: b"fastedge_cache" in edge.admin("GET", "/metrics")[1].encode(), "counters")
    edge.stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    hits = [line for line in lines if line.get("cache") == "HIT"]
    assert len(hits) >= 4 and all(line["status"] == 200 and line["bytes_out"] > len(PAGE) for line in hits)


def test_edge_that_drains_sends_the_page_first(run_edge: Callable[..., Edge], origin: Origin) -> None:
    edge = edge_of(run_edge, origin)
    with Peer(connect(edge.port)) as client:
        client.send("GET / HTTP/1.1", "host: a.example", "x-who: Ann")
        server = origin.accept()
        server.message()
        server.send("HTTP/1.1 200 OK", HTML, f"content-length: {len(PAGE)}", PAGE[:9])
        edge.signal(signal.SIGTERM)
        client.expect_silence(0.3)
        server.send(PAGE[9:])
        page = client.message()
        assert page.body == page_of("Ann") and page.get("connection") == "close"


@pytest.mark.parametrize("agreed", [True, False])
def test_request_to_upgrade(scene: Scene, agreed: bool) -> None:
    client = personal(scene)
    client.send("GET / HTTP/1.1", "host: a.example", "x-who: Ann", "connection: upgrade", "upgrade: echo")
    server = scene.origin.accept()
    assert server.message().get("upgrade") == "echo"
    if agreed:
        server.send("HTTP/1.1 101 Switching Protocols", "connection: upgrade", "upgrade: echo", HTML, PAGE)
        assert client.head().status == 101
        client.expect(PAGE)
        client.close()
        server.expect_gone()
    else:
        server.send(*answer(HTML, body=PAGE))
        page = client.message()
        assert (page.status, page.body) == (200, page_of("Ann"))


def test_reload_in_the_middle_of_a_page(run_edge: Callable[..., Edge], origin: Origin) -> None:
    edge = edge_of(run_edge, origin)
    with Peer(connect(edge.port)) as client:
        client.send("GET / HTTP/1.1", "host: a.example", "x-who: Ann")
        server = origin.accept()
        server.message()
        server.send("HTTP/1.1 200 OK", HTML, MINUTE, f"content-length: {len(PAGE)}", PAGE[:9])
        edge.write(POLICY.format(more="", before="", source='lambda request, ctx: "new"', options="", behind=""))
        assert edge.reload()[0] == 200
        server.send(PAGE[9:])
        assert client.message().body == page_of("Ann")
        assert ask(client, "Ann").body == page_of("new")


def test_long_stale_page_on_the_disk_is_refreshed(scene: Scene) -> None:
    """It is left alone, and refreshed all the same."""
    scene.disk_mb, scene.more = 64, "[cache]\nmemory_mb = 1\n"
    client = personal(scene)
    body = PAGE + bytes(LIMIT)
    page, server = first(scene, client, "cache-control: max-age=60, stale-while-revalidate=60", 'etag: "1"', body=body)
    until_hit(client)
    clock.travel(70)
    page = ask(client, "Ann")
    assert page.body == body and cache_status(page) == "fastedge; hit; ttl=-10"
    assert server.message().get("if-none-match") == '"1"'
    server.send("HTTP/1.1 304 Not Modified", MINUTE, 'etag: "1"')
    until_landed(scene)


@pytest.mark.parametrize("compiled", [True, False])
def test_file_that_is_damaged_is_not_sent(scene: Scene, tmp_path: Path, compiled: bool) -> None:
    scene.disk_mb, scene.more = 64, "[cache]\nmemory_mb = 1\n"
    client = personal(scene)
    size = 300_000 if compiled else 900_000  # of which there is no room among the compiled ones
    body = PAGE + b"<i>" + random.Random(1).randbytes(size).hex().encode() + b"</i>"
    scene.origin.serve(lambda peer, request: peer.send(*answer(HTML, MINUTE, body=body)))
    for name in ("Ann", "Bob"):
        until_hit(client, name)
    for file in (tmp_path / "cache").rglob("*"):
        if file.is_file():
            os.truncate(file, 1000)
    page = ask(client, "Bob")
    assert page.body == body.replace(b"you", b"Bob")
    if not compiled:
        assert not (cache_status(page) or "").startswith("fastedge; hit")


@pytest.mark.parametrize("rest", [1, 300_000])
def test_request_still_arrives_while_the_page_waits_for_a_url(scene: Scene, rest: int) -> None:
    client = personal(scene, source='Include("/a", wait_ms=2000)', options=", gzip=False")
    client.send("POST / HTTP/1.1", "host: a.example", f"content-length: {rest + 3}", b"abc")
    server = scene.origin.accept()
    server.head()
    server.send(*answer(HTML, "connection: close", body=PAGE))
    inner = scene.origin.accept()
    assert inner.message().target == "/a"
    client.send(bytes(rest))
    scene.origin.serve(lambda peer, request: peer.send(*answer(body=b"B")))
    inner.send(*answer("connection: close", body=b"A"))
    inner.close()
    page = client.message()
    assert page.body == page_of("A")
    if page.get("connection") is None:
        assert get(client, target="/b").body == b"B"
    else:
        client.expect_gone()


def test_client_that_goes_away_while_its_page_waits_for_a_url(scene: Scene) -> None:
    client = personal(scene, source='Include("/a", wait_ms=2000)')
    client.send("GET / HTTP/1.1", "host: a.example")
    server = scene.origin.accept()
    server.message()
    server.send(*answer(HTML, MINUTE, body=PAGE))
    assert server.message().target == "/a"
    client.reset()
    scene.edge.until(lambda: not scene.edge.worker.front.connections)
    server.send(*answer(MINUTE, body=b"A"))  # for the store
    until_landed(scene)
    assert get(scene.client()).body == page_of("A")
    assert scene.origin.accepted == 1


def test_pages_behind_one_that_waits_for_a_url(scene: Scene) -> None:
    client = personal(scene, source='Include("/a", wait_ms=2000)', options=", gzip=False")
    one = b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n"
    client.send(one * 2 + one.replace(b"GET", b"HEAD"))
    server = scene.origin.accept()
    server.message()
    server.send(*answer(HTML, MINUTE, body=PAGE))
    for count in range(3):
        assert server.message().target == "/a"
        client.expect_silence(0.05)
        server.send(*answer("cache-control: no-store", body=b"A" * (count + 1)))
        page = client.message(head=count == 2)
        assert page.get("content-length") == str(len(page_of("A" * (count + 1))))
        assert count == 2 or page.body == page_of("A" * (count + 1))
    client.send(one.replace(b"\r\n\r\n", f"\r\nif-none-match: {etag(page)}\r\n\r\n".encode()))
    assert server.message().target == "/a"
    server.send(*answer("cache-control: no-store", body=b"AAA"))
    assert client.message().status == 304


def test_pages_that_arrive_at_the_same_time_are_bounded_together(scene: Scene) -> None:
    """Private ones, each fetched by itself: those that are too many are sent as they are, and nothing is left behind."""
    body = PAGE + b"<p>" + b"x" * (LIMIT - 100)
    personal(scene)
    front = scene.edge.worker.front
    clients, servers = [], []
    for i in range(34):
        clients.append(scene.client().send(f"GET /{i} HTTP/1.1", "host: a.example", "x-who: Ann"))
        servers.append(scene.origin.accept())
        servers[-1].message()
        whole = answer(HTML, "cache-control: private", body=body)
        servers[-1].send(*whole[:-1], body[:-1])
    scene.edge.until(lambda: front.collected_bytes > 60 << 20)
    assert front.collected_bytes <= 66 << 20
    told = []
    for client, server in zip(clients, servers, strict=True):
        server.send(body[-1:])
        page = client.message()
        told.append(page.get("edge-error"))
        assert page.body == (body if told[-1] else body.replace(b"you", b"Ann", 1))
    assert set(told) == {None, "personalize;reason=busy"}
    scene.edge.until(lambda: front.collected_bytes == 0)
