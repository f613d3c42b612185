"""The hit job: a GET with ten fields, and 1 KB that the edge has stored in memory."""

from functools import partial

from benchmarks import agree, traffic
from benchmarks.harness import Bench
from benchmarks.jobs.common import add_cpu, proxy_load, report_for
from benchmarks.peers.fastedge import FASTEDGE_CACHE
from benchmarks.peers.floor import floor
from benchmarks.peers.haproxy import HAPROXY_CACHE
from benchmarks.peers.nginx import NGINX_CACHE
from benchmarks.peers.origin import counting_origin
from benchmarks.peers.varnish import VARNISH
from benchmarks.report import JobReport

PEERS = (floor(cache_control="max-age=3600"), NGINX_CACHE, HAPROXY_CACHE, VARNISH, FASTEDGE_CACHE)


def run(bench: Bench) -> JobReport:
    """CPU microseconds a request of each edge; the origin sleeps meanwhile, or it was no hit."""
    peers = bench.present("hit", PEERS)
    report = report_for(bench, "hit", f"10-field GET, {traffic.BODY_BYTES} bytes stored in memory", peers)
    with bench.serving(peers, origin_peer=counting_origin()) as scene:
        for each in scene.edges:
            agree.require_page(each)
        load = proxy_load(bench, count=bench.count)
        add_cpu(report, bench.measure(scene.edges, load, partial(bench.hits, scene.origin)))
    return report
