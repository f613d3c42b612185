"""The disk job: 1,000 pages of 64 KB that an edge keeps in files, all of them in the kernel's page cache."""

from dataclasses import replace
from functools import partial

from benchmarks import agree
from benchmarks.harness import Bench
from benchmarks.jobs.common import add_cpu, proxy_load, report_for
from benchmarks.peers.fastedge import FASTEDGE_DISK
from benchmarks.peers.floor import floor
from benchmarks.peers.nginx import NGINX_CACHE_LARGE
from benchmarks.peers.origin import counting_origin
from benchmarks.report import JobReport

BODY_BYTES = 64 * 1024
COUNT_SHARE = 4  # a turn has so many times fewer requests than one with pages of 1 KB
PEERS = (floor(BODY_BYTES, "max-age=3600"), NGINX_CACHE_LARGE, FASTEDGE_DISK)


def run(bench: Bench) -> JobReport:
    """CPU microseconds a request. The targets come round in a circle, so that a small tier of memory holds none."""
    peers = bench.present("disk", PEERS)
    report = report_for(bench, "disk", "10-field GET, 64 KB stored on disk, page cache warm", peers)
    with bench.serving(peers, origin_peer=counting_origin(BODY_BYTES)) as scene:
        for each in scene.edges:
            agree.require_page(each, BODY_BYTES)
        load = replace(proxy_load(bench, count=bench.count // COUNT_SHARE), body_bytes=BODY_BYTES)
        add_cpu(report, bench.measure(scene.edges, load, partial(bench.hits, scene.origin)))
    return report
