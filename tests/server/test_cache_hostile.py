"""What one client, or a strange origin, does to a key is not what the others get of it."""

import time
from typing import Any

import pytest
from exchange import Cut, Message, Peer, Scene
from exchange.cached import GET, answer, cache_status, get, stored
from exchange.peer import WAIT_S

from fastedge import clock
from fastedge.disk.growing import GrowingFile


def ask(scene: Scene, *fields: str, method: str = "GET") -> Peer:
    client = scene.client()
    client.send(f"{method} / HTTP/1.1", "host: a.example", *fields)
    return client


def purge(scene: Scene, tag: bytes) -> None:
    scene.edge.call(lambda: scene.edge.worker.front.purges.purge_names(b"tag", [tag]))


def asked(scene: Scene) -> Peer:
    server = scene.origin.accept()
    server.message()
    return server


def test_head_that_is_answered_stale_leaves_no_empty_page_behind(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, stale-while-revalidate=60")
    clock.travel(61)
    client.send("HEAD / HTTP/1.1", "host: a.example")
    assert client.message(head=True).get("content-length") == "4"
    assert server.message().start.startswith("GET")
    server.send(*answer("cache-control: max-age=60", body=b"fresh"))
    scene.edge.until(lambda: len(scene.edge.worker.front.flights) == 0)
    assert get(client).body == b"fresh"


@pytest.mark.parametrize("wish", ["no-store, no-cache", "no-store, max-age=0"])
def test_client_that_wants_nothing_stored_costs_the_others_nothing(scene: Scene, wish: str) -> None:
    client, server = stored(scene, "cache-control: max-age=60")
    clock.travel(10)
    client.send(*GET, f"cache-control: {wish}")
    server.message()
    server.send(*answer("cache-control: max-age=60", body=b"new"))
    own = client.message()
    assert own.body == b"new" and "detail=request_no_store" in cache_status(own)
    assert cache_status(get(client)) == "fastedge; hit; ttl=50"


def test_no_store_and_only_if_cached_reach_no_origin(scene: Scene) -> None:
    assert get(scene.client(), "cache-control: no-store, only-if-cached").status == 504
    scene.origin.expect_nobody()


@pytest.mark.parametrize(("name", "field"), [("authorization", "authorization: Basic x"), ("cookie", "cookie: id=x")])
def test_what_one_client_sends_keeps_nothing_from_the_others(scene: Scene, name: str, field: str) -> None:
    fields = ("cache-control: max-age=60",) if name == "authorization" else ('etag: "1"',)
    client = ask(scene, field)
    server = asked(scene)
    server.send(*answer(*fields, body=b"own"))
    own = client.message()
    assert own.body == b"own" and f"detail={name}" in cache_status(own)
    client.send(*GET)
    server.message()
    server.send(*answer(*fields))
    assert cache_status(client.message()) == "fastedge; fwd=uri-miss; stored"
    one, other = ask(scene, field, "cache-control: no-cache"), ask(scene, field, "cache-control: no-cache")
    server.message()
    asked(scene)  # neither waits for the other
    one.close()
    other.close()


def test_304_that_is_one_clients_own_is_sent_to_nobody_else(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(61)
    client.send(*GET)
    server.message()
    other = ask(scene)
    time.sleep(0.05)
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"', "x-own: secret", "cache-control: private")
    assert client.message().get("x-own") == "secret"
    server.message()
    server.send(*answer("cache-control: max-age=60", body=b"again"))
    second = other.message()
    assert second.body == b"again" and second.get("x-own") is None


def test_304_to_an_authorized_request_leaves_what_is_stored(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    client.send(*GET, "authorization: Basic x", "cache-control: no-cache")
    server.message()
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"', "cache-control: max-age=60", "x-own: 1")
    assert client.message().get("x-own") == "1"
    again = get(client)
    assert again.get("x-own") is None and cache_status(again) == "fastedge; hit; ttl=60"


def test_who_asks_after_a_purge_does_not_get_what_was_asked_for_before_it(scene: Scene) -> None:
    before = ask(scene)
    server = asked(scene)
    purge(scene, b"red")
    after = ask(scene)
    time.sleep(0.05)
    server.send(*answer("cache-control: max-age=60", "cache-tag: red", body=b"old"))
    assert before.message().body == b"old"
    server.message()
    server.send(*answer("cache-control: max-age=60", "cache-tag: red", body=b"new"))
    assert after.message().body == b"new"
    assert get(after).body == b"new"


def test_who_asks_after_a_purge_does_not_join_what_is_arriving(scene: Scene) -> None:
    before = ask(scene)
    server = asked(scene)
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", "cache-tag: red", "content-length: 10", b"old..")
    before.head()
    purge(scene, b"blue")
    too = ask(scene)
    assert too.head().get("cache-status") == "fastedge; fwd=uri-miss; collapsed; stored"
    purge(scene, b"red")
    after = ask(scene)
    other = asked(scene)
    other.send(*answer("cache-control: max-age=60", "cache-tag: red", body=b"new"))
    assert after.message().body == b"new"
    server.send(b"old..")
    before.expect(b"old..old..")
    too.expect(b"old..old..")
    assert get(after).body == b"new"


def test_stale_response_that_was_purged_stands_in_for_nobody_who_asks_later(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, stale-if-error=600", "cache-tag: red")
    clock.travel(61)
    client.send(*GET)
    server.message()
    purge(scene, b"red")
    after = ask(scene)
    time.sleep(0.05)
    server.send("HTTP/1.1 503 Service Unavailable", "content-length: 0")
    assert client.message().body == b"page"
    server = asked(scene)
    server.send("HTTP/1.1 503 Service Unavailable", "content-length: 0")
    assert after.message().status == 503


def test_variants_do_not_queue_for_one_another(scene: Scene) -> None:
    first = ask(scene, "x-v: 0")
    server = asked(scene)
    others = [ask(scene, f"x-v: {number}") for number in (1, 1, 2, 2, 3)]
    time.sleep(0.05)
    fields = ("cache-control: max-age=60", "vary: x-v")
    server.send(*answer(*fields, body=b"0"))
    assert first.message().body == b"0"
    servers = [server, *(scene.origin.accept() for _ in range(2))]
    for one in servers:  # all three are asked before any of them answers
        one.asks = one.message().get("x-v")
    assert sorted(one.asks for one in servers) == ["1", "2", "3"]
    for one in servers:
        one.send(*answer(*fields, body=one.asks.encode()))
    assert [other.message().body for other in others] == [b"1", b"1", b"2", b"2", b"3"]


def test_what_an_origin_shares_again_is_stored_again(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: no-store")
    for outcome in ("fastedge; fwd=uri-miss; detail=origin_no_store", "fastedge; fwd=uri-miss; stored"):
        client.send(*GET)
        server.message()
        server.send(*answer("cache-control: max-age=60"))
        assert cache_status(client.message()) == outcome
    assert cache_status(get(client)) == "fastedge; hit; ttl=60"


def test_endless_body_that_nobody_reads_any_more_is_given_up(scene: Scene) -> None:
    scene.more = "[cache]\nmemory_mb = 1\n"
    client = ask(scene)
    server = asked(scene)
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", "transfer-encoding: chunked")
    client.head()
    client.reset()
    scene.edge.until(lambda: not scene.edge.worker.front.connections)
    deadline = time.monotonic() + WAIT_S
    with pytest.raises(ConnectionError):
        while time.monotonic() < deadline:
            server.send(b"10000\r\n" + bytes(65536) + b"\r\n")


def test_304_that_nobody_asked_for_is_not_stored(scene: Scene) -> None:
    def unasked(peer: Peer, _: Message) -> None:
        peer.send("HTTP/1.1 304 Not Modified", 'etag: "1"', "cache-control: max-age=60")

    scene.origin.serve(unasked)
    clients = [ask(scene) for _ in range(5)]
    assert {client.message().status for client in clients} == {304}
    assert "; hit" not in cache_status(get(clients[0]))


def test_vary_that_changes_with_every_answer_mixes_nothing(scene: Scene) -> None:
    client = scene.client()
    server = None
    for turn, vary in enumerate(("x-a", "x-b", "x-a, x-b", "x-c", "x-a")):
        client.send(*GET, f"x-a: {turn}", f"x-b: {turn}", f"x-c: {turn}")
        server = server or scene.origin.accept()
        server.message()
        server.send(*answer("cache-control: max-age=60", f"vary: {vary}", body=b"%d" % turn))
        assert client.message().body == b"%d" % turn
    for fields, body in ((("x-a: 0",), b"0"), (("x-b: 1",), b"1"), (("x-a: 2", "x-b: 2"), b"2"), (("x-c: 3",), b"3")):
        assert get(client, *fields).body == body


def test_fifty_pipelined_requests_of_every_kind_are_answered_in_order(scene: Scene) -> None:
    body = bytes(range(256)) * 400
    client, _server = stored(scene, "cache-control: max-age=60", 'etag: "1"', body=body)
    kinds = [
        ("GET", (), 200, body), ("HEAD", (), 200, b""), ("GET", ("range: bytes=5-9",), 206, body[5:10]),
        ("GET", ('if-none-match: "1"',), 304, b""), ("GET", ("range: bytes=999999-",), 416, b""),
        ("GET", ("range: bytes=5-9", 'if-range: "2"'), 200, body), ("HEAD", ("range: bytes=5-9",), 200, b""),
        ("GET", ("range: bytes=5-9", 'if-none-match: "1"'), 304, b""),
    ]  # fmt: skip
    asking = [kinds[number % len(kinds)] for number in range(50)]
    for method, fields, _, _ in asking:
        client.send(f"{method} / HTTP/1.1", "host: a.example", *fields)
    client.finish()
    for method, _, status, expected in asking:
        message = client.message(head=method == "HEAD")
        assert message.status == status and (status == 416 or message.body == expected)
    client.expect_end()


def test_two_hosts_of_one_edge_share_nothing(scene: Scene) -> None:
    client = scene.client()
    server = None
    for host in ("a.example", "b.example", "a.example:8080"):
        client.send("GET / HTTP/1.1", f"host: {host}")
        server = server or scene.origin.accept()
        server.message()
        server.send(*answer("cache-control: max-age=60", body=host.encode()))
        assert client.message().body == host.encode()
    for host in ("a.example", "b.example", "a.example:8080"):
        client.send("GET / HTTP/1.1", f"host: {host}")
        assert client.message().body == host.encode()


def test_variant_is_fetched_while_another_is_still_arriving(scene: Scene) -> None:
    scene.disk_mb = 64
    first = ask(scene, "x-v: 0")
    server = asked(scene)
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", "vary: x-v", "content-length: 10", b"zero.")
    first.head()
    others = [ask(scene, "x-v: 1") for _ in range(3)]
    second = asked(scene)
    second.send(*answer("cache-control: max-age=60", "vary: x-v", body=b"one"))
    assert [other.message().body for other in others] == [b"one"] * 3
    assert scene.edge.call(lambda: len(scene.edge.worker.front.flights)) <= 2
    server.send(b"zero.")
    first.expect(b"zero.zero.")


def test_body_on_disk_is_sent_to_a_client_that_pauses_and_cut_for_one_that_sleeps(scene: Scene) -> None:
    scene.disk_mb, scene.server, scene.more = 256, "send_timeout_ms = 300\n", "[cache]\nmemory_mb = 1\n"
    body = bytes(range(256)) * 4096 * 16
    scene.origin.serve(lambda peer, _: peer.send(*answer("cache-control: max-age=60", body=body)) and None)
    assert get(scene.client()).body == body
    scene.edge.until(lambda: scene.edge.worker.front.store.bytes_used > 0)
    slow = scene.client(SO_RCVBUF=65536)
    slow.send(*GET)
    head = slow.head()
    assert "; hit" in cache_status(head)
    for at in range(0, len(body), len(body) // 8):
        time.sleep(0.05)
        slow.expect(body[at : at + len(body) // 8])
    sleeper = scene.client(SO_RCVBUF=65536)
    sleeper.send(*GET)
    sleeper.head()
    scene.edge.until(lambda: len(scene.edge.worker.front.connections) == 2)
    with pytest.raises((Cut, ConnectionError)):
        sleeper.expect(body)


def test_disk_that_is_slow_but_keeps_up_is_waited_for_again_and_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = GrowingFile.advance

    def slowly(*arguments: Any) -> Any:
        time.sleep(0.4)
        return advance(*arguments)

    monkeypatch.setattr(GrowingFile, "advance", slowly)
    scene.disk_mb, scene.more = 256, "[cache]\nmemory_mb = 1\n"
    body = bytes(10 << 20)
    scene.origin.serve(lambda peer, _: peer.send(*answer("cache-control: max-age=60", body=body)) and None)
    client = scene.client()
    assert get(client).body == body
    scene.edge.until(lambda: scene.edge.worker.front.store.bytes_used > 0)
    assert "; hit" in cache_status(get(client)) and not scene.edge.warnings


def test_bodies_that_arrive_together_take_no_more_memory_than_the_tier(scene: Scene) -> None:
    scene.more = "[cache]\nmemory_mb = 1\n"
    clients, servers = [], []
    for number in range(20):
        clients.append(scene.client().send(f"GET /{number} HTTP/1.1", "host: a.example"))
        servers.append(asked(scene))
        servers[-1].send("HTTP/1.1 200 OK", "cache-control: max-age=60", "content-length: 100001", bytes(100_000))
        clients[-1].head()
        clients[-1].expect(bytes(100_000))
    held = scene.edge.call(lambda: scene.edge.worker.front.flights.tiers.arriving)
    assert 800_000 < held <= 1 << 20
    for client, server in zip(clients, servers, strict=True):
        server.send(b"!")
        client.expect(b"!")
    scene.edge.until(lambda: scene.edge.worker.front.flights.tiers.arriving == 0)
    assert "; hit" in cache_status(get(clients[0], target="/9")) or "; hit" in cache_status(
        get(clients[0], target="/8")
    )
