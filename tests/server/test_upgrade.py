"""Upgrade: a tunnel once the origin has said 101, plain HTTP as long as it has not."""

import time

import pytest

GET = ("GET /chat HTTP/1.1", "host: a", "connection: keep-alive, Upgrade", "upgrade: websocket", "sec-websocket-key: k")
SWITCH = ("HTTP/1.1 101 Switching Protocols", "connection: Upgrade", "upgrade: websocket", "sec-websocket-accept: s")


def open_tunnel(scene, **options):
    client = scene.client(**options)
    client.send(*GET)
    server = scene.origin.accept()
    request = server.message()
    assert (request.get("connection"), request.get("upgrade")) == ("upgrade", "websocket")
    server.send(*SWITCH)
    answer = client.message()
    assert (answer.status, answer.get("upgrade"), answer.get("connection")) == (101, "websocket", "upgrade")
    assert answer.get("sec-websocket-accept") == "s"
    return client, server


def test_tunnel_carries_bytes_both_ways(scene):
    client, server = open_tunnel(scene)
    for i in range(5):
        client.send(b"GET / HTTP/9.9\n\n%d" % i)
        server.expect(b"GET / HTTP/9.9\n\n%d" % i)
        server.send(b"\x00\xff%d" % i)
        client.expect(b"\x00\xff%d" % i)


def test_tunnel_bytes_behind_the_heads_not_lost(scene):
    client = scene.client()
    client.send(*GET, b"early")
    server = scene.origin.accept()
    server.message()
    server.send(*SWITCH, b"first")
    assert client.message().status == 101
    client.expect(b"first")
    server.expect(b"early")


def test_half_closed_client_still_hears(scene):
    client, server = open_tunnel(scene)
    client.send(b"last words").finish()
    server.expect(b"last words").expect_end()
    server.send(b"answer")
    client.expect(b"answer")
    server.close()
    client.expect_end()


def test_half_closed_origin_still_hears(scene):
    client, server = open_tunnel(scene)
    server.send(b"last words").finish()
    client.expect(b"last words").expect_end()
    client.send(b"answer")
    server.expect(b"answer")
    client.close()
    server.expect_end()


def test_bytes_on_their_way_survive_both_ends(scene):
    """The origin has finished before the client; what the client sent must still arrive, however slowly it is read."""
    client, server = open_tunnel(scene)
    server.finish()
    client.expect_end()
    client.send(b"x" * 3_000_000).finish()
    time.sleep(0.2)
    assert len(server.rest()) == 3_000_000


def test_tunnel_to_a_silent_origin_is_not_timed_out(scene):
    scene.options = "first_byte_timeout_ms = 100\nread_timeout_ms = 100"
    scene.server = "header_timeout_ms = 100\nbody_timeout_ms = 100\nidle_timeout_ms = 100"
    client, server = open_tunnel(scene)
    client.send(b"ping")
    server.expect(b"ping")
    time.sleep(0.4)
    server.send(b"pong")
    client.expect(b"pong")


def test_reset_of_the_origin_reaches_the_client(scene):
    client, server = open_tunnel(scene)
    server.reset()
    with pytest.raises(ConnectionResetError):
        client.rest()


def test_reset_of_the_client_reaches_the_origin(scene):
    client, server = open_tunnel(scene)
    client.reset()
    server.expect_gone()


@pytest.mark.parametrize("direction", ["to the origin", "to the client"])
def test_tunnel_holds_back_a_sender_that_is_not_read(scene, direction):
    client, server = open_tunnel(scene)
    sender, receiver = (client, server) if direction == "to the origin" else (server, client)
    sent = stuff(sender)
    assert sent < 32 << 20
    receiver.socket.settimeout(1)
    received = 0
    while received < sent:
        received += len(receiver.socket.recv(1 << 20))
    sender.socket.settimeout(5)
    sender.send(b"end")
    receiver.socket.settimeout(5)
    receiver.expect(b"end")


def stuff(peer):
    """Sends until it blocks for good; how many bytes that were."""
    peer.socket.settimeout(0.2)
    sent = 0
    try:
        while sent < 64 << 20:
            sent += peer.socket.send(b"x" * 65536)
    except (TimeoutError, ConnectionError):
        pass
    return sent


def test_client_that_reads_nothing_from_a_tunnel_is_cut(scene):
    scene.server = "send_timeout_ms = 200"
    _client, server = open_tunnel(scene)
    stuff(server)
    server.socket.settimeout(2)
    server.expect_gone()


def test_refused_upgrade_stays_http(scene):
    client = scene.client()
    client.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 426 Upgrade Required", "connection: upgrade", "upgrade: other", "content-length: 2", b"no")
    answer = client.message()
    assert (answer.status, answer.body, answer.get("upgrade")) == (426, b"no", None)
    client.send("GET / HTTP/1.1", "host: a")
    assert server.message().get("upgrade") is None
    server.send("HTTP/1.1 200 OK", "content-length: 0")
    assert client.message().status == 200


@pytest.mark.parametrize(
    "fields",
    [
        ("connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"),
        ("upgrade: websocket",),
        ("connection: upgrade",),
    ],
)
def test_upgrade_that_is_none_dropped(scene, fields):
    client = scene.client()
    client.send("GET / HTTP/1.1", "host: a", *fields)
    server = scene.origin.accept()
    request = server.message()
    assert {name for name, _ in request.fields}.isdisjoint({"upgrade", "connection", "http2-settings"})
    server.send(*SWITCH)
    assert client.message().status == 502


def test_switch_before_the_requests_end_refused(scene):
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "connection: upgrade", "upgrade: x", "content-length: 5", b"ab")
    server = scene.origin.accept()
    server.head()
    server.send("HTTP/1.1 101 Switching Protocols", "connection: upgrade", "upgrade: x")
    assert client.message().status == 502
