"""The objects job: a million small objects in one worker's memory: what each takes, and what it costs to find one.

Of each peer two run, one that holds 1,000 objects and one that holds them all: their turns alternate.
"""

import http.client
from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks import traffic
from benchmarks.cpu import tree_memory
from benchmarks.harness import Bench, Round, Running, Scene
from benchmarks.jobs.common import numbered_load, report_for
from benchmarks.load import Load
from benchmarks.peers import Peer
from benchmarks.peers.fastedge import FASTEDGE_CACHE_LARGE
from benchmarks.peers.origin import counting_origin
from benchmarks.peers.varnish import VARNISH_LARGE
from benchmarks.process import HOST
from benchmarks.report import JobReport

FEW = 1_000
BODY_BYTES = 100
PEERS = (VARNISH_LARGE, FASTEDGE_CACHE_LARGE)


def run(bench: Bench) -> JobReport:
    """Bytes an object beside head and body; CPU microseconds a hit with few and with many, each asked for by chance."""
    pairs = [_pair(peer, bench) for peer in bench.present("objects", PEERS)]
    title = f"{bench.objects:,} objects of {BODY_BYTES} bytes, 1 worker"
    report = report_for(bench, "objects", title, [peer for pair in pairs for peer in pair])
    report.notes.append("nginx keeps a file an object, HAProxy tells keys apart by 32 bits and cannot hold them all")
    for pair in pairs:
        with bench.serving(pair, origin_peer=counting_origin(BODY_BYTES)) as scene:
            _measure(report, scene, bench)
    return report


def _pair(peer: Peer, bench: Bench) -> list[Peer]:
    return [replace(peer, name=f"{peer.name} {count:,}") for count in (FEW, bench.objects)]


def _measure(report: JobReport, scene: Scene, bench: Bench) -> None:
    few, many = scene.edges
    load = numbered_load(bench, FEW, BODY_BYTES)
    for each in scene.edges:
        bench.turn(each, replace(load, count=bench.count))  # touches what the process and its log will have in any case
    before = _memory(many)
    bench.turn(many, replace(load, count=bench.objects, numbers=bench.objects))
    growth = (_memory(many) - before) / (bench.objects - FEW)
    overhead = growth - _answer_bytes(scene.origin.port)
    bench.say(f"{many.name}: {growth:.0f} bytes an object, {overhead:.0f} beside its own")
    loads = {few.name: load, many.name: replace(load, numbers=bench.objects)}
    turns = bench.measure(scene.edges, load, lambda edge, _: bench.hits(scene.origin, edge, _random(loads[edge.name])))
    _add(report, turns, few.name, many.name)
    report.add(many.name, "beside its own", "bytes/object", [overhead], bench.objects)


def _random(load: Load) -> Load:
    return replace(load, shuffle=True)


def _memory(edge: Running) -> int:
    _, pss = tree_memory(edge.process.pid)
    return pss


def _add(report: JobReport, turns: Mapping[str, Sequence[Round]], few: str, many: str) -> None:
    for name, rounds in turns.items():
        requests = sum(each.load.requests for each in rounds)
        report.add(name, "cpu", "µs/request", [each.cpu_us for each in rounds], requests)
    growth = [more.cpu_us / less.cpu_us for more, less in zip(turns[many], turns[few], strict=True)]
    report.add(many, "÷ few", "times", growth)


def _answer_bytes(port: int) -> int:
    """Of the origin's answer: its fields, and its body."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/objects/0", headers={"Host": traffic.HOST})
        response = connection.getresponse()
        fields = sum(len(f"{name}: {value}\r\n") for name, value in response.getheaders())
        return fields + len(response.read())
    finally:
        connection.close()
