"""The purge job: a million objects are stored, a thousand are purged by their tag. When does nobody get one any more?

32 clients stay connected, spread over the workers by the kernel. Each page says which request made it: what an edge
kept and what it fetched anew are told apart without believing its own word.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

from benchmarks import traffic
from benchmarks.errors import BenchmarkError
from benchmarks.harness import Bench, Running, Scene
from benchmarks.jobs.common import numbered_load, numbered_target, report_for
from benchmarks.peers.fastedge import ADMIN_TOKEN, FASTEDGE_CACHE_LARGE
from benchmarks.peers.origin import counting_origin
from benchmarks.peers.varnish import VARNISH_BAN, VARNISH_XKEY
from benchmarks.process import HOST
from benchmarks.report import JobReport

WORKERS = 2
TAGS = 1_000
CLIENTS = 32
BODY_BYTES = 100
PEERS = tuple(replace(peer, workers=WORKERS) for peer in (VARNISH_BAN, VARNISH_XKEY, FASTEDGE_CACHE_LARGE))
Connection = http.client.HTTPConnection


def run(bench: Bench) -> JobReport:
    """Milliseconds until the purge was answered, and until the last client got no purged page any more."""
    peers = bench.present("purge", PEERS)
    title = f"one tag of {TAGS:,} with {bench.objects:,} objects stored, {WORKERS} workers"
    report = report_for(bench, "purge", title, peers)
    report.notes.append("nginx and HAProxy, as shipped, have no purge by tag")
    for peer in peers:
        with bench.serving([peer], origin_peer=counting_origin(BODY_BYTES, TAGS)) as scene:
            bench.turn(scene.edges[0], numbered_load(bench, bench.objects, BODY_BYTES, count=bench.objects))
            _measure(report, scene, bench)
    return report


def _measure(report: JobReport, scene: Scene, bench: Bench) -> None:
    edge = scene.edges[0]
    answered, obeyed = [], []
    with _connections(edge.port) as clients, _purge_of(edge) as purge:
        purge("nobody's")  # connections are open from here on
        for number in range(bench.rounds):
            times = _purge_once(edge, clients, number, purge)
            answered.append(times[0])
            obeyed.append(times[1])
    bench.say(f"{edge.name}: obeyed after {', '.join(f'{value:.2f}' for value in obeyed)} ms")
    report.add(edge.name, "answered", "ms", answered)
    report.add(edge.name, "obeyed", "ms", obeyed)


def _purge_once(edge: Running, clients: Sequence[Connection], number: int, purge: Callable[[str], None]) -> list[float]:
    """(until the answer, until all obeyed) in milliseconds."""
    kept = _stored_everywhere(edge, clients, number)
    begun = time.perf_counter()
    purge(f"t{number}")
    answered = obeyed = time.perf_counter()
    for client in clients:
        while _made_by(client, number) <= kept:
            obeyed = time.perf_counter()
    return [1000 * (moment - begun) for moment in (answered, obeyed)]


def _stored_everywhere(edge: Running, clients: Sequence[Connection], number: int) -> int:
    """The newest request that made one of the pages which the clients get, once each gets the same page again."""
    for client in clients:
        _made_by(client, number)
    first, again = ([_made_by(client, number) for client in clients] for _ in range(2))
    if first != again:
        raise BenchmarkError(f"{edge.name}: made pages anew that it should have stored: there is nothing to purge")
    return max(again)


def _made_by(client: Connection, number: int) -> int:
    client.request("GET", numbered_target(number), headers={"Host": traffic.HOST})
    response = client.getresponse()
    response.read()
    return int(response.headers["X-Made-By"])


@contextmanager
def _connections(port: int) -> Iterator[list[Connection]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Connection(HOST, port, timeout=10))) for _ in range(CLIENTS)]


@contextmanager
def _purge_of(edge: Running) -> Iterator[Callable[[str], None]]:
    """The way in which this edge purges a tag."""
    is_ours = edge.peer.name == FASTEDGE_CACHE_LARGE.name
    with closing(Connection(HOST, edge.admin_port if is_ours else edge.port, timeout=60)) as connection:

        def purge(tag: str) -> None:
            (_ask_admin if is_ours else _ask_vcl)(connection, tag)
            response = connection.getresponse()
            text = response.read()
            if response.status != 200:
                raise BenchmarkError(f"{edge.name}: answered {response.status} to a purge: {text[:200].decode()}")

        yield purge


def _ask_admin(connection: Connection, tag: str) -> None:
    fields = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/purge", json.dumps({"tags": [tag]}), fields)


def _ask_vcl(connection: Connection, tag: str) -> None:
    connection.request("PURGE", "/", headers={"Host": traffic.HOST, "xkey": tag})
