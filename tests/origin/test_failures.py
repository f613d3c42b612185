"""What origins do wrong: each has its answer and its name, and no client ever gets what was meant for another request."""

import socket
import time

import pytest

GET = ("GET / HTTP/1.1", "host: a")
POST = ("POST / HTTP/1.1", "host: a", "content-length: 1", b"x")
OK = ("HTTP/1.1 200 OK", "content-length: 2", b"ok")


def ask(scene, *request):
    client = scene.client()
    client.send(*request)
    server = scene.origin.accept()
    server.message()
    return client, server


def assert_failure(client, status, error):
    answer = client.message()
    assert (answer.status, answer.get("proxy-status")) == (status, f"fastedge; error={error}")


def idle_connection(scene):
    """A connection that has served one request and is kept by both sides."""
    client, server = ask(scene, *GET)
    server.send(*OK)
    assert client.message().body == b"ok"
    return client, server


def no_connection_is_kept(scene):
    scene.edge.until(lambda: "busy=0 idle=0" in repr(scene.edge.worker.pools["main"]))
    return True


# --- before the response -----------------------------------------------------------------------------------------------


def test_refused_connection(scene):
    scene.origin.stop()
    client = scene.client()
    client.send(*GET)
    assert_failure(client, 502, "connection_refused")
    assert client.is_open()


def test_origin_that_does_not_accept(scene):
    scene.options = "connect_timeout_ms = 200"
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(2)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        scene.more = f'[origins.full]\nservers = ["http://127.0.0.1:{full.getsockname()[1]}"]\nconnect_timeout_ms = 200'
        scene.server = 'default_origin = "full"'
        client = scene.client()
        client.send(*GET)
        started = time.monotonic()
        assert_failure(client, 504, "connection_timeout")
        assert time.monotonic() - started < 1
        for filler in fillers:
            filler.close()


def test_unknown_host_name(scene):
    scene.more = '[origins.lost]\nservers = ["http://nowhere.invalid"]'
    scene.server = 'default_origin = "lost"'
    client = scene.client()
    client.send(*GET)
    assert_failure(client, 502, "dns_error")


def test_silent_origin(scene):
    scene.options = "first_byte_timeout_ms = 200"
    client, server = ask(scene, *GET)
    assert_failure(client, 504, "http_response_timeout")
    server.expect_gone()
    assert client.is_open()


def test_head_that_drips_too_slowly(scene):
    scene.options = "first_byte_timeout_ms = 300"
    client, server = ask(scene, *GET)
    server.send(b"HTTP/1.1 200 OK\r\nx-a: ")
    time.sleep(0.2)
    server.send(b"b")
    assert_failure(client, 504, "http_response_timeout")


def test_close_of_a_fresh_connection_not_retried(scene):
    client, server = ask(scene, *GET)
    server.close()
    assert_failure(client, 502, "connection_terminated")
    scene.origin.expect_nobody()


def test_close_of_an_old_connection_retried_once_for_get(scene):
    client, server = idle_connection(scene)
    client.send(*GET)
    server.message()
    server.close()
    second = scene.origin.accept()
    second.message()
    second.send(*OK)
    assert client.message().body == b"ok"
    client.send(*GET)
    second.message()
    second.close()
    third = scene.origin.accept()
    third.message()
    third.close()
    assert_failure(client, 502, "connection_terminated")
    scene.origin.expect_nobody()


def test_close_of_an_old_connection_not_retried_for_post(scene):
    client, server = idle_connection(scene)
    client.send(*POST)
    server.message()
    server.close()
    assert_failure(client, 502, "connection_terminated")
    scene.origin.expect_nobody()


def test_close_of_an_old_connection_not_retried_where_that_is_off(scene):
    scene.options = "retry = false"
    client, server = idle_connection(scene)
    client.send(*GET)
    server.message()
    server.close()
    assert_failure(client, 502, "connection_terminated")


def test_retried_put_has_its_body(scene):
    client, server = idle_connection(scene)
    client.send("PUT / HTTP/1.1", "host: a", "transfer-encoding: chunked", b"3\r\nabc\r\n")
    server.head()
    server.expect(b"3\r\nabc\r\n").reset()
    second = scene.origin.accept()
    client.send(b"2\r\nde\r\n0\r\n\r\n")
    assert second.message().body == b"abcde"
    second.send(*OK)
    assert client.message().body == b"ok"


def test_connection_that_the_origin_closed_meanwhile_not_used(scene):
    client, server = idle_connection(scene)
    server.close()
    assert no_connection_is_kept(scene)
    client.send(*POST)
    second = scene.origin.accept()
    second.message()
    second.send(*OK)
    assert client.message().body == b"ok"


# --- a response that is none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\nx: bare\n\n" + b"x" * 40_000,
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 40_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
    ],
)
def test_garbage_instead_of_a_response(scene, garbage):
    client, server = ask(scene, *GET)
    server.send(garbage)
    assert_failure(client, 502, "http_protocol_error")
    assert client.is_open()
    assert no_connection_is_kept(scene)


@pytest.mark.parametrize("part", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n"])
def test_half_a_head(scene, part):
    client, server = ask(scene, *GET)
    server.send(part).close()
    assert_failure(client, 502, "http_response_incomplete")


# --- bodies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        ("content-length: 9", b"abc"),
        ("content-length: 9",),
        ("transfer-encoding: chunked", b"9\r\nabc"),
        ("transfer-encoding: chunked", b"3\r\nabc\r\n"),
        ("transfer-encoding: chunked", b"3\r\nabc\r\n0\r\n"),
    ],
)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_body_cut_short_is_visibly_cut(scene, part, version):
    client, server = ask(scene, f"GET / HTTP/{version}", "host: a")
    server.send("HTTP/1.1 200 OK", *part)
    time.sleep(0.05)
    server.close()
    client.expect_cut()


def test_reset_of_a_body_up_to_the_end_is_visible(scene):
    client, server = ask(scene, *GET)
    server.send("HTTP/1.1 200 OK", b"abc")
    client.head()
    client.expect(b"3\r\nabc\r\n")
    server.reset()
    client.expect_cut()


def test_body_that_stalls_is_cut(scene):
    scene.options = "read_timeout_ms = 200"
    client, server = ask(scene, *GET)
    server.send("HTTP/1.1 200 OK", "content-length: 9", b"abc")
    client.expect_cut()
    server.expect_gone()


def test_body_that_drips_is_not_cut(scene):
    scene.options = "read_timeout_ms = 200"
    client, server = ask(scene, *GET)
    server.drip("HTTP/1.1 200 OK", "content-length: 5", b"abcde", pause_s=0.01)
    assert client.message().body == b"abcde"


def test_broken_chunk_cuts(scene):
    client, server = ask(scene, *GET)
    server.send("HTTP/1.1 200 OK", "transfer-encoding: chunked", b"3\r\nabc\r\n")
    client.head()
    client.expect(b"3\r\nabc\r\n")
    server.send(b"zz\r\n")
    client.expect_cut()


@pytest.mark.parametrize(
    ("method", "response"),
    [
        ("GET", ("HTTP/1.1 200 OK", "content-length: 2", b"ok")),
        ("GET", ("HTTP/1.1 200 OK", "transfer-encoding: chunked", b"2\r\nok\r\n0\r\n\r\n")),
        ("HEAD", ("HTTP/1.1 200 OK", "content-length: 2")),
        ("GET", ("HTTP/1.1 204 No Content",)),
        ("GET", ("HTTP/1.1 304 Not Modified",)),
    ],
)
@pytest.mark.parametrize("later", [False, True])
def test_more_than_the_response_is_for_nobody(scene, method, response, later):
    client, server = ask(scene, f"{method} / HTTP/1.1", "host: a")
    evil = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    if later:
        server.send(*response)
        client.message(head=method == "HEAD")
        server.send(evil)
    else:
        server.send(*response, evil)
        client.message(head=method == "HEAD")
    client.send("GET /next HTTP/1.1", "host: a")
    second = scene.origin.accept()
    assert second.message().target == "/next"
    second.send("HTTP/1.1 200 OK", "content-length: 4", b"good")
    assert client.message().body == b"good"


def test_unasked_bytes_on_an_idle_connection_drop_it(scene):
    client, server = idle_connection(scene)
    server.send(*OK)
    server.expect_gone()
    assert no_connection_is_kept(scene)
    assert client.is_open()


def test_bytes_that_wait_on_an_idle_connection_are_not_the_next_answer(scene):
    """The answer is in the socket already when the next request comes, and the loop has not read it yet."""
    client, server = idle_connection(scene)
    other = scene.client()
    scene.edge.call(
        lambda: (server.send(*OK), client.send("POST /next HTTP/1.1", "host: a", "content-length: 0"), time.sleep(0.05))
    )
    second = scene.origin.accept()
    assert second.message().target == "/next"
    second.send("HTTP/1.1 200 OK", "content-length: 4", b"good")
    assert client.message().body == b"good"
    assert other.is_open()


# --- responses before the request's end ----------------------------------------------------------------------------------


def test_early_response_while_the_body_is_still_sent(scene):
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "content-length: 100", b"x" * 10)
    server = scene.origin.accept()
    server.head()
    server.send("HTTP/1.1 403 Forbidden", "content-length: 2", b"no")
    answer = client.message()
    assert (answer.status, answer.body, answer.get("connection")) == (403, b"no", "close")
    client.send(b"x" * 90)
    client.expect_end()
    assert no_connection_is_kept(scene)


def test_response_streamed_while_the_body_is_still_sent(scene):
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "transfer-encoding: chunked")
    server = scene.origin.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "transfer-encoding: chunked")
    client.head()
    for _ in range(3):
        client.send(b"3\r\nabc\r\n")
        server.expect(b"3\r\nabc\r\n")
        server.send(b"3\r\ndef\r\n")
        client.expect(b"3\r\ndef\r\n")
    client.send(b"0\r\n\r\n")
    server.expect(b"0\r\n\r\n")
    server.send(b"0\r\n\r\n")
    client.expect(b"0\r\n\r\n")
    client.expect_end()


def test_slow_client_is_not_the_origins_failure(scene):
    scene.options = "first_byte_timeout_ms = 150\nread_timeout_ms = 150"
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "content-length: 2", b"x")
    server = scene.origin.accept()
    time.sleep(0.4)
    client.send(b"y")
    assert server.message().body == b"xy"
    server.send(*OK)
    assert client.message().status == 200
    assert "breaker=closed" in scene.edge.pool()


def test_origin_that_takes_no_body_times_out(scene):
    scene.options = "first_byte_timeout_ms = 150\nread_timeout_ms = 150"
    client = scene.client(SO_SNDBUF=65536)
    client.send("POST / HTTP/1.1", "host: a", "content-length: 100000000")
    server = scene.origin.accept()
    server.head()
    client.socket.setblocking(False)
    try:
        while True:
            client.socket.send(b"x" * 65536)
            time.sleep(0.0005)
    except BlockingIOError:
        pass
    client.socket.settimeout(5)
    assert_failure(client, 504, "connection_write_timeout")


def test_origin_that_never_says_continue_times_out(scene):
    scene.options = "first_byte_timeout_ms = 150"
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "content-length: 2", "expect: 100-continue")
    scene.origin.accept().head()
    assert_failure(client, 504, "http_response_timeout")
    client.expect_end()
