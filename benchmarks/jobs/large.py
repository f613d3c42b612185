"""The large job: a stored body of 1 MiB, as fast as one core of the server can send it."""

from functools import partial

from benchmarks import agree, traffic
from benchmarks.harness import Bench, Round
from benchmarks.jobs.common import report_for
from benchmarks.load import Load, write_requests
from benchmarks.peers.fastedge import FASTEDGE_CACHE
from benchmarks.peers.haproxy import HAPROXY_CACHE
from benchmarks.peers.nginx import NGINX_CACHE_LARGE
from benchmarks.peers.origin import counting_origin
from benchmarks.peers.varnish import VARNISH
from benchmarks.report import JobReport

MIB = 1 << 20
CONNECTIONS = 8
COUNT_SHARE = 20  # a turn has so many times fewer requests than one with pages of 1 KB
PEERS = (NGINX_CACHE_LARGE, HAPROXY_CACHE, VARNISH, FASTEDGE_CACHE)


def run(bench: Bench) -> JobReport:
    """MiB a second, and CPU microseconds a request: where the load generator is the slower, only that counts."""
    peers = bench.present("large", PEERS)
    report = report_for(bench, "large", f"1 MiB from the cache, closed loop, {CONNECTIONS} connections", peers)
    request = traffic.proxy_requests(bench.countries.addresses(traffic.TARGET_POOL))[0]
    requests = write_requests(bench.directory / "large.requests", [request])
    load = Load(requests, CONNECTIONS, bench.count // COUNT_SHARE, body_bytes=MIB)
    with bench.serving(peers, origin_peer=counting_origin(MIB)) as scene:
        for each in scene.edges:
            agree.require_page(each, MIB)
        turns = bench.measure(scene.edges, load, partial(bench.hits, scene.origin))
    _add(report, turns)
    return report


def _add(report: JobReport, turns: dict[str, list[Round]]) -> None:
    report.compared = ("throughput", "cpu")
    for peer, rounds in turns.items():
        requests = sum(each.load.requests for each in rounds)
        report.add(peer, "throughput", "MiB/s", [each.load.rate for each in rounds], requests)
        report.add(peer, "cpu", "µs/request", [each.cpu_us for each in rounds], requests)
