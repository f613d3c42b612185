"""Hits and misses on connections of every kind, and edges that change under them."""

import pytest
from exchange import Scene
from exchange.cached import GET, MINUTE, answer, asked, cache_status, get, stored, until_read

from fastedge import clock
from fastedge.assembly import prepare


def test_pipelined_hits(scene: Scene) -> None:
    client, _ = stored(scene, "cache-control: max-age=60")
    client.send(*GET).send(*GET).send(*GET)
    assert [client.message().body for _ in range(3)] == [b"page"] * 3


def test_pipelined_hits_and_misses_are_answered_in_order(scene: Scene) -> None:
    scene.origin.serve(lambda peer, m: peer.send(*answer(MINUTE, body=m.target.encode())))
    client = scene.client()
    get(client, target="/hit")
    targets = ["/hit", "/a", "/a", "/hit", "/b", "/hit", "/a"]
    client.send(b"".join(f"GET {target} HTTP/1.1\r\nhost: a.example\r\n\r\n".encode() for target in targets))
    assert [client.message().body.decode() for _ in targets] == targets


def test_hit_on_a_connection_that_closes(scene: Scene) -> None:
    client, _ = stored(scene, MINUTE)
    client.send(*GET, "connection: close")
    hit = client.message()
    assert (hit.body, hit.get("connection"), cache_status(hit)) == (b"page", "close", "fastedge; hit; ttl=60")
    client.expect_end()


@pytest.mark.parametrize("framing", ["content-length: 4", "transfer-encoding: chunked"])
def test_http_1_0_clients_share_fetches_and_hit(scene: Scene, framing: str) -> None:
    body = b"page" if framing.startswith("content") else b"4\r\npage\r\n0\r\n\r\n"
    clients = [scene.client().send("GET / HTTP/1.0", "host: a.example")]
    server = scene.origin.accept()
    server.message()
    clients.append(scene.client().send(*GET))
    until_read(scene, 2)
    server.send("HTTP/1.1 200 OK", MINUTE, framing, body)
    old, new = (client.message() for client in clients)
    assert old.body == new.body == b"page"
    assert old.framing == ("length" if framing.startswith("content") else "close")
    hit = scene.client().send("GET / HTTP/1.0", "host: a.example").message()
    assert (hit.body, hit.framing, cache_status(hit)) == (b"page", "length", "fastedge; hit; ttl=60")


def test_half_closed_client_gets_its_hit_and_its_share(scene: Scene) -> None:
    (first,), server = asked(scene)
    second = scene.client().send(*GET).finish()
    until_read(scene, 2)
    server.send(*answer(MINUTE))
    assert first.message().body == second.message().body == b"page"
    second.expect_end()
    third = scene.client().send(*GET).finish()
    assert third.message().body == b"page"
    third.expect_end()


def test_body_of_a_get_goes_to_the_origin_and_nothing_is_stored(scene: Scene) -> None:
    client, server = stored(scene, MINUTE)
    client.send(*GET, "content-length: 2", b"ab")
    assert server.message().body == b"ab"
    server.send(*answer(MINUTE, body=b"for ab"))
    reply = client.message()
    assert (reply.body, cache_status(reply)) == (b"for ab", "fastedge; fwd=bypass; detail=request_body")
    assert get(client).body == b"page"


def test_reload_under_a_fetch_that_is_shared(scene: Scene) -> None:
    (before,), server = asked(scene)
    worker = scene.edge.worker
    again = prepare(worker.prepared.sources, 99_999)
    scene.edge.call(lambda: worker.commit(again))
    after = scene.client().send(*GET)
    until_read(scene, 2)
    server.send(*answer(MINUTE))
    assert before.message().body == after.message().body == b"page"
    assert get(after).body == get(before).body == b"page"
    assert scene.origin.accepted == 1


def test_drain_under_a_fetch_that_is_shared(scene: Scene) -> None:
    clients, server = asked(scene, count=2)
    server.send("HTTP/1.1 200 OK", MINUTE, "content-length: 4", b"pa")
    heads = [client.head() for client in clients]
    idle = scene.client()
    scene.edge.until(lambda: len(scene.edge.worker.front.connections) == 3)
    scene.edge.call(scene.edge.worker.front.drain)
    idle.expect_end()
    server.send(b"ge")
    for client in clients:
        client.expect(b"page")
        client.expect_end()
    assert {head.status for head in heads} == {200}


def test_edge_that_stops_under_a_refresh_leaves_nothing(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, stale-while-revalidate=60")
    clock.travel(61)
    assert get(client).body == b"page"
    server.message()
    client.close()
    scene.edge.call(scene.edge.worker.front.flights.abandon)
    server.expect_gone()
    assert len(scene.edge.worker.front.flights) == 0
