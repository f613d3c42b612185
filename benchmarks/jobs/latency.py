"""What an edge adds to a request's time: open loop at half of the slowest edge's rate, the origin alone beside it.

Latency counts from when a request was due. "Added" is a percentile through the edge less the same percentile without
it, round by round: both contain the same wake-ups of the same machine.
"""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks import agree
from benchmarks.harness import Bench, Round, Running, Scene
from benchmarks.jobs.common import proxy_load, report_for
from benchmarks.load import Load, LoadResult
from benchmarks.peers.fastedge import FASTEDGE
from benchmarks.peers.haproxy import HAPROXY
from benchmarks.peers.nginx import NGINX
from benchmarks.report import JobReport

PEERS = (NGINX, HAPROXY, FASTEDGE)
LOAD_SHARE = 0.5
PERCENTILES = (("p50", "p50_us"), ("p99", "p99_us"), ("p99.9", "p999_us"))
DIRECT = "direct"


def run(bench: Bench) -> JobReport:
    """p50, p99 and p99.9 of each edge and of the origin alone, and the differences."""
    peers = bench.present("latency", PEERS)
    report = report_for(bench, "latency", "", peers)
    with bench.serving(peers) as scene:
        for each in scene.edges:
            agree.require_page(each)
        closed = proxy_load(bench, count=bench.count)
        rate = LOAD_SHARE * min(_rate_max(bench, each, closed) for each in scene.edges)
        report.title = f"open loop, Poisson, {rate:,.0f} requests/s (half of what the slowest edge can do)"
        turns = _alternate(bench, scene, replace(closed, count=0, seconds=bench.seconds, rate=rate))
    for name, rounds in turns.items():
        _add(report, name, rounds, turns[DIRECT])
    return report


def _rate_max(bench: Bench, running: Running, closed: Load) -> float:
    bench.warm_up(running, closed)
    return bench.turn(running, closed).load.rate


def _alternate(bench: Bench, scene: Scene, load: Load) -> dict[str, list[Round]]:
    turns: dict[str, list[Round]] = {DIRECT: [], **{each.name: [] for each in scene.edges}}
    for number in range(bench.rounds):
        for name, running in [(DIRECT, scene.origin), *((each.name, each) for each in scene.edges)]:
            turns[name].append(bench.turn(running, load))
        last = ", ".join(f"{name} {rounds[-1].load.p999_us:,.0f} µs" for name, rounds in turns.items())
        bench.say(f"round {number + 1} of {bench.rounds}, p99.9: {last}")
    return turns


def _add(report: JobReport, name: str, rounds: Sequence[Round], direct: Sequence[Round]) -> None:
    requests = sum(each.load.requests for each in rounds)
    for label, field in PERCENTILES:
        report.add(name, label, "µs", [_value(each.load, field) for each in rounds], requests)
    if name == DIRECT:
        return
    for label, field in PERCENTILES:
        added = [_value(one.load, field) - _value(two.load, field) for one, two in zip(rounds, direct, strict=True)]
        report.add(name, f"added {label}", "µs", added, requests)


def _value(found: LoadResult, field: str) -> float:
    return float(getattr(found, field))
