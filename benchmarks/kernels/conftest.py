"""Kernel benchmarks: one function, nanoseconds a call. `python -m pytest benchmarks/kernels --benchmark-enable`.

Without --benchmark-enable each runs once, as a test that it still works. Figures of different runs do not compare; put
what is to be compared (a runner-up, the bare library) beside it in one group: `@pytest.mark.benchmark(group="token")`.
"""

import gc
import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_core() -> Iterator[None]:
    """On one core from beginning to end: a move between cores costs more than most kernels take."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


@pytest.fixture(autouse=True)
def no_collections() -> Iterator[None]:
    """No garbage collection inside a measurement; what one test left is collected before the next."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
