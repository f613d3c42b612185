"""A body of gigabytes through the edge, in each direction: how much memory it takes on the way, and how long.

The origin is a thread here, since it has to count what arrives; the client is this one. Neither keeps a byte.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader

from benchmarks import traffic
from benchmarks.cpu import CpuMeter, tree_memory
from benchmarks.errors import BenchmarkError
from benchmarks.harness import Bench, Running
from benchmarks.jobs.common import report_for
from benchmarks.peers.fastedge import FASTEDGE_BULK
from benchmarks.peers.haproxy import HAPROXY
from benchmarks.peers.nginx import NGINX
from benchmarks.process import HOST
from benchmarks.report import JobReport

PEERS = (NGINX, HAPROXY, FASTEDGE_BULK)
MIB = 1 << 20
PIECE = b"x" * MIB
SAMPLE_S = 0.02
Transfer = Callable[[int, int], None]


def run(bench: Bench) -> JobReport:
    """Growth of the tree's PSS while the body passes, MiB a second, CPU milliseconds a MiB."""
    peers = bench.present("bigbody", PEERS)
    report = report_for(bench, "bigbody", f"a body of {bench.body_mb:,} MiB through the edge, each way", peers)
    with _origin() as origin_port:
        for peer in peers:
            with bench.serving([peer], origin_port) as scene:
                for direction, transfer in (("down", _download), ("up", _upload)):
                    _measure(report, scene.edges[0], direction, transfer, bench)
    return report


def _measure(report: JobReport, edge: Running, direction: str, transfer: Transfer, bench: Bench) -> None:
    transfer(edge.port, 1)  # the first request makes what stays
    sampler, meter = _Sampler(edge.process.pid), CpuMeter(edge.process.pid)
    meter.start()
    begun = time.monotonic()
    with sampler:
        transfer(edge.port, bench.body_mb)
    seconds, spent_ns = time.monotonic() - begun, meter.stop()
    bench.say(f"{edge.name} {direction}: grew by {sampler.growth_mb:.1f} MiB, {bench.body_mb / seconds:,.0f} MiB/s")
    report.add(edge.name, f"{direction} growth", "MiB", [sampler.growth_mb])
    report.add(edge.name, f"{direction} rate", "MiB/s", [bench.body_mb / seconds])
    report.add(edge.name, f"{direction} cpu", "ms/MiB", [spent_ns / 1e6 / bench.body_mb])


class _Sampler:
    """The highest PSS of a tree while the block runs, over what it was before."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._before = self._highest = tree_memory(root)[1]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def growth_mb(self) -> float:
        """MiB."""
        return (self._highest - self._before) / MIB

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(SAMPLE_S):
            self._highest = max(self._highest, tree_memory(self._root)[1])


# ---- the client ----


def _download(port: int, body_mb: int) -> None:
    with _asking(port, f"GET /{body_mb} HTTP/1.1\r\nHost: {traffic.HOST}\r\n\r\n") as (_, answer):
        status, fields = _read_head(answer)
        received = _drain(answer, fields)
    if not status.startswith("HTTP/1.1 200") or received != body_mb * MIB:
        raise BenchmarkError(f"download of {body_mb} MiB: {status!r} and {received} bytes")


def _upload(port: int, body_mb: int) -> None:
    head = f"PUT /{body_mb} HTTP/1.1\r\nHost: {traffic.HOST}\r\nContent-Length: {body_mb * MIB}\r\n\r\n"
    with _asking(port, head) as (connection, answer):
        try:
            for _ in range(body_mb):
                connection.sendall(PIECE)
        except OSError as error:
            raise BenchmarkError(f"upload of {body_mb} MiB was cut off: {error}") from error
        status, fields = _read_head(answer)
    if not status.startswith("HTTP/1.1 200") or fields.get("x-received") != str(body_mb * MIB):
        raise BenchmarkError(f"upload of {body_mb} MiB: {status!r}, the origin got {fields.get('x-received')}")


@contextmanager
def _asking(port: int, head: str) -> Iterator[tuple[socket.socket, BufferedReader]]:
    with socket.create_connection((HOST, port), timeout=60) as connection:
        connection.sendall(head.encode())
        with connection.makefile("rb") as answer:
            yield connection, answer


# ---- the origin ----


@contextmanager
def _origin() -> Iterator[int]:
    """Serves GET /MIB and counts what PUT brings, until the block ends; gives its port."""
    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # the block has ended
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as requests:
        try:
            while _answer(connection, requests):
                pass
        except OSError:
            return  # the edge has gone; the client will say what it missed


def _answer(connection: socket.socket, requests: BufferedReader) -> bool:
    line, fields = _read_head(requests)
    if not line:
        return False
    method, target, _ = line.split()
    if method == "PUT":
        received = _drain(requests, fields)
        connection.sendall(f"HTTP/1.1 200 OK\r\nX-Received: {received}\r\nContent-Length: 0\r\n\r\n".encode())
        return True
    body_mb = int(target.removeprefix("/") or 0)  # "/" asks whether we are there
    head = f"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: {body_mb * MIB}\r\n\r\n"
    connection.sendall(head.encode())
    for _ in range(body_mb):
        connection.sendall(PIECE)
    return True


# ---- both ----


def _read_head(stream: BufferedReader) -> tuple[str, dict[str, str]]:
    first, fields = stream.readline().decode("latin-1").strip(), {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return first, fields


def _drain(stream: BufferedReader, fields: dict[str, str]) -> int:
    if "chunked" not in fields.get("transfer-encoding", ""):
        return _skip(stream, int(fields.get("content-length", "0")))
    received = 0
    while length := int(stream.readline().split(b";")[0], 16):
        received += _skip(stream, length)
        stream.readline()
    stream.readline()
    return received


def _skip(stream: BufferedReader, length: int) -> int:
    left = length
    while left and (piece := stream.read(min(left, MIB))):
        left -= len(piece)
    return length - left
