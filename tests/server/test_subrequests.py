"""What a page asks for while its visitor waits: URLs of the same site, each by an exchange of its own."""

import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from exchange import Message, Peer, Scene
from exchange.cached import MINUTE, answer, get

from fastedge import clock

POLICY = """
from fastedge import Pipeline
from fastedge.stages import Include, Match, Personalize, Slot, When

def pages(path, *slots, **options):
    return When(Match(path=[path]), Personalize(*slots, gzip=False, **options))

pipeline = Pipeline(
    pages("/", Slot("a", Include("/a", wait_ms={wait_ms}), raw=True, fallback="none"), fragment_bytes_max=1000),
    pages("/two", Slot("a", Include("/a"), raw=True), Slot("b", Include("/b"), raw=True)),
    pages("/same", Slot("a", Include("/a"), raw=True), Slot("b", Include("/a"), raw=True)),
    pages("/outer", Slot("a", Include("/inner"), raw=True), wait_ms=3000),
    pages("/inner", Slot("a", Include("/a"), raw=True), wait_ms=3000),
    pages("/loop", Slot("a", Include("/loop"), raw=True)),
    {more}
)
"""
ONE = b'<p data-edge="a">?</p>'
BOTH = ONE + b'<p data-edge="b">?</p>'
HTML = "content-type: text/html"
Answer = Callable[[Peer], None]


def html(body: bytes, *fields: str) -> tuple[str | bytes, ...]:
    return answer(HTML, *(fields or (MINUTE,)), body=body)


@dataclass
class Shop:
    """An origin: what each target is answered with, and how often it was asked."""

    scene: Scene
    answers: dict[str, tuple[str | bytes, ...] | Answer] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    requests: list[Message] = field(default_factory=list)

    def serve(self, *, wait_ms: int = 3000, more: str = "") -> Peer:
        """A client, once the edge is there."""
        self.scene.policy = POLICY.format(wait_ms=wait_ms, more=more)
        self.scene.origin.serve(self._answer)
        return self.scene.client()

    def _answer(self, peer: Peer, request: Message) -> None:
        self.asked[request.target] += 1
        self.requests.append(request)
        said = self.answers[request.target]
        if callable(said):
            said(peer)
        else:
            peer.send(*said)


@pytest.fixture
def shop(scene: Scene) -> Shop:
    pages = {target: html(ONE) for target in ("/", "/inner", "/outer", "/loop")}
    return Shop(scene, {**pages, "/two": html(BOTH), "/same": html(BOTH), "/a": html(b"A"), "/b": html(b"B")})


def filled(*values: bytes) -> bytes:
    return b"".join(
        b'<p data-edge="%b">%b</p>' % (name, value) for name, value in zip((b"a", b"b"), values, strict=False)
    )


def reason(message: Message) -> str:
    said = message.get("edge-error")
    return "" if said is None else said.rpartition("reason=")[2]


def test_page_gets_what_its_urls_answer(shop: Shop) -> None:
    client = shop.serve()
    for _ in range(2):
        page = get(client, target="/two")
        assert page.status == 200 and page.body == filled(b"A", b"B") and page.get("edge-error") is None
    assert shop.asked == {"/two": 1, "/a": 1, "/b": 1}


def test_hits_answer_at_once(shop: Shop) -> None:
    client = shop.serve()
    for target in ("/a", "/b", "/two"):
        get(client, target=target)
    client.send(*["GET /two HTTP/1.1\r\nhost: a.example\r\n\r\nGET /b HTTP/1.1\r\nhost: a.example"])
    assert client.message().body == filled(b"A", b"B") and client.message().body == b"B"


def test_two_places_share_one_fetch(shop: Shop) -> None:
    assert get(shop.serve(), target="/same").body == filled(b"A", b"A")
    assert shop.asked["/a"] == 1


def test_private_fragment_is_the_clients_own_each_time(shop: Shop) -> None:
    shop.answers["/a"] = html(b"A", "cache-control: private")
    client = shop.serve()
    for _ in range(2):
        assert get(client, "cookie: s=1").body == filled(b"A")
    assert shop.asked == {"/": 1, "/a": 2}
    assert [request.get("cookie") for request in shop.requests if request.target == "/a"] == ["s=1"] * 2


def test_fragment_request_is_a_plain_get_of_the_same_client(shop: Shop) -> None:
    shop.serve()
    client = shop.scene.client()
    get(client, 'if-none-match: "x"', "range: bytes=0-1", "x-own: 1", "accept-encoding: gzip")
    asked = shop.requests[-1]
    assert asked.start == "GET /a HTTP/1.1" and asked.get("host") == "a.example" and asked.get("x-own") == "1"
    assert asked.get("range") is None and asked.get("if-none-match") is None and asked.get("content-length") is None
    assert asked.get("x-forwarded-for") == "127.0.0.1" and asked.get("forwarded") == shop.requests[0].get("forwarded")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(status="404 Not Found", body=b"gone"), "status"),
        (answer(MINUTE, status="404 Not Found", body=b"gone"), "status"),
        (answer(MINUTE, body=bytes(1001)), "too_large"),
        (("HTTP/1.1 200 OK", "transfer-encoding: chunked", b"3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n"), "too_large"),
        (answer(MINUTE, "content-encoding: br", body=b"?"), "encoding"),
        (answer(MINUTE, "content-encoding: gzip", body=b"?"), "encoding"),
        (answer(MINUTE, "content-encoding: gzip", body=gzip.compress(bytes(1001))), "encoding"),
        (("nonsense",), "origin_error"),
    ],
    ids=["status", "stored status", "large", "streams", "br", "not gzip", "bomb", "no response"],
)
def test_what_will_not_do_leaves_the_fallback(shop: Shop, said: tuple[str | bytes, ...], why: str) -> None:
    shop.answers["/a"] = said
    client = shop.serve()
    for _ in range(2):
        page = get(client)
        assert page.status == 200 and page.body == filled(b"none") and reason(page) == why


def test_gzip_is_taken_off(shop: Shop) -> None:
    shop.answers["/a"] = html(gzip.compress(b"A"), MINUTE, "content-encoding: gzip")
    client = shop.serve()
    assert get(client).body == get(client).body == filled(b"A")


def test_fragment_that_breaks_off(shop: Shop) -> None:
    def break_off(peer: Peer) -> None:
        peer.send("HTTP/1.1 200 OK", MINUTE, "content-length: 10", b"12345")
        peer.close()

    shop.answers["/a"] = break_off
    page = get(shop.serve())
    assert page.body == filled(b"none") and reason(page) == "origin_error"


def test_time_out_leaves_the_flight_to_the_store(shop: Shop) -> None:
    release = threading.Event()

    def wait(peer: Peer) -> None:
        release.wait(5)
        peer.send(*html(b"A"))

    shop.answers["/a"] = wait
    client = shop.serve(wait_ms=60)
    started = time.monotonic()
    page = get(client)
    assert page.body == filled(b"none") and reason(page) == "timeout" and time.monotonic() - started < 2
    release.set()
    shop.scene.edge.until(lambda: len(shop.scene.edge.worker.front.flights) == 0)
    assert get(client).body == filled(b"A")
    assert shop.asked["/a"] == 1


@pytest.mark.parametrize("fields", [(MINUTE,), ("cache-control: private",)], ids=["shared", "private"])
def test_client_that_goes_takes_what_it_waits_for_along(shop: Shop, fields: tuple[str, ...]) -> None:
    begun, release = threading.Event(), threading.Event()

    def stream(peer: Peer) -> None:
        peer.send("HTTP/1.1 200 OK", HTML, *fields, "content-length: 2", b"A")
        begun.set()
        release.wait(5)
        peer.send(b"B")

    shop.answers["/a"] = stream
    client = shop.serve()
    client.send("GET /outer HTTP/1.1", "host: a.example")
    assert begun.wait(5)
    client.reset()
    shop.scene.edge.until(lambda: not shop.scene.edge.worker.front.connections)
    release.set()
    shop.scene.edge.until_idle()


def test_page_inside_of_a_page(shop: Shop) -> None:
    client = shop.serve()
    for _ in range(2):
        assert get(client, target="/outer").body == filled(filled(b"A"))
    assert shop.asked == {"/outer": 1, "/inner": 1, "/a": 1}


def test_page_inside_of_itself(shop: Shop) -> None:
    page = get(shop.serve(), target="/loop")
    assert page.body == ONE and reason(page) == "loop"


def test_stale_fragment_is_refreshed_beside(shop: Shop) -> None:
    shop.answers["/a"] = html(b"A", "cache-control: max-age=10, stale-while-revalidate=60")
    client = shop.serve()
    get(client)
    shop.answers["/a"] = html(b"new")
    clock.travel(20)
    assert get(client).body == filled(b"A")
    shop.scene.edge.until(lambda: shop.asked["/a"] == 2 and len(shop.scene.edge.worker.front.flights) == 0)
    assert get(client).body == filled(b"new")


def test_stale_fragment_stands_in_for_an_origin_that_fails(shop: Shop) -> None:
    shop.answers["/a"] = html(b"A", "cache-control: max-age=10, stale-if-error=600")
    client = shop.serve()
    get(client)
    shop.answers["/a"] = lambda peer: peer.close()
    clock.travel(20)
    assert get(client).body == filled(b"A")


def test_without_a_store(shop: Shop) -> None:
    shop.scene.more = "[cache]\nmemory_mb = 0\n"
    client = shop.serve()
    assert get(client, target="/two").body == get(client, target="/two").body == filled(b"A", b"B")
    assert get(client, target="/outer").body == filled(filled(b"A"))
    assert shop.asked == {"/two": 2, "/a": 3, "/b": 2, "/outer": 1, "/inner": 1}


def test_fragment_that_lies_on_the_disk(shop: Shop) -> None:
    body = bytes(range(48, 112)) * 4096  # too large for the memory tier
    shop.scene.disk_mb = 8
    shop.scene.more = "[cache]\nmemory_mb = 1\n"
    shop.answers["/a"] = html(body)
    client = shop.serve()
    for _ in range(3):
        assert get(client, target="/same").body == filled(body, body)
    shop.scene.edge.until(lambda: len(shop.scene.edge.worker.front.flights) == 0)
    assert shop.asked["/a"] == 1


def test_origin_connection_is_kept_behind_an_answer_that_will_not_do(shop: Shop) -> None:
    shop.answers["/a"] = answer(status="404 Not Found", body=b"gone")
    client = shop.serve()
    for _ in range(3):
        assert reason(get(client)) == "status"
    assert shop.scene.origin.accepted == 1
