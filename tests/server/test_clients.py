"""What clients do wrong: slowly, too early, too much, not at all. Each is bounded, and none costs another its answer."""

import time

import pytest

GET = ("GET / HTTP/1.1", "host: a")
OK = ("HTTP/1.1 200 OK", "content-length: 2", b"ok")
BIG_POLICY = """
from fastedge import CONTINUE, Pipeline, Response

BODY = b"x" * 16_000

class Big:
    def on_request(self, request, ctx):
        return Response(200, {}, BODY) if request.path == "/big" else CONTINUE

pipeline = Pipeline(Big())
"""


def serve_ok(scene):
    scene.origin.serve(lambda peer, m: peer.send(*OK))


# --- slowly ------------------------------------------------------------------------------------------------------------


def test_head_that_never_ends(scene):
    scene.server = "header_timeout_ms = 200"
    client = scene.client()
    started = time.monotonic()
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\n")
    time.sleep(0.15)
    client.send(b"x-more: 1\r\n")  # is no reason to wait longer
    answer = client.message()
    assert (answer.status, answer.get("connection")) == (408, "close")
    assert 0.15 < time.monotonic() - started < 0.5
    client.expect_end()


def test_second_head_that_never_ends(scene):
    scene.server = "header_timeout_ms = 200"
    serve_ok(scene)
    client = scene.client()
    client.send(*GET, b"GET / HT")
    assert [client.message().status, client.message().status] == [200, 408]


def test_body_that_never_ends(scene):
    scene.server = "body_timeout_ms = 200"
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "content-length: 9", b"abc")
    server = scene.origin.accept()
    assert client.message().status == 408
    client.expect_end()
    server.head()
    server.expect(b"abc").expect_gone()


def test_body_that_drips_is_waited_for(scene):
    scene.server = "body_timeout_ms = 200"
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "content-length: 6").drip(b"abcdef", pause_s=0.08)
    server = scene.origin.accept()
    assert server.message().body == b"abcdef"
    server.send(*OK)
    assert client.message().status == 200


def test_idle_connection_closed(scene):
    scene.server = "idle_timeout_ms = 200"
    serve_ok(scene)
    client, silent = scene.client(), scene.client()
    client.send(*GET)
    assert client.message().status == 200
    started = time.monotonic()
    client.expect_end()
    silent.expect_end()
    assert 0.1 < time.monotonic() - started < 0.5


def test_reader_that_takes_nothing_cut_and_origin_held_back(scene):
    scene.server = "send_timeout_ms = 400"
    client = scene.client(SO_RCVBUF=8192)
    client.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 200 OK", "content-length: 100000000")
    server.socket.settimeout(0.2)
    sent = 0
    with pytest.raises(TimeoutError):
        while True:
            sent += server.socket.send(b"x" * 65536)
    assert sent < 20_000_000
    server.socket.settimeout(5)
    server.expect_gone()


def test_reader_that_is_slow_gets_it_all(scene):
    scene.server = "send_timeout_ms = 150"
    size = 6_000_000
    client = scene.client(SO_RCVBUF=16384)
    client.send(*GET)
    scene.origin.serve(lambda peer, m: peer.send("HTTP/1.1 200 OK", f"content-length: {size}", b"x" * size))
    client.head()
    left = size
    while left > 0:
        left -= len(client._exactly(min(left, 50_000)))
        time.sleep(0.02)
    assert client.is_open()


def test_last_answer_that_is_not_taken_is_not_kept_for_ever(scene):
    scene.server = "send_timeout_ms = 200"
    client = scene.client(SO_RCVBUF=4096)
    client.send(*GET, "connection: close")
    scene.origin.serve(lambda peer, m: peer.send("HTTP/1.1 200 OK", "content-length: 9000000", b"x" * 9_000_000))
    scene.edge.until(lambda: not scene.edge.worker.front.connections)


def test_answers_that_are_not_taken_hold_back_the_requests_behind_them(scene):
    scene.policy = BIG_POLICY
    client = scene.client(SO_RCVBUF=4096)
    client.socket.settimeout(0.2)
    request, sent = b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n", 0
    with pytest.raises(TimeoutError):
        while True:
            sent += client.socket.send(request * 2000)
    assert sent < 12_000_000
    client.socket.settimeout(5)
    for _ in range(500):
        assert len(client.message().body) == 16_000


# --- half-closed and gone ----------------------------------------------------------------------------------------------


def test_half_closed_client_gets_its_answer(scene):
    client = scene.client()
    client.send(*GET).finish()
    server = scene.origin.accept()
    server.message()
    time.sleep(0.05)
    server.send(*OK)
    answer = client.message()
    assert (answer.body, answer.get("connection")) == (b"ok", "close")
    client.expect_end()


def test_client_gone_before_its_answer(scene):
    scene.more = "[cache]\nmemory_mb = 0\n"  # else the fetch goes on, for whoever asks next
    client = scene.client()
    client.send(*GET)
    server = scene.origin.accept()
    server.message()
    client.reset()
    server.expect_gone()
    scene.edge.until_idle()


def test_client_gone_in_the_middle_of_its_answer(scene):
    client = scene.client()
    client.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send("HTTP/1.1 200 OK", "content-length: 9", b"abc")
    client.head()
    client.reset()
    server.expect_gone()
    scene.edge.until_idle()


def test_client_gone_in_the_middle_of_its_body(scene):
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "content-length: 9", b"abc")
    server = scene.origin.accept()
    server.head()
    server.expect(b"abc")
    client.close()
    server.expect_gone()
    scene.edge.until_idle()


def test_client_gone_while_it_waits_for_a_connection(scene):
    scene.options = "connections_max = 1"
    first, second = scene.client(), scene.client()
    first.send(*GET)
    server = scene.origin.accept()
    server.message()
    second.send("GET /second HTTP/1.1", "host: a")
    scene.edge.until(lambda: "waiting=1" in repr(scene.edge.worker.pools["main"]))
    second.reset()
    scene.edge.until(lambda: "waiting=0" in repr(scene.edge.worker.pools["main"]))
    server.send(*OK)
    assert first.message().body == b"ok"


# --- too much ------------------------------------------------------------------------------------------------------------


def test_garbage_behind_a_request_refused_after_its_answer(scene):
    client = scene.client()
    client.send(*GET, b"\x00garbage\r\n\r\n")
    server = scene.origin.accept()
    server.message()
    server.send(*OK)
    assert client.message().status == 200
    answer = client.message()
    assert (answer.status, answer.get("connection")) == (400, "close")
    client.expect_end()


def test_refusal_can_be_read_while_more_is_sent(scene):
    client = scene.client()
    client.send(b"NO HTTP\r\n\r\n")
    for _ in range(20):
        client.send(b"y" * 4096)
        time.sleep(0.002)
    assert client.message().status == 400
    client.expect_end()


def test_refusal_lingers_only_so_long(scene):
    client = scene.client()
    client.send(b"NO HTTP\r\n\r\n")
    assert client.message().status == 400
    started = time.monotonic()
    with pytest.raises((ConnectionError, TimeoutError)):
        client.socket.settimeout(3.5)
        while time.monotonic() - started < 4:
            client.socket.send(b"y" * 65536)
    assert time.monotonic() - started < 3.4


def test_declared_body_too_large_refused_at_once(scene):
    scene.server = "request_body_mb_max = 1"
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", f"content-length: {(1 << 20) + 1}")
    assert client.message().status == 413
    client.expect_end()
    scene.origin.expect_nobody()


def test_chunked_body_too_large_refused_when_it_is(scene):
    scene.server = "request_body_mb_max = 1"
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "transfer-encoding: chunked")
    server = scene.origin.accept()
    for _ in range(16):
        client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        server._exactly(0)
    client.expect_silence()
    client.send(b"1\r\nx\r\n")
    assert client.message().status == 413
    client.expect_end()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_body_of_just_the_largest_size_passes(scene, framing):
    scene.server = "request_body_mb_max = 1"
    body = b"x" * (1 << 20)
    scene.origin.serve(lambda peer, m: peer.send("HTTP/1.1 200 OK", "content-length: 7", b"%7d" % len(m.body)))
    client = scene.client()
    if framing == "length":
        client.send("POST / HTTP/1.1", "host: a", f"content-length: {len(body)}", body)
    else:
        client.send(
            "POST / HTTP/1.1",
            "host: a",
            "transfer-encoding: chunked",
            b"40\r\n%b\r\n" % (b"x" * 64) * 16384 + b"0\r\n\r\n",
        )
    assert client.message().body == b"1048576"


def test_broken_chunk_in_a_body_refused(scene):
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "transfer-encoding: chunked", b"3\r\nabc\r\n")
    server = scene.origin.accept()
    server.head()
    client.send(b"zz\r\n")
    answer = client.message()
    assert (answer.status, answer.get("connection")) == (400, "close")
    server.expect_gone()
    client.expect_end()


def test_more_clients_than_allowed_turned_away(scene):
    scene.server = "connections_max = 2"
    first, second = scene.client(), scene.client()
    scene.edge.until(lambda: len(scene.edge.worker.front.connections) == 2)
    scene.client().expect_gone()
    first.close()
    scene.edge.until(lambda: len(scene.edge.worker.front.connections) == 1)
    serve_ok(scene)
    for client in (second, scene.client()):
        client.send(*GET)
        assert client.message().status == 200
    assert scene.edge.complaints == []


# --- a full stop ---------------------------------------------------------------------------------------------------------


def test_drain_ends_each_connection_behind_its_reply(scene):
    busy, idle = scene.client(), scene.client()
    busy.send(*GET)
    server = scene.origin.accept()
    server.message()
    scene.edge.until(lambda: len(scene.edge.worker.front.connections) == 2)
    scene.edge.call(scene.edge.worker.front.drain)
    idle.expect_end()
    server.send(*OK)
    assert busy.message().get("connection") == "close"
    busy.expect_end()
