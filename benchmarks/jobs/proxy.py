"""The proxy job: a GET with ten fields through the edge to a fast origin, and 1 KB back."""

from benchmarks import agree, traffic
from benchmarks.harness import Bench
from benchmarks.jobs.common import add_cpu, proxy_load, report_for
from benchmarks.peers.fastedge import FASTEDGE
from benchmarks.peers.floor import FLOOR
from benchmarks.peers.haproxy import HAPROXY
from benchmarks.peers.nginx import NGINX
from benchmarks.report import JobReport

PEERS = (FLOOR, NGINX, HAPROXY, FASTEDGE)


def run(bench: Bench) -> JobReport:
    """CPU microseconds a request of each edge; the floor answers by itself."""
    peers = bench.present("proxy", PEERS)
    report = report_for(bench, "proxy", f"10-field GET, {traffic.BODY_BYTES} bytes from a fast origin", peers)
    with bench.serving(peers) as scene:
        for each in scene.edges:
            agree.require_page(each)
        add_cpu(report, bench.measure(scene.edges, proxy_load(bench, count=bench.count)))
    return report
