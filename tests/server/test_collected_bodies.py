"""Where a front collects bodies, a request is decided on when its body is whole; elsewhere bodies stream."""

from typing import Any

import pytest
from fake_edge import FakeEdge, FakeTransport, ok, split_responses

from fastedge import Context, Request, Response
from fastedge._core.pipeline import Wait

HEAD = b"POST /v1/purge HTTP/1.1\r\nHost: a\r\n"
LENGTH = HEAD + b"Content-Length: 6\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Repeat:
    """Answers with the body that it got, through a Wait where the path says so."""

    __module__ = "fastedge.repeat"  # only stages of our own may wait

    def on_request(self, request: Request, ctx: Context) -> Any:
        answer = Response.text(repr(request.content))
        return Wait(lambda: answer, lambda value: value) if request.path == "/wait" else answer


@pytest.fixture
def edge() -> FakeEdge:
    return FakeEdge(Repeat(), collected_body_bytes_max=8)


@pytest.fixture
def client(edge: FakeEdge) -> FakeTransport:
    return edge.connect()


def answers(client: FakeTransport, count: int = 1) -> list[tuple[int, bytes]]:
    return split_responses(client.sent, [b"POST"] * count)


@pytest.mark.parametrize(
    "said",
    [
        [LENGTH + b"abcdef"],
        [LENGTH, b"abc", b"def"],
        [LENGTH + b"abc", b"def"],
        [CHUNKED + b"6\r\nabcdef\r\n0\r\n\r\n"],
        [CHUNKED, b"2\r\nab\r\n", b"4\r\ncdef\r\n", b"0\r\n\r\n"],
        [bytes([byte]) for byte in CHUNKED + b"2;x=y\r\nab\r\n4\r\ncdef\r\n0\r\nX: y\r\n\r\n"],
    ],
    ids=["at once", "behind the head", "halved", "chunked", "chunks", "byte by byte"],
)
def test_whole_body_is_there_however_it_comes(edge: FakeEdge, client: FakeTransport, said: list[bytes]) -> None:
    edge.say(client, *said[:-1])
    assert client.sent == b""
    edge.say(client, said[-1])
    assert answers(client) == [(200, b"b'abcdef'")]
    assert client.is_open


@pytest.mark.parametrize("head", [HEAD + b"\r\n", HEAD + b"Content-Length: 0\r\n\r\n"])
def test_request_without_a_body_has_no_content(edge: FakeEdge, client: FakeTransport, head: bytes) -> None:
    edge.say(client, head)
    assert answers(client) == [(200, b"None")]


def test_empty_chunked_body_is_empty(edge: FakeEdge, client: FakeTransport) -> None:
    edge.say(client, CHUNKED + b"0\r\n\r\n")
    assert answers(client) == [(200, b"b''")]


@pytest.mark.parametrize("path", [b"/v1/purge", b"/wait"])
def test_requests_behind_it_are_answered_in_turn(edge: FakeEdge, client: FakeTransport, path: bytes) -> None:
    first = LENGTH.replace(b"/v1/purge", path)
    edge.say(client, first + b"abcdef" + LENGTH + b"gh", b"ijkl" + HEAD + b"\r\n")
    assert answers(client, 3) == [(200, b"b'abcdef'"), (200, b"b'ghijkl'"), (200, b"None")]


def test_longest_body_that_is_taken(edge: FakeEdge, client: FakeTransport) -> None:
    edge.say(client, HEAD + b"Content-Length: 8\r\n\r\n12345678")
    assert answers(client) == [(200, b"b'12345678'")]


@pytest.mark.parametrize(
    "said",
    [
        [HEAD + b"Content-Length: 9\r\n\r\n"],
        [HEAD + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"],
        [CHUNKED + b"9\r\n123456789"],
        [CHUNKED, b"8\r\n12345678\r\n", b"1\r\n9\r\n"],
    ],
    ids=["declared", "expected", "chunk", "chunks"],
)
def test_longer_body_is_refused(edge: FakeEdge, client: FakeTransport, said: list[bytes]) -> None:
    edge.say(client, *said)
    assert answers(client)[0][0] == 413
    assert client.ended


def test_client_that_waits_is_told_to_continue(edge: FakeEdge, client: FakeTransport) -> None:
    edge.say(client, HEAD + b"Expect: 100-continue\r\nContent-Length: 6\r\n\r\n")
    assert client.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    edge.say(client, b"abcdef")
    assert answers(client) == [(200, b"b'abcdef'")]


def test_body_that_stops_runs_out_of_time(edge: FakeEdge, client: FakeTransport) -> None:
    edge.say(client, LENGTH + b"abc")
    edge.timers.tick(1 << 60)
    assert answers(client)[0][0] == 408
    assert client.ended


def test_broken_chunk_is_refused(edge: FakeEdge, client: FakeTransport) -> None:
    edge.say(client, CHUNKED + b"x\r\n")
    assert answers(client)[0][0] == 400


def test_client_that_leaves_in_the_middle_gets_nothing(edge: FakeEdge, client: FakeTransport) -> None:
    edge.say(client, LENGTH + b"abc")
    assert not client.protocol.eof_received()
    edge.settle()
    assert client.sent == b""
    assert not client.is_open


def test_bodies_stream_where_none_is_collected() -> None:
    edge = FakeEdge(Repeat())
    client = edge.connect()
    edge.say(client, LENGTH)
    assert answers(client) == [(200, b"None")]
    edge = FakeEdge(answer=ok)
    client = edge.connect()
    edge.say(client, LENGTH, b"abcdef")
    assert answers(client) == [(200, b"POST /v1/purge 6")]
