"""The rs256 job: verify a token of 10,000 by an RSA key of 2048 bits, answer a page of 1 KB from memory."""

import time

from benchmarks import agree, tokens, traffic
from benchmarks.harness import Bench
from benchmarks.jobs.common import add_cpu, answer_load, report_for
from benchmarks.peers.envoy import ENVOY, ENVOY_CACHE
from benchmarks.peers.fastedge import FASTEDGE_RS256, FASTEDGE_RS256_VERIFY
from benchmarks.peers.floor import FLOOR
from benchmarks.peers.haproxy import HAPROXY_RS256
from benchmarks.report import JobReport

PEERS = (FLOOR, HAPROXY_RS256, ENVOY, ENVOY_CACHE, FASTEDGE_RS256_VERIFY, FASTEDGE_RS256)


def run(bench: Bench) -> JobReport:
    """CPU microseconds a request; the floor gives the same page to anyone."""
    peers = bench.present("rs256", PEERS)
    report = report_for(bench, "rs256", f"RS256 token of {tokens.RSA_BITS} bits, 1 KB from memory", peers)
    now = int(time.time())
    visitors = traffic.make_visitors(bench.countries.addresses(tokens.POOL), now, tokens.RS256)
    with bench.serving(peers) as scene:
        for each in scene.edges:
            if each.peer is not FLOOR:
                agree.require_pages(each, visitors)
                agree.require_refusals(each, tokens.refused_tokens(tokens.RS256, now))
        add_cpu(report, bench.measure(scene.edges, answer_load(bench, visitors, count=bench.count)))
    return report
