"""The herd job: 200 clients ask at once for one object that nobody has stored; the origin takes its time."""

from dataclasses import replace

from benchmarks import agree, traffic
from benchmarks.harness import Bench, Running, Scene
from benchmarks.jobs.common import report_for
from benchmarks.load import Load, write_requests
from benchmarks.peers.fastedge import FASTEDGE_TIERS
from benchmarks.peers.haproxy import HAPROXY_CACHE
from benchmarks.peers.nginx import NGINX_CACHE
from benchmarks.peers.origin import counting_origin, requests_seen
from benchmarks.peers.varnish import VARNISH
from benchmarks.report import JobReport

CLIENTS = 200
WORKERS = 2
DELAY_MS = 200  # longer than 200 requests take to come in
MILLISECOND_US = 1000
PEERS = tuple(replace(peer, workers=WORKERS) for peer in (NGINX_CACHE, HAPROXY_CACHE, VARNISH, FASTEDGE_TIERS))


def run(bench: Bench) -> JobReport:
    """Requests that the origin saw, and how long the last client waited."""
    peers = bench.present("herd", PEERS)
    title = f"{CLIENTS} clients ask for one object at once, {WORKERS} workers, the origin takes {DELAY_MS} ms"
    report = report_for(bench, "herd", title, peers)
    with bench.serving(peers, origin_peer=counting_origin(delay_ms=DELAY_MS)) as scene:
        for each in scene.edges:
            agree.require_page(each)
        for each in scene.edges:
            _measure(report, each, scene, bench)
    return report


def _measure(report: JobReport, edge: Running, scene: Scene, bench: Bench) -> None:
    asked: list[float] = []
    waits: list[float] = []
    for number in range(bench.rounds):
        before = requests_seen(scene.origin.port)
        found = bench.turn(edge, _herd(bench, number)).load
        asked.append(requests_seen(scene.origin.port) - before)
        waits.append(found.max_us / MILLISECOND_US)
    bench.say(f"{edge.name}: {asked} requests at the origin")
    report.add(edge.name, "origin asked", "requests", asked, CLIENTS * bench.rounds)
    report.add(edge.name, "last client", "ms", waits, CLIENTS * bench.rounds)


def _herd(bench: Bench, number: int) -> Load:
    """Each client asks once, all of them for the `number`-th object."""
    request = traffic.proxy_requests(bench.countries.addresses(traffic.TARGET_POOL))[number]
    path = write_requests(bench.directory / "herd.requests", [request])
    return Load(path, connections=CLIENTS, count=CLIENTS, body_bytes=traffic.BODY_BYTES)
