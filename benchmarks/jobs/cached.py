"""The cached job: verify a token of 10,000, bucket a visitor, look a country up, and send the one stored page with both
beside it."""

import time
from functools import partial

from benchmarks import agree, tokens, traffic
from benchmarks.harness import Bench
from benchmarks.jobs.common import add_cpu, answer_load, report_for
from benchmarks.peers.fastedge import FASTEDGE_CACHED
from benchmarks.peers.floor import FLOOR
from benchmarks.peers.haproxy import HAPROXY_CACHED
from benchmarks.peers.nginx import NGINX_LUA_CACHE_CACHED, NGINX_LUA_CACHED
from benchmarks.peers.origin import counting_origin
from benchmarks.report import JobReport

PEERS = (FLOOR, NGINX_LUA_CACHED, NGINX_LUA_CACHE_CACHED, HAPROXY_CACHED, FASTEDGE_CACHED)


def run(bench: Bench) -> JobReport:
    """CPU microseconds a request; one stored page for all visitors, and the floor gives its own to anyone."""
    peers = bench.present("cached", PEERS)
    report = report_for(bench, "cached", "HS256 token + cookie bucket + country, 1 KB from the cache", peers)
    now = int(time.time())
    visitors = traffic.make_visitors(bench.countries.addresses(tokens.POOL), now)
    with bench.serving(peers, origin_peer=counting_origin()) as scene:
        for each in scene.edges:
            if each.peer is not FLOOR:
                agree.require_answers(each, visitors, bench.countries)
                agree.require_refusals(each, tokens.refused_tokens(tokens.HS256, now))
        load = answer_load(bench, visitors, count=bench.count)
        add_cpu(report, bench.measure(scene.edges, load, partial(bench.hits, scene.origin)))
    return report
