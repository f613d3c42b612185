"""The counting origin: pages that may be stored, each request counted once, tags and makers that a job can tell apart."""

import socket
from collections.abc import Callable

import pytest

from benchmarks import traffic
from benchmarks.harness import Bench
from benchmarks.load import LoadResult
from benchmarks.origin import Pages
from benchmarks.peers.origin import counting_origin, requests_seen
from benchmarks.process import HOST


def test_page_may_be_stored_and_is_that_of_all_peers() -> None:
    head, _, body = Pages(traffic.BODY_BYTES, tags=0).answer(b"/checkout/basket").partition(b"\r\n\r\n")
    assert b"\r\nCache-Control: max-age=3600\r\n" in head
    assert b"\r\nContent-Length: 1024\r\n" in head
    assert b"X-Made-By" not in head
    assert body == traffic.PAGE


def test_target_s_number_decides_the_tag_and_the_request_the_maker() -> None:
    pages = Pages(100, tags=10)
    heads = [pages.answer(target).partition(b"\r\n\r\n")[0] for target in (b"/objects/00000042", b"/objects/00000007")]
    assert [head.split(b"\r\n")[-2:] for head in heads] == [
        [b"xkey: t2", b"X-Made-By: 1"],
        [b"xkey: t7", b"X-Made-By: 2"],
    ]


@pytest.mark.parametrize("delay_ms", [0, 20])
def test_requests_are_counted_and_questions_for_the_count_are_not(
    bench: Bench, send: Callable[..., LoadResult], delay_ms: int
) -> None:
    with bench.serving([], origin_peer=counting_origin(3000, delay_ms=delay_ms)) as scene:
        before = requests_seen(scene.origin.port)
        found = send(scene.origin.port, count=300, connections=100, body_bytes=3000)
        found.require_clean("origin")
        assert requests_seen(scene.origin.port) == before + 300
        assert found.p50_us > delay_ms * 1000


def test_head_that_comes_in_pieces_is_one_request(bench: Bench) -> None:
    with bench.serving([], origin_peer=counting_origin(10)) as scene:
        before = requests_seen(scene.origin.port)
        with socket.create_connection((HOST, scene.origin.port), timeout=5) as connection:
            for byte in b"GET /objects/1 HTTP/1.1\r\nHost: a\r\n\r\n":
                connection.sendall(bytes([byte]))
            assert connection.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        assert requests_seen(scene.origin.port) == before + 1
