"""Runs the load generator and reads what it found. One error or mismatch ends the benchmark."""

import json
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.histogram import Histogram
from benchmarks.process import HOST

RUN_S_MAX = 600.0


@dataclass(frozen=True, slots=True)
class Load:
    """What to send. With a `rate` (requests a second) the loop is open: latency counts from when a request was due.

    `numbers`: so many targets; the ######## of each request become 0, 1, 2 …, or with `shuffle` any of them.
    `spin`: never sleep, so that nobody pays for waking us; others on the core are let through by sched_yield(2).
    """

    requests_file: Path
    connections: int = 64
    count: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    arrival: str = "poisson"
    seed: int = 1
    status: int = 200
    body_bytes: int = -1
    numbers: int = 0
    shuffle: bool = False
    spin: bool = False

    def arguments(self) -> list[str]:
        """The load generator's options."""
        options: list[object] = ["--requests", self.requests_file, "--connections", self.connections]
        options += ["--status", self.status, "--body", self.body_bytes]
        if self.count:
            options += ["--count", self.count]
        if self.seconds:
            options += ["--seconds", self.seconds]
        if self.numbers:
            options += ["--numbers", self.numbers, "--shuffle", int(self.shuffle), "--seed", self.seed]
        if self.spin:
            options += ["--spin", 1]
        if self.rate:
            options += ["--rate", self.rate, "--arrival", self.arrival, "--seed", self.seed]
        return [str(option) for option in options]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came back."""

    requests: int
    errors: int
    status_mismatches: int
    body_mismatches: int
    unsent: int
    reconnects: int
    seconds: float
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float
    histogram: Histogram

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    def require_clean(self, whose: str) -> None:
        """BenchmarkError if one request failed or one answer was another than expected."""
        wrong = self.errors + self.status_mismatches + self.body_mismatches
        if wrong or not self.requests:
            raise BenchmarkError(
                f"{whose}: {self.requests} answers, {self.errors} errors, {self.status_mismatches} of another status, "
                f"{self.body_mismatches} of another length"
            )


def run_load(program: Path, port: int, load: Load, cores: Sequence[int]) -> LoadResult:
    """One run, on the given cores, to its end."""
    argv = ["taskset", "-c", ",".join(map(str, cores)), str(program), "--connect", f"{HOST}:{port}", *load.arguments()]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
    if done.returncode:
        raise BenchmarkError(f"the load generator failed: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    return LoadResult(**{**found, "histogram": Histogram.from_pairs(found["histogram"])})


def write_requests(path: Path, requests: Iterable[bytes]) -> Path:
    """The load generator's input: each request behind its length as 4 little-endian bytes."""
    path.write_bytes(b"".join(struct.pack("<I", len(request)) + request for request in requests))
    return path
