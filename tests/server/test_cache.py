"""Whole lives of cached requests: a client asks, an origin answers, time passes, a client gets."""

import itertools
import threading

import pytest

from exchange import Message, Peer, Scene
from exchange.peer import WAIT_S
from fastedge import clock

GET = ("GET / HTTP/1.1", "host: a.example")


def answer(*fields: str, body: bytes = b"page", status: str = "200 OK") -> tuple[str | bytes, ...]:
    return (f"HTTP/1.1 {status}", *fields, f"content-length: {len(body)}", body)


@pytest.fixture(autouse=True)
def time_comes_back():
    before = clock.now() - clock.monotonic() / 1e6
    yield
    clock.travel(before - (clock.now() - clock.monotonic() / 1e6))


def get(client: Peer, *fields: str, target: str = "/"):
    client.send(f"GET {target} HTTP/1.1", "host: a.example", *fields)
    return client.message()


def stored(scene: Scene, *fields: str, body: bytes = b"page") -> tuple[Peer, Peer]:
    """A client and the origin's connection, after one request whose answer has these fields."""
    client = scene.client()
    client.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer(*fields, body=body))
    assert client.message().body == body
    return client, server


def cache_status(message) -> str:
    return message.get("cache-status")


def test_fresh_response_is_answered_without_the_origin(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(10)
    hit = get(client)
    assert hit.status == 200 and hit.body == b"page"
    assert hit.get("age") == "10" and cache_status(hit) == "fastedge; hit; ttl=50"
    assert hit.get("etag") == '"1"' and hit.get("via") == "1.1 fastedge" and hit.get("content-length") == "4"
    server.expect_silence()


def test_first_answer_says_that_it_is_stored(scene: Scene) -> None:
    client = scene.client()
    client.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer("cache-control: max-age=60"))
    miss = client.message()
    assert cache_status(miss) == "fastedge; fwd=uri-miss; stored" and miss.get("age") is None


def test_stale_response_is_validated_and_freshened(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"', "x-turn: 1")
    clock.travel(61)
    client.send(*GET)
    asked = server.message()
    assert asked.get("if-none-match") == '"1"'
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"', "cache-control: max-age=30", "x-turn: 2")
    again = client.message()
    assert again.body == b"page" and again.get("x-turn") == "2"
    assert cache_status(again) == "fastedge; fwd=stale; fwd-status=304"
    clock.travel(20)
    assert cache_status(get(client)) == "fastedge; hit; ttl=10"


def test_stale_response_is_replaced_by_a_new_one(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(61)
    client.send(*GET)
    server.message()
    server.send(*answer("cache-control: max-age=60", 'etag: "2"', body=b"new"))
    assert client.message().body == b"new"
    hit = get(client)
    assert hit.body == b"new" and hit.get("etag") == '"2"'


def test_304_about_another_representation_is_not_believed(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(61)
    client.send(*GET)
    server.message()
    server.send("HTTP/1.1 304 Not Modified", 'etag: "other"')
    whole = server.message()
    assert whole.get("if-none-match") is None
    server.send(*answer('etag: "other"', "cache-control: no-store", body=b"other"))
    assert client.message().body == b"other"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_clients_condition_is_answered_by_the_edge(scene: Scene, method: str) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: W/"1"', "content-type: text/plain")
    client.send(f"{method} / HTTP/1.1", "host: a.example", 'if-none-match: "0", "1"')
    same = client.message(head=method == "HEAD")
    assert same.status == 304 and same.get("etag") == 'W/"1"' and same.get("content-type") is None
    assert cache_status(same) == "fastedge; hit; ttl=60"
    server.expect_silence()


def test_clients_condition_does_not_reach_the_origin_on_a_miss(scene: Scene) -> None:
    client = scene.client()
    client.send(*GET, 'if-none-match: "1"')
    server = scene.origin.accept()
    assert server.message().get("if-none-match") is None
    server.send(*answer("cache-control: max-age=60", 'etag: "1"'))
    assert client.message().status == 304
    assert get(client).body == b"page"


@pytest.mark.parametrize(
    ("asked", "body", "content_range"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=0-0", b"0", "bytes 0-0/10"),
    ],
)
def test_part_of_a_stored_response(scene: Scene, asked: str, body: bytes, content_range: str) -> None:
    client, _ = stored(scene, "cache-control: max-age=60", 'etag: "1"', body=b"0123456789")
    part = get(client, f"range: {asked}")
    assert (part.status, part.body, part.get("content-range")) == (206, body, content_range)
    assert get(client, f"range: {asked}", 'if-range: "other"').status == 200
    assert get(client).body == b"0123456789"


def test_range_beyond_the_end_and_several_ranges(scene: Scene) -> None:
    client, _ = stored(scene, "cache-control: max-age=60", "content-type: text/plain", body=b"0123456789")
    beyond = get(client, "range: bytes=10-")
    assert beyond.status == 416 and beyond.get("content-range") == "bytes */10"
    several = get(client, "range: bytes=0-1,8-")
    assert several.status == 206 and (several.get("content-type") or "").startswith("multipart/byteranges; boundary=")
    assert b"01" in several.body and b"89" in several.body and b"34567" not in several.body


def test_range_on_a_miss_is_cut_from_the_whole(scene: Scene) -> None:
    client = scene.client()
    client.send(*GET, "range: bytes=3-5")
    server = scene.origin.accept()
    assert server.message().get("range") is None
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", "content-length: 10", b"01")
    server.send(b"234567")
    part = client.message()
    assert (part.status, part.body, part.get("content-length")) == (206, b"345", "3")
    server.send(b"89")
    scene.edge.until(lambda: len(scene.edge.worker.front.flights) == 0)
    assert get(client).body == b"0123456789"


def test_range_of_what_is_not_stored_goes_to_the_origin(scene: Scene) -> None:
    client = scene.client()
    client.send(*GET, "range: bytes=3-5")
    server = scene.origin.accept()
    server.message()
    server.send(*answer("cache-control: no-store", body=b"0123456789"))
    again = scene.origin.accept()
    assert again.message().get("range") == "bytes=3-5"
    again.send("HTTP/1.1 206 Partial Content", "content-range: bytes 3-5/10", "content-length: 3", b"345")
    assert client.message().body == b"345"


def test_head_is_answered_from_a_stored_get(scene: Scene) -> None:
    client, _ = stored(scene, "cache-control: max-age=60")
    client.send("HEAD / HTTP/1.1", "host: a.example")
    head = client.message(head=True)
    assert head.get("content-length") == "4" and cache_status(head) == "fastedge; hit; ttl=60"


def test_head_that_disagrees_makes_what_is_stored_invalid(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(61)
    client.send("HEAD / HTTP/1.1", "host: a.example")
    server.message()
    server.send("HTTP/1.1 200 OK", 'etag: "2"', "content-length: 4")
    assert client.message(head=True).get("etag") == '"2"'
    client.send(*GET)
    assert server.message().get("if-none-match") is None
    server.send(*answer())
    client.message()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_unsafe_method_invalidates(scene: Scene, method: str) -> None:
    client, server = stored(scene, "cache-control: max-age=60")
    client.send(f"{method} / HTTP/1.1", "host: a.example", "content-length: 0")
    server.message()
    server.send("HTTP/1.1 204 No Content")
    assert cache_status(client.message()) == "fastedge; fwd=method; detail=method"
    client.send(*GET)
    server.message()
    server.send(*answer(body=b"new"))
    assert client.message().body == b"new"


def test_unsafe_method_that_fails_invalidates_nothing(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60")
    client.send("POST / HTTP/1.1", "host: a.example", "content-length: 0")
    server.message()
    server.send("HTTP/1.1 403 Forbidden", "content-length: 0")
    client.message()
    assert get(client).body == b"page"


def test_vary_keeps_several_responses(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", "vary: accept-language", body=b"any")
    for language in ("de", "en"):
        client.send(*GET, f"accept-language: {language}")
        server.message()
        server.send(*answer("cache-control: max-age=60", "vary: accept-language", body=language.encode()))
        assert cache_status(client.message()) == "fastedge; fwd=vary-miss; stored"
    for language in ("de", "en"):
        assert get(client, f"accept-language:  {language} ").body == language.encode()
    assert get(client).body == b"any"


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        (["cache-control: no-store"], "origin_no_store"),
        (["cache-control: private"], "private"),
        (["cache-control: max-age=60", "set-cookie: a=b"], "set_cookie"),
        (["cache-control: max-age=60", "vary: *"], "vary_star"),
        ([], "no_freshness"),
    ],
)
def test_what_is_not_for_sharing_is_not_stored_and_says_why(scene: Scene, fields: list[str], detail: str) -> None:
    client, server = stored(scene, *fields)
    for _ in range(2):
        client.send(*GET)
        server.message()
        server.send(*answer(*fields, body=b"again"))
        again = client.message()
        assert again.body == b"again" and cache_status(again) == f"fastedge; fwd=uri-miss; detail={detail}"


def test_only_if_cached(scene: Scene) -> None:
    client = scene.client()
    assert get(client, "cache-control: only-if-cached").status == 504
    assert scene.origin.accepted == 0


def test_request_no_cache_and_max_age_ask_the_origin(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(10)
    for directive in ("no-cache", "max-age=5"):
        client.send(*GET, f"cache-control: {directive}")
        assert server.message().get("if-none-match") == '"1"'
        server.send("HTTP/1.1 304 Not Modified", 'etag: "1"')
        assert cache_status(client.message()) == "fastedge; fwd=request; fwd-status=304"
        clock.travel(10)


def test_stale_while_revalidate_sends_at_once_and_refreshes_beside(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, stale-while-revalidate=60", 'etag: "1"')
    clock.travel(70)
    stale = get(client)
    assert stale.body == b"page" and cache_status(stale) == "fastedge; hit; ttl=-10"
    assert server.message().get("if-none-match") == '"1"'
    assert get(client).body == b"page"
    server.send(*answer("cache-control: max-age=60", body=b"new"))
    scene.edge.until(lambda: len(scene.edge.worker.front.flights) == 0)
    assert get(client).body == b"new"
    assert scene.origin.accepted == 1


def test_stale_if_error(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, stale-if-error=60")
    clock.travel(70)
    client.send(*GET)
    server.message()
    server.send(*answer(status="503 Service Unavailable", body=b"down"))
    stale = client.message()
    assert stale.body == b"page" and cache_status(stale) == "fastedge; fwd=stale; fwd-status=503"
    client.send(*GET)
    scene.origin.accept().close()
    assert client.message().body == b"page"
    clock.travel(100)
    client.send(*GET)
    scene.origin.accept().close()
    assert client.message().status == 502


def test_must_revalidate_is_never_sent_stale(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, must-revalidate, stale-if-error=60")
    clock.travel(70)
    client.send(*GET)
    server.message()
    server.send(*answer(status="503 Service Unavailable", body=b"down"))
    assert client.message().status == 503


# --- one fetch for all -----------------------------------------------------------------------------------------------


def test_many_clients_share_one_fetch_and_read_while_it_arrives(scene: Scene) -> None:
    clients = [scene.client() for _ in range(20)]
    for client in clients:
        client.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", "content-length: 10", b"01234")
    heads = [client.head() for client in clients]
    late = scene.client().send(*GET)
    for one in (*clients, late):
        if one is late:
            heads.append(late.head())
        one.expect(b"01234")
    server.send(b"56789")
    for one in (*clients, late):
        one.expect(b"56789")
    said = [cache_status(head) for head in heads]
    assert said.count("fastedge; fwd=uri-miss; stored") == 1
    assert said.count("fastedge; fwd=uri-miss; collapsed; stored") == 20
    assert scene.origin.accepted == 1


def test_what_proves_unshareable_makes_no_queue(scene: Scene) -> None:
    together = threading.Barrier(3, timeout=WAIT_S)
    numbers = itertools.count()

    def serve(peer: Peer, request: Message) -> None:
        number = next(numbers)
        if number:
            together.wait()  # the others are asked for at the same time, or this breaks
        else:
            scene.edge.until(lambda: len(scene.edge.worker.front.connections) == 4)
        peer.send(*answer("cache-control: private", body=b"%d" % number))

    scene.origin.serve(serve)
    clients = [scene.client() for _ in range(4)]
    for client in clients:
        client.send(*GET)
    assert sorted(client.message().body for client in clients) == [b"0", b"1", b"2", b"3"]


def test_slow_client_holds_up_nobody_else(scene: Scene) -> None:
    body = bytes(8 * 1024 * 1024)
    slow = scene.client(SO_RCVBUF=4096)
    slow.send(*GET)
    server = scene.origin.accept()
    server.message()
    quick = scene.client().send(*GET)
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", f"content-length: {len(body)}", body)
    assert quick.message().body == body
    assert slow.message().body == body


def test_client_that_leaves_does_not_end_the_fetch_for_the_others(scene: Scene) -> None:
    leaver, stayer = scene.client(), scene.client()
    leaver.send(*GET)
    server = scene.origin.accept()
    server.message()
    stayer.send(*GET)
    scene.edge.until(lambda: len(scene.edge.worker.front.connections) == 2)
    leaver.reset()
    scene.edge.until(lambda: len(scene.edge.worker.front.connections) == 1)
    server.send(*answer("cache-control: max-age=60"))
    assert stayer.message().body == b"page"


def test_origin_that_dies_in_the_body_leaves_nothing_stored(scene: Scene) -> None:
    clients = [scene.client().send(*GET) for _ in range(3)]
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", "content-length: 10", b"01234")
    for client in clients:
        client.head()
    server.close()
    for client in clients:
        client.expect(b"01234")
        client.expect_end()
    again = scene.client().send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer())
    assert again.message().body == b"page"


def test_chunked_response_is_stored_with_its_length(scene: Scene) -> None:
    client = scene.client()
    client.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", "transfer-encoding: chunked", b"2\r\npa\r\n2\r\nge\r\n0\r\n\r\n")
    first = client.message()
    assert first.framing == "chunked" and first.body == b"page"
    hit = get(client)
    assert hit.get("content-length") == "4" and hit.body == b"page"


def test_body_that_is_too_large_passes_unstored(scene: Scene) -> None:
    scene.more = "[cache]\nmemory_mb = 1\n"
    body = bytes(200 * 1024)
    client, server = stored(scene, "cache-control: max-age=60", body=body)
    client.send(*GET)
    server.message()
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", "transfer-encoding: chunked")
    server.send(b"32000\r\n" + bytes(0x32000) + b"\r\n0\r\n\r\n")
    again = client.message()
    assert len(again.body) == 0x32000 and cache_status(again) == "fastedge; fwd=uri-miss; detail=too_large"


def test_pipelined_hits(scene: Scene) -> None:
    client, _ = stored(scene, "cache-control: max-age=60")
    client.send(*GET, *[]).send(*GET).send(*GET)
    assert [client.message().body for _ in range(3)] == [b"page"] * 3


def test_store_can_be_switched_off(scene: Scene) -> None:
    scene.more = "[cache]\nmemory_mb = 0\n"
    client, server = stored(scene, "cache-control: max-age=60")
    client.send(*GET)
    server.message()
    server.send(*answer(body=b"again"))
    again = client.message()
    assert again.body == b"again" and cache_status(again) is None


# --- unkeyed input ---------------------------------------------------------------------------------------------------

THEMED = """
from fastedge import Pipeline

class Theme:
    def on_origin_response(self, request, response, ctx):
        response.headers["x-theme"] = request.headers.get("x-theme", "none")

pipeline = Pipeline(Theme())
"""


@pytest.mark.parametrize(("vary", "says", "status"), [
    ("", "report", 200), ("", "error", 500), ("", "ignore", 200), ("x-theme", "error", 200),
])  # fmt: skip
def test_unkeyed_input_is_reported_or_refused(scene: Scene, caplog, vary: str, says: str, status: int) -> None:
    scene.policy = THEMED
    scene.more = f'[cache]\nunkeyed = "{says}"\n'
    fields = ["cache-control: max-age=60", *([f"vary: {vary}"] if vary else [])]
    scene.origin.serve(lambda peer, request: peer.send(*answer(*fields)))
    client = scene.client()
    assert [get(client, "x-theme: dark", target=target).status for target in ("/1", "/2")] == [status, status]
    told = [record.message for record in caplog.records if "reads x-theme outside the key" in record.message]
    assert len(told) == {"report": 1, "error": 2, "ignore": 0}[says] * (not vary)
