"""An origin of several servers, or of one that is asked too much: who is asked, who waits, who is left alone."""

import socket
import time

import pytest

GET = ("GET / HTTP/1.1", "host: a")
OK = ("HTTP/1.1 200 OK", "content-length: 2", b"ok")


@pytest.fixture(autouse=True)
def each_asks_for_itself(scene):
    scene.more = "[cache]\nmemory_mb = 0\n"


def fail_with(client, status, error):
    answer = client.message()
    assert (answer.status, answer.get("proxy-status")) == (status, f"fastedge; error={error}")


def test_least_busy_server_asked(scene):
    origins = [scene.add_origin() for _ in range(3)]
    clients = [scene.client() for _ in range(6)]
    for client in clients:
        client.send(*GET)
    scene.edge.until(lambda: all(s.busy == 2 for s in scene.edge.worker.pools["main"].servers))
    for origin in origins:
        for _ in range(2):
            server = origin.accept()
            server.message()
            server.send(*OK)
    assert [client.message().status for client in clients] == [200] * 6


def test_dead_server_goes_unnoticed(scene):
    dead, alive = scene.add_origin(), scene.add_origin()
    dead.stop()
    alive.serve(lambda peer, m: peer.send(*OK))
    scene.options = "breaker_failures = 0"
    clients = [scene.client() for _ in range(8)]
    for _ in range(5):
        for client in clients:
            client.send(*GET)
        assert [client.message().status for client in clients] == [200] * 8


def test_dead_server_goes_unnoticed_behind_an_old_connection(scene):
    first, second = scene.add_origin(), scene.add_origin()
    client = scene.client()
    client.send(*GET)
    scene.edge.until(lambda: any(s.busy for s in scene.edge.worker.pools["main"].servers))
    asked = next(i for i, s in enumerate(scene.edge.worker.pools["main"].servers) if s.busy)
    old, other = (first, second) if asked == 0 else (second, first)
    server = old.accept()
    server.message()
    server.send(*OK)
    assert client.message().status == 200
    client.send(*GET)
    server.message()
    old.stop()
    other.serve(lambda peer, m: peer.send(*OK))
    server.close()
    assert client.message().status == 200


def test_all_servers_dead(scene):
    for _ in range(2):
        scene.add_origin().stop()
    client = scene.client()
    client.send(*GET)
    fail_with(client, 502, "connection_refused")


def test_breaker_opens_then_a_trial_closes_it(scene):
    scene.options = "breaker_failures = 3\nbreaker_open_ms = 300"
    port = scene.origin.authority
    scene.origin.stop()
    client = scene.client()
    for _ in range(3):
        client.send(*GET)
        fail_with(client, 502, "connection_refused")
    assert "breaker=open" in scene.edge.pool()
    started = time.monotonic()
    client.send(*GET)
    fail_with(client, 503, "destination_unavailable")
    assert time.monotonic() - started < 0.2
    time.sleep(0.35)
    client.send(*GET)
    fail_with(client, 502, "connection_refused")  # the trial
    client.send(*GET)
    fail_with(client, 503, "destination_unavailable")
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", int(port.rpartition(":")[2])))
        again.listen()
        time.sleep(0.35)
        client.send(*GET)
        sock, _ = again.accept()
        with sock:
            sock.recv(1000)
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            assert client.message().status == 200
    assert "breaker=closed" in scene.edge.pool()


def test_open_breaker_drops_idle_connections_and_answers_at_once(scene):
    scene.options = "breaker_failures = 1\nbreaker_open_ms = 5000\nfirst_byte_timeout_ms = 150"
    first, second = scene.client(), scene.client()
    peers = []
    for client in (first, second):
        client.send(*GET)
        peers.append(scene.origin.accept())
        peers[-1].message()
    peers[1].send(*OK)
    assert second.message().status == 200
    fail_with(first, 504, "http_response_timeout")
    peers[1].expect_gone()
    started = time.monotonic()
    second.send(*GET)
    fail_with(second, 503, "destination_unavailable")
    assert time.monotonic() - started < 0.2


def test_open_breaker_of_one_server_leaves_the_other(scene):
    scene.options = "breaker_failures = 1\nbreaker_open_ms = 60000"
    dead, alive = scene.add_origin(), scene.add_origin()
    dead.stop()
    alive.serve(lambda peer, m: peer.send(*OK))
    client = scene.client()
    for _ in range(6):
        client.send(*GET)
        assert client.message().status == 200
    assert alive.accepted == 1


def test_connections_not_more_than_allowed(scene):
    scene.options = "connections_max = 2"
    clients = [scene.client() for _ in range(5)]
    for client in clients:
        client.send(*GET)
    first, second = scene.origin.accept(), scene.origin.accept()
    scene.edge.until(lambda: "waiting=3" in repr(scene.edge.worker.pools["main"]))
    scene.origin.expect_nobody()
    for server in (first, second, first, second, first):
        server.message()
        server.send(*OK)
    assert [client.message().status for client in clients] == [200] * 5
    assert "busy=0 idle=2" in scene.edge.pool()


def test_full_queue_refuses(scene):
    scene.options = "connections_max = 1\nqueue_max = 1"
    clients = [scene.client() for _ in range(3)]
    clients[0].send(*GET)
    server = scene.origin.accept()
    server.message()
    clients[1].send(*GET)
    scene.edge.until(lambda: "waiting=1" in repr(scene.edge.worker.pools["main"]))
    clients[2].send(*GET)
    fail_with(clients[2], 503, "connection_limit_reached")
    server.send(*OK)
    server.message()
    server.send(*OK)
    assert [client.message().status for client in clients[:2]] == [200, 200]


def test_wait_for_a_connection_is_bounded(scene):
    scene.options = "connections_max = 1\nconnect_timeout_ms = 100"
    first, second = scene.client(), scene.client()
    first.send(*GET)
    server = scene.origin.accept()
    second.send(*GET)
    fail_with(second, 503, "connection_limit_reached")
    server.message()
    server.send(*OK)
    assert first.message().status == 200


def test_waiting_request_served_when_a_connection_ends(scene):
    scene.options = "connections_max = 1"
    first, second = scene.client(), scene.client()
    first.send(*GET)
    server = scene.origin.accept()
    server.message()
    second.send("GET /second HTTP/1.1", "host: a")
    scene.edge.until(lambda: "waiting=1" in repr(scene.edge.worker.pools["main"]))
    server.send("HTTP/1.1 200 OK", "connection: close", "content-length: 0")
    assert first.message().status == 200
    server = scene.origin.accept()
    assert server.message().target == "/second"
    server.send(*OK)
    assert second.message().status == 200


def test_idle_connection_closed_after_its_time(scene):
    scene.options = "idle_timeout_ms = 200"
    client = scene.client()
    client.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*OK)
    assert client.message().status == 200
    assert "idle=1" in scene.edge.pool()
    server.expect_end()
    assert "idle=0" in scene.edge.pool()


def test_no_idle_connections_where_none_are_wanted(scene):
    scene.options = "idle_timeout_ms = 0"
    client = scene.client()
    for _ in range(2):
        client.send(*GET)
        server = scene.origin.accept()
        server.message()
        server.send(*OK)
        assert client.message().status == 200
        server.expect_gone()


def test_request_body_held_back_while_no_connection_is_ready(scene):
    """Until there is somewhere to send it, only a little of a body is taken from its client."""
    scene.options = "connections_max = 1"
    first, second = scene.client(), scene.client(SO_SNDBUF=65536)
    first.send(*GET)
    server = scene.origin.accept()
    server.message()
    second.send("POST / HTTP/1.1", "host: a", "content-length: 8000000")
    second.socket.settimeout(0.2)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 8_000_000:
            sent += second.socket.send(b"x" * min(65536, 8_000_000 - sent))
    server.send(*OK)
    assert first.message().status == 200
    second.socket.settimeout(5)
    head = server.head()
    assert head.get("content-length") == "8000000"
    got = 0
    while got < 8_000_000:
        if sent < 8_000_000:
            sent += second.socket.send(b"x" * min(65536, 8_000_000 - sent))
        got += len(server._exactly(min(65536, 8_000_000 - got)))
    server.send(*OK)
    assert second.message().status == 200
