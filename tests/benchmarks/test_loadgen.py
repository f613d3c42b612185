"""The load generator counts what was answered, believes nothing, and does not omit what it could not send in time."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.histogram import bucket_index
from benchmarks.load import LoadResult, write_requests


class Server(Protocol):
    """What conftest's scripted server is to a test."""

    port: int
    requests: list[bytes]


Send = Callable[..., LoadResult]
Start = Callable[..., Server]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: z\r\n\r\n"


def test_closed_loop_counts_every_answer(floor: Callable[..., int], send: Send) -> None:
    found = send(floor(), count=5000, connections=8, body_bytes=1024)
    assert (found.requests, found.errors, found.status_mismatches, found.body_mismatches) == (5000, 0, 0, 0)
    assert found.histogram.total == 5000
    found.require_clean("floor")


def test_spinning_counts_the_same(floor: Callable[..., int], send: Send) -> None:
    found = send(floor(), count=5000, connections=8, body_bytes=1024, spin=True)
    found.require_clean("floor")
    assert found.requests == 5000


def test_closed_loop_sends_as_many_requests_as_it_counts(scripted: Start, send: Send) -> None:
    server = scripted([OK])
    found = send(server.port, count=501, connections=1, body_bytes=5)
    assert (found.requests, found.errors) == (501, 0)
    assert server.requests.count(b"GET / HTTP/1.1\r\n") == 251
    assert server.requests.count(b"GET /other HTTP/1.1\r\n") == 250


def test_another_body_length_is_a_mismatch(floor: Callable[..., int], send: Send) -> None:
    found = send(floor("--body", "1023"), count=100, body_bytes=1024)
    assert (found.requests, found.body_mismatches) == (100, 100)
    with pytest.raises(BenchmarkError, match="100 of another length"):
        found.require_clean("floor")


def test_another_status_is_a_mismatch(floor: Callable[..., int], send: Send) -> None:
    found = send(floor(), count=100, status=401)
    assert found.status_mismatches == 100
    with pytest.raises(BenchmarkError, match="100 of another status"):
        found.require_clean("floor")


def test_answer_larger_than_any_buffer_is_read_to_its_end(floor: Callable[..., int], send: Send) -> None:
    send(floor("--body", "3000000"), count=20, connections=3, body_bytes=3_000_000).require_clean("floor")


@pytest.mark.parametrize(
    "script",
    [
        [OK],
        [bytes([byte]) for byte in OK],
        [CHUNKED],
        [bytes([byte]) for byte in CHUNKED],
        [CHUNKED[:60], CHUNKED[60:]],
        [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK],
        [b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK],
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", None],
        [b"HTTP/1.0 200 OK\r\n\r\nhello", None],
    ],
    ids=["whole", "bytewise", "chunked", "chunked bytewise", "split", "1xx", "1xx in one", "close", "until close"],
)
def test_framing_is_understood(scripted: Start, send: Send, script: list[bytes | None]) -> None:
    found = send(scripted(script).port, count=20, connections=1, body_bytes=5)
    found.require_clean("scripted")
    assert found.requests == 20


@pytest.mark.parametrize(
    "script",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", None],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", None],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n0\r\n\r\n"],
        [OK + OK],
        [b"garbage that is no answer\r\n\r\n"],
        [None],
    ],
    ids=["cut short", "cut between chunks", "no chunk size", "two answers", "garbage", "closed"],
)
def test_broken_answer_is_an_error(scripted: Start, send: Send, script: list[bytes | None]) -> None:
    found = send(scripted(script).port, count=3, connections=1)
    assert (found.requests, found.errors) == (0, 3)
    with pytest.raises(BenchmarkError, match="3 errors"):
        found.require_clean("scripted")


def test_numbers_are_written_over_the_requests(scripted: Start, send: Send, tmp_path: Path) -> None:
    numbered = write_requests(
        tmp_path / "numbered", [b"GET /a/######## HTTP/1.1\r\n\r\n", b"GET /b/######## HTTP/1.1\r\n\r\n"]
    )
    server = scripted([OK])
    send(server.port, requests_file=numbered, count=5, connections=1, numbers=3).require_clean("scripted")
    assert [line.split()[1].decode() for line in server.requests] == [
        "/a/00000000",
        "/b/00000001",
        "/a/00000002",
        "/b/00000000",
        "/a/00000001",
    ]


def test_shuffled_numbers_reach_them_all(scripted: Start, send: Send, tmp_path: Path) -> None:
    numbered = write_requests(tmp_path / "numbered", [b"GET /######## HTTP/1.1\r\n\r\n"])
    server = scripted([OK])
    send(server.port, requests_file=numbered, count=300, connections=1, numbers=10, shuffle=True)
    targets = [line.split()[1] for line in server.requests]
    assert set(targets) == {b"/%08d" % number for number in range(10)}
    assert targets[:10] != sorted(targets[:10])


def test_request_without_room_for_its_number_is_refused(floor: Callable[..., int], send: Send) -> None:
    with pytest.raises(BenchmarkError, match="has no ########"):
        send(floor(), count=1, numbers=3)


def test_open_loop_keeps_its_rate(floor: Callable[..., int], send: Send) -> None:
    found = send(floor(), seconds=1.0, rate=2000.0, arrival="uniform", body_bytes=1024)
    found.require_clean("floor")
    assert found.requests in (1999, 2000)
    assert found.unsent == 0


def test_open_loop_sends_the_same_arrivals_for_the_same_seed(floor: Callable[..., int], send: Send) -> None:
    port = floor()
    counts = [send(port, seconds=0.5, rate=2000.0, seed=seed).requests for seed in (7, 7, 8)]
    assert counts[0] == counts[1]
    assert 800 < counts[2] < 1200


def test_open_loop_counts_the_wait_for_a_stalled_server(floor: Callable[..., int], send: Send) -> None:
    """A stall of 200 ms hits the 200 requests due in it, though only four connections could be waiting."""
    port = floor("--stall-every", "500", "--stall-ms", "200")
    closed = send(port, count=1200, connections=4)
    opened = send(port, seconds=1.2, rate=1000.0, arrival="uniform", connections=4)
    assert closed.max_us > 150_000
    assert closed.p90_us < 50_000
    assert opened.p90_us > 50_000
    assert opened.max_us > 150_000


def test_percentiles_agree_with_the_histogram(floor: Callable[..., int], send: Send) -> None:
    found = send(floor(), count=3000)
    for percent, printed in ((50, found.p50_us), (90, found.p90_us), (99, found.p99_us)):
        assert found.histogram.percentile_us(percent) == pytest.approx(printed, abs=0.001)
    assert found.max_us <= found.histogram.percentile_us(100) * 1.001


def test_port_without_server_is_an_error(send: Send) -> None:
    with pytest.raises(BenchmarkError, match="cannot connect"):
        send(1, count=1)


def test_buckets_are_those_that_python_reads(floor: Callable[..., int], send: Send) -> None:
    found = send(floor(), count=1000)
    assert max(found.histogram.counts) == bucket_index(round(found.max_us * 1000))
