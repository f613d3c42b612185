"""CPU accounting: a process that is known to have burnt so much is found to have burnt so much."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.cpu import CpuMeter, busy_percent, cpu_ns, process_tree, tree_memory
from benchmarks.errors import BenchmarkError

BURN_S = 0.3
# Says when it is ready, burns its share of CPU when told to, says so and waits: nothing of it comes or goes meanwhile.
BURNER = f"""
import sys, time
print("ready", flush=True)
for _ in sys.stdin:
    end = time.process_time() + {BURN_S}
    while time.process_time() < end:
        pass
    print("done", flush=True)
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


@contextmanager
def burner(*argv: str) -> Iterator[subprocess.Popen[str]]:
    """A process that burns BURN_S for each line that it is sent."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def burn(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None and process.stdin is not None
    process.stdin.write("burn\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


@pytest.mark.parametrize("argv", [(BURNER,), (PARENT, BURNER)], ids=["itself", "its child"])
def test_meter_finds_what_a_tree_burnt(argv: tuple[str, ...]) -> None:
    with burner(sys.executable, "-c", *argv) as process:
        meter = CpuMeter(process.pid)
        meter.start()
        burn(process)
        spent_s = meter.stop() / 1e9
    assert BURN_S <= spent_s <= BURN_S * 1.1 + 0.01


def test_meter_finds_nothing_while_a_process_sleeps() -> None:
    with burner(sys.executable, "-c", BURNER) as process:
        meter = CpuMeter(process.pid)
        meter.start()
        time.sleep(0.1)
        assert meter.stop() < 5e6


def test_clock_agrees_with_user_and_system_time() -> None:
    with burner(sys.executable, "-c", BURNER) as process:
        burn(process)
        with open(f"/proc/{process.pid}/stat") as stat:  # noqa: PTH123
            fields = stat.read().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        assert cpu_ns(process.pid) / 1e9 == pytest.approx(ticks / os.sysconf("SC_CLK_TCK"), abs=0.025)


def test_meter_refuses_when_a_process_came() -> None:
    with burner(sys.executable, "-c", BURNER) as process:
        meter = CpuMeter(os.getpid())
        meter.start()
        with burner(sys.executable, "-c", BURNER), pytest.raises(BenchmarkError, match="came or went"):
            meter.stop()
        assert process.pid in process_tree(os.getpid())


def test_memory_of_a_tree_grows_with_its_children() -> None:
    _, alone = tree_memory(os.getpid())
    with burner(sys.executable, "-c", BURNER):
        rss, pss = tree_memory(os.getpid())
    assert pss > alone + (1 << 20)
    assert rss >= pss


def test_busy_machine_is_noticed() -> None:
    with burner(sys.executable, "-c", BURNER) as process:
        assert process.stdin is not None
        process.stdin.write("burn\n")
        process.stdin.flush()
        busy = busy_percent(BURN_S / 2)
    # One core of however many; ticks of 4 to 10 ms are coarse for so short a while.
    assert 50 / (os.cpu_count() or 1) < busy <= 100
