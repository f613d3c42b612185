"""The answer job: verify a token of 10,000, bucket a visitor, look a country up, answer a page of 1 KB from memory."""

import time
from collections.abc import Sequence

from benchmarks import agree, tokens, traffic
from benchmarks.harness import Bench
from benchmarks.jobs.common import add_cpu, answer_load, report_for
from benchmarks.peers import Peer
from benchmarks.peers.fastedge import FASTEDGE_ANSWER
from benchmarks.peers.floor import FLOOR
from benchmarks.peers.haproxy import HAPROXY_ANSWER
from benchmarks.peers.nginx import NGINX_LUA, NGINX_LUA_CACHE
from benchmarks.report import JobReport

PEERS = (FLOOR, NGINX_LUA, NGINX_LUA_CACHE, HAPROXY_ANSWER, FASTEDGE_ANSWER)


def run(bench: Bench) -> JobReport:
    """With peers that remember all tokens, or none."""
    return measure(bench, "answer", "HS256 token + cookie bucket + country, 1 KB from memory", PEERS)


def measure(bench: Bench, job: str, title: str, candidates: Sequence[Peer]) -> JobReport:
    """CPU microseconds a request; the floor gives the same page to anyone."""
    peers = bench.present(job, candidates)
    report = report_for(bench, job, title, peers)
    now = int(time.time())
    visitors = traffic.make_visitors(bench.countries.addresses(tokens.POOL), now)
    with bench.serving(peers) as scene:
        for each in scene.edges:
            if each.peer is not FLOOR:
                agree.require_answers(each, visitors, bench.countries)
                agree.require_refusals(each, tokens.refused_tokens(tokens.HS256, now))
        add_cpu(report, bench.measure(scene.edges, answer_load(bench, visitors, count=bench.count)))
    return report
