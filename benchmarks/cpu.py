"""The CPU time of a server's whole process tree, in nanoseconds, from the kernel's own per-process clocks.

utime and stime of /proc/PID/stat count in ticks of 10 ms; the clock behind them (clock_getcpuclockid(3)) counts user
and system time of all threads, dead ones included, in nanoseconds. Loopback's receive path runs in the sender's
context, so a server's figure holds the delivery of its own answers, the same for every peer.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError

PROC = Path("/proc")
_CLOCK_SCHED = 2  # CPUCLOCK_SCHED of a process, linux/posix-timers_types.h


def process_tree(root: int) -> tuple[int, ...]:
    """`root` and all its descendants, sorted."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    tree, todo = [], [root]
    while todo:
        pid = todo.pop()
        tree.append(pid)
        todo += children.get(pid, [])
    return tuple(sorted(tree))


def cpu_ns(pid: int) -> int:
    """User and system time that the process has used since it was started."""
    return time.clock_gettime_ns((~pid << 3) | _CLOCK_SCHED)


def pss_bytes(pid: int) -> tuple[int, int]:
    """(RSS, PSS): what is resident, and the same with shared pages divided among those who share them."""
    found = {"Rss": 0, "Pss": 0}
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0]) * 1024
    return found["Rss"], found["Pss"]


def tree_memory(root: int) -> tuple[int, int]:
    """(RSS, PSS) of a tree, in bytes. RSS counts what workers share once for each of them; PSS does not."""
    pairs = [pss_bytes(pid) for pid in process_tree(root)]
    return sum(rss for rss, _ in pairs), sum(pss for _, pss in pairs)


def busy_percent(seconds: float) -> float:
    """How busy all cores together are while we wait: what others do to a measurement that is about to begin."""
    before = _core_ticks()
    time.sleep(seconds)
    idle, total = (now - then for now, then in zip(_core_ticks(), before, strict=True))
    return 100 * (1 - idle / total) if total else 0.0


@dataclass(slots=True)
class CpuMeter:
    """Measures what a tree uses between `start` and `stop`."""

    root: int
    _begun: dict[int, int] | None = None

    def start(self) -> None:
        """Begins to count."""
        self._begun = {pid: cpu_ns(pid) for pid in process_tree(self.root)}

    def stop(self) -> int:
        """Nanoseconds since `start`. BenchmarkError if a process came or went: its time would be lost."""
        assert self._begun is not None, "stop without start"
        now = process_tree(self.root)
        if now != tuple(self._begun):
            raise BenchmarkError(f"processes came or went while they were measured: {tuple(self._begun)} became {now}")
        return sum(cpu_ns(pid) - begun for pid, begun in self._begun.items())


def _parent(entry: Path) -> int | None:
    try:
        stat = (entry / "stat").read_text()
    except OSError:
        return None  # gone since the directory was listed
    return int(stat[stat.rindex(")") + 2 :].split()[1])


def _core_ticks() -> tuple[int, int]:
    """(idle, all) of the first line of /proc/stat: user nice system idle iowait irq softirq steal."""
    ticks = [int(word) for word in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
