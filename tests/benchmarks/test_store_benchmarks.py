"""The scripts about the memory tier run, and their figures keep to what is promised of it."""

import subprocess
import sys

from benchmarks.eviction import RULES, ratios


def test_memory_of_a_stored_object_is_within_the_promise() -> None:
    command = [sys.executable, "-m", "benchmarks.store_memory", "100000"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout
    figures = {line[:24].strip(): float(line[24:]) for line in printed.splitlines()}
    assert figures["objects"] == 100_000
    assert 250 < figures["overhead, bytes"] <= 400
    assert abs(figures["overhead, bytes"] - figures["overhead as counted"]) < 40


def test_eviction_is_better_than_the_plain_rules_on_every_trace() -> None:
    rows = ratios(40_000)
    assert set(rows) == set(RULES)
    for name in ("LRU", "FIFO", "CLOCK"):
        better = [ours > other for ours, other in zip(rows["fastedge (S3-FIFO)"], rows[name], strict=True)]
        assert better[::2] == [True] * 3, name
