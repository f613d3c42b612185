"""What a second worker brings: the answer job, closed loop, with one worker and with two."""

import time
from dataclasses import replace

from benchmarks import tokens, traffic
from benchmarks.harness import Bench
from benchmarks.jobs.common import answer_load, report_for
from benchmarks.peers import Peer
from benchmarks.peers.fastedge import FASTEDGE_ANSWER
from benchmarks.peers.haproxy import HAPROXY_ANSWER
from benchmarks.peers.nginx import NGINX_LUA
from benchmarks.report import JobReport

WORKERS = (1, 2)
PEERS = tuple(
    replace(peer, name=f"{peer.name} x{workers}", workers=workers)
    for peer in (NGINX_LUA, HAPROXY_ANSWER, FASTEDGE_ANSWER)
    for workers in WORKERS
)


def run(bench: Bench) -> JobReport:
    """Requests a second, and CPU a request beside it."""
    peers = bench.present("scale", PEERS)
    report = report_for(bench, "scale", "answer job with 1 and 2 workers, closed loop", peers)
    if shared := _shared(bench):
        report.notes.append(shared)
    visitors = traffic.make_visitors(bench.countries.addresses(tokens.POOL), int(time.time()))
    with bench.serving(peers) as scene:
        turns = bench.measure(scene.edges, answer_load(bench, visitors, count=bench.count))
    for name, rounds in turns.items():
        requests = sum(each.load.requests for each in rounds)
        report.add(name, "rate", "requests/s", [each.load.rate for each in rounds], requests)
        report.add(name, "cpu", "µs/request", [each.cpu_us for each in rounds], requests)
    _add_gain(report, peers)
    return report


def _add_gain(report: JobReport, peers: list[Peer]) -> None:
    for peer in peers:
        one = report.find(peer.name.replace(f"x{peer.workers}", "x1"), "rate")
        mine = report.find(peer.name, "rate")
        if one and mine and mine is not one:
            gains = [more / less for more, less in zip(mine.values, one.values, strict=True)]
            report.add(peer.name, "gain", "times", gains, mine.requests)


def _shared(bench: Bench) -> str | None:
    cores = bench.cores(max(WORKERS))
    if set(cores.servers) & set(cores.load):
        return "2 workers share their cores with the load generator here: the second brings less than a core"
    return None
