"""One fetch for all who ask for the same at the same time."""

import itertools
import threading

import pytest
from exchange import Message, Peer, Scene
from exchange.cached import GET, MINUTE, answer, asked, cache_status, get, stored, until_landed
from exchange.peer import WAIT_S

from fastedge import clock, limits
from fastedge.server import front


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


def test_who_waited_too_long_goes_alone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "cache_collapse_wait_ms", 100)
    (first,), slow = asked(scene)
    second = scene.client().send(*GET)
    own = scene.origin.accept()
    own.message()
    own.send(*answer(MINUTE, body=b"own"))
    reply = second.message()
    assert (reply.body, cache_status(reply)) == (b"own", "fastedge; fwd=uri-miss; detail=collapse_timeout")
    slow.send(*answer(MINUTE, body=b"slow"))
    assert first.message().body == b"slow"
    assert get(second).body == b"slow"


def test_patience_ends_with_the_head(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "cache_collapse_wait_ms", 150)
    clients, server = asked(scene, count=2)
    server.send("HTTP/1.1 200 OK", MINUTE, "content-length: 4", b"pa")
    heads = [client.head().get("content-length") for client in clients]
    for client in clients:
        client.expect(b"pa").expect_silence(0.3)
    server.send(b"ge")
    for client in clients:
        client.expect(b"ge")
    assert (heads, scene.origin.accepted) == (["4", "4"], 1)


def test_origin_that_fails_before_its_head_fails_all_who_wait(scene: Scene) -> None:
    clients, server = asked(scene, count=3)
    server.send(b"HTTP/1.1 2")
    server.close()
    assert [client.message().status for client in clients] == [502, 502, 502]
    scene.origin.serve(lambda peer, m: peer.send(*answer(MINUTE)))
    assert get(clients[0]).body == b"page"


def test_key_that_is_not_shared_makes_no_queue_for_a_while(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: private")
    client.send(*GET)
    server.message()
    other = scene.client().send(*GET)
    second = scene.origin.accept()
    second.message()
    second.send(*answer("cache-control: private", body=b"two"))
    assert other.message().body == b"two"
    server.send(*answer("cache-control: private", body=b"one"))
    assert client.message().body == b"one"
    clock.travel(limits.cache_uncollapsed_s + 1)
    client.send(*GET)
    server.message()
    other.send(*GET)
    second.expect_silence()
    server.send(*answer(MINUTE, body=b"for all"))
    assert client.message().body == other.message().body == b"for all"


def test_stream_of_what_is_stale_at_once_is_shared_only_with_those_who_waited(scene: Scene) -> None:
    clients, server = asked(scene, count=2)
    server.send("HTTP/1.1 200 OK", "cache-control: no-cache", 'etag: "1"', "content-length: 4", b"pa")
    for client in clients:
        client.head()
    late = scene.client().send(*GET)
    second = scene.origin.accept()
    second.message()
    second.send(*answer(MINUTE, body=b"late"))
    assert late.message().body == b"late"
    server.send(b"ge")
    for client in clients:
        client.expect(b"page")


def test_client_that_wants_it_anew_does_not_join_a_stream(scene: Scene) -> None:
    (client,), server = asked(scene)
    server.send("HTTP/1.1 200 OK", MINUTE, "content-length: 4", b"pa")
    client.head()
    late = scene.client().send(*GET, "cache-control: no-cache")
    second = scene.origin.accept()
    second.message()
    second.send(*answer(MINUTE, body=b"late"))
    assert late.message().body == b"late"
    server.send(b"ge")
    client.expect(b"page")


def test_all_clients_leave_and_the_answer_is_stored_all_the_same(scene: Scene) -> None:
    clients, server = asked(scene, count=2)
    for client in clients:
        client.reset()
    scene.edge.until(lambda: not scene.edge.worker.front.connections)
    server.send(*answer(MINUTE))
    until_landed(scene)
    assert get(scene.client()).body == b"page"


def test_stream_that_is_too_large_to_store_ends_when_nobody_reads_it(scene: Scene) -> None:
    scene.more = "[cache]\nmemory_mb = 1\n"
    (client,), server = asked(scene)
    server.send("HTTP/1.1 200 OK", MINUTE, "transfer-encoding: chunked", b"32000\r\n" + bytes(0x32000) + b"\r\n")
    client.head()
    client.close()
    server.expect_gone()
    assert len(scene.edge.worker.front.flights) == 0
