"""What an edge weighs when nothing happens, and with 10,000 clients that have each asked once and now only hold on."""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks import traffic
from benchmarks.cpu import tree_memory
from benchmarks.errors import BenchmarkError
from benchmarks.harness import Bench, Running
from benchmarks.jobs.common import report_for
from benchmarks.peers.fastedge import FASTEDGE
from benchmarks.peers.haproxy import HAPROXY
from benchmarks.peers.nginx import NGINX
from benchmarks.process import HOST
from benchmarks.report import JobReport

PEERS = (NGINX, HAPROXY, FASTEDGE)
MIB = 1 << 20


def run(bench: Bench) -> JobReport:
    """Seconds to the first answer; RSS and PSS in MiB of each edge's whole tree, before and with the connections."""
    peers = bench.present("idle", PEERS)
    clients = bench.idle_connections
    report = report_for(bench, "idle", f"memory at rest and with {clients:,} idle connections, 1 worker", peers)
    for peer in peers:
        with bench.serving([peer]) as scene:
            _measure(report, scene.edges[0], bench)
    return report


def _measure(report: JobReport, edge: Running, bench: Bench) -> None:
    request = traffic.proxy_requests(bench.countries.addresses(traffic.TARGET_POOL))[0]
    with _clients(edge.port, 1, request):
        rss, pss = tree_memory(edge.process.pid)
    with _clients(edge.port, bench.idle_connections, request) as connections:
        rss_held, pss_held = tree_memory(edge.process.pid)
        _require_open(edge, connections)
    bench.say(f"{edge.name}: {pss / MIB:.1f} MiB, {pss_held / MIB:.1f} MiB with {bench.idle_connections:,} connections")
    report.add(edge.name, "start", "s", [edge.ready_s])
    for metric, value in (("rss", rss), ("pss", pss), ("rss held", rss_held), ("pss held", pss_held)):
        report.add(edge.name, metric, "MiB", [value / MIB])
    report.add(edge.name, "growth", "MiB", [(pss_held - pss) / MIB], bench.idle_connections)
    report.add(edge.name, "a connection", "KiB", [(pss_held - pss) / 1024 / bench.idle_connections])


@contextmanager
def _clients(port: int, count: int, request: bytes) -> Iterator[list[socket.socket]]:
    """`count` kept-alive connections, each with one answered request behind it."""
    with ExitStack() as stack:
        yield [stack.enter_context(_client(port, request)) for _ in range(count)]


def _client(port: int, request: bytes) -> socket.socket:
    connection = socket.create_connection((HOST, port), timeout=10)
    connection.sendall(request)
    received = b""
    while len(received.partition(b"\r\n\r\n")[2]) < traffic.BODY_BYTES:
        piece = connection.recv(65536)
        if not piece:
            raise BenchmarkError(f"port {port} closed a connection before its answer was whole")
        received += piece
    return connection


def _require_open(edge: Running, connections: list[socket.socket]) -> None:
    poll = select.poll()
    for connection in connections:
        poll.register(connection, select.POLLIN)
    if closed := len(poll.poll(0)):
        raise BenchmarkError(f"{edge.name} closed {closed} of {len(connections)} idle connections")
