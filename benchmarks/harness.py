"""Runs peers side by side and measures them in turns: A B C A B C, so that the machine's moods meet all of them alike.

The unit is CPU microseconds of the server's whole process tree over requests answered (DESIGN §7). One failed request,
one answer of another length, or a worker that was replaced ends the measurement: no figure is better than a wrong one.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import tools
from benchmarks.countries import CountryTable, make_countries
from benchmarks.cpu import CpuMeter
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, LoadResult, run_load
from benchmarks.peers import Peer, Setting
from benchmarks.peers.floor import FLOOR
from benchmarks.peers.origin import requests_seen
from benchmarks.process import Cores, Process, free_port

WARM_UP_COUNT = 20_000  # twice the pool of tokens: whoever remembers them has seen them all


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that serves."""

    peer: Peer
    process: Process
    port: int
    ready_s: float
    admin_port: int

    @property
    def name(self) -> str:
        """The peer's name."""
        return self.peer.name


@dataclass(frozen=True, slots=True)
class Scene:
    """The origin, and the edges before it."""

    origin: Running
    edges: list[Running]


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of one peer."""

    cpu_us: float
    load: LoadResult


@dataclass(slots=True)
class Bench:
    """Where it runs and how long. `rounds` are turns of each peer; `count` is requests in a turn."""

    directory: Path
    rounds: int = 7
    count: int = 60_000
    seconds: float = 4.0
    body_mb: int = 4096
    idle_connections: int = 10_000
    objects: int = 1_000_000
    without: frozenset[str] = frozenset()
    say: Callable[[str], None] = print
    missing: dict[str, str] = field(default_factory=dict)
    _tables: dict[str, CountryTable] = field(default_factory=dict)

    @property
    def tools(self) -> Path:
        """Where the compiled tools are."""
        return self.directory / "tools"

    @property
    def countries(self) -> CountryTable:
        """The table that all peers look addresses up in."""
        if "countries" not in self._tables:
            self._tables["countries"] = make_countries()
        return self._tables["countries"]

    def cores(self, servers: int = 1) -> Cores:
        """Which core does what on this machine."""
        return Cores.choose(sorted(os.sched_getaffinity(0)), servers)

    def present(self, job: str, peers: Sequence[Peer]) -> list[Peer]:
        """Those that can run here; the others are noted, each with its reason."""
        found = []
        for peer in peers:
            left_out = peer.name.partition(" ")[0] in self.without
            reason = "left out as asked" if left_out else peer.missing()
            if reason is None:
                found.append(peer)
            else:
                self.missing[f"{job}: {peer.name}"] = reason
        return found

    @contextmanager
    def serving(
        self, peers: Sequence[Peer], origin_port: int | None = None, origin_peer: Peer = FLOOR
    ) -> Iterator[Scene]:
        """The origin and the peers before it (or before `origin_port`), serving until the block ends."""
        with ExitStack() as stack:
            origin = self._start(stack, origin_peer, "origin", self.cores().origin, 0)
            port = origin_port or origin.port
            edges = [self._start(stack, peer, peer.name, self.cores(peer.workers).servers, port) for peer in peers]
            yield Scene(origin, edges)

    def measure(
        self,
        running: Sequence[Running],
        load: Load | Mapping[str, Load],
        turn: Callable[[Running, Load], Round] | None = None,
    ) -> dict[str, list[Round]]:
        """Warms everyone up, then gives each its turn (or what stands for one), `rounds` times.

        The load is the same for all, or by peer's name where they differ in more than who is asked.
        """
        turn = turn or self.turn
        loads = load if isinstance(load, Mapping) else {each.name: load for each in running}
        for each in running:
            self.warm_up(each, loads[each.name])
        turns: dict[str, list[Round]] = {each.name: [] for each in running}
        for number in range(self.rounds):
            for each in running:
                turns[each.name].append(turn(each, loads[each.name]))
            self.say(f"round {number + 1} of {self.rounds}: " + _in_short({name: t[-1] for name, t in turns.items()}))
        return turns

    def turn(self, running: Running, load: Load) -> Round:
        """One run against one peer."""
        meter = CpuMeter(running.process.pid)
        cores = self.cores(running.peer.workers)
        # A load generator that sleeps is woken by the server's send, at the server's expense: 1 to 6 us a request in a
        # virtual machine. The floor, which keeps it busy, never pays that. On a server's core it must sleep, though.
        spin = not load.rate and not set(cores.load) & set(cores.servers)
        meter.start()
        found = run_load(tools.build("loadgen", self.tools), running.port, replace(load, spin=spin), cores.load)
        spent_ns = meter.stop()
        found.require_clean(running.name)
        return Round(spent_ns / 1000 / found.requests, found)

    def hits(self, origin: Running, running: Running, load: Load) -> Round:
        """One run in which the origin may not be asked once: no figure is a hit's that is not."""
        before = requests_seen(origin.port)
        turn = self.turn(running, load)
        if asked := requests_seen(origin.port) - before:
            raise BenchmarkError(f"{running.name}: asked the origin {asked} times for what it should have stored")
        return turn

    def warm_up(self, running: Running, load: Load) -> None:
        """Requests that nobody counts."""
        self.turn(running, replace(load, count=min(load.count or WARM_UP_COUNT, WARM_UP_COUNT), seconds=0.0, rate=0.0))

    def _start(self, stack: ExitStack, peer: Peer, name: str, cores: Sequence[int], origin_port: int) -> Running:
        directory = self.directory / "run" / name
        shutil.rmtree(directory, ignore_errors=True)  # what an earlier run has stored and logged
        directory.mkdir(parents=True)
        setting = Setting(directory, free_port(), origin_port, self.tools, self.countries, peer.workers, free_port())
        process = stack.enter_context(Process(name, peer.prepare(setting), directory, cores))
        ready_s = process.await_answer(setting.port)
        peer.settle(process.pid)
        return Running(peer, process, setting.port, ready_s, setting.admin_port)


def _in_short(last: Mapping[str, Round]) -> str:
    return ", ".join(f"{name} {turn.cpu_us:.2f} µs" for name, turn in last.items())
