"""Preparing beside the traffic: what comes of it, and that nothing of it stays when nobody wants it any more."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fastedge.config import Sources
from fastedge.handover import SealedSources
from fastedge.preparation import Preparation

GOOD = "from fastedge import Pipeline\npipeline = Pipeline()\n"
GENERATION = 4242  # no other test has it
CONFIG = '[policy]\nfile = "shop.py"\n[origins.main]\nservers = ["http://127.0.0.1:9"]\n'


@pytest.fixture
def descriptor_of(tmp_path: Path) -> Callable[[str], int]:
    """The descriptor of sources with this policy, to be closed by whoever prepares them."""

    def make(policy: str) -> int:
        (tmp_path / "edge.toml").write_text(CONFIG)
        (tmp_path / "shop.py").write_text(policy)
        sealed = SealedSources(Sources.read(tmp_path / "edge.toml", {}), GENERATION)
        copy = os.dup(sealed.descriptor)
        sealed.close()
        return copy

    return make


def modules() -> set[str]:
    return {name for name in sys.modules if name.startswith(f"fastedge_policy_{GENERATION}_")}


def prepare(descriptor: int, after_s: float | None = None) -> Preparation:
    """A preparation that has ended, or that was aborted after so many seconds."""

    async def run() -> Preparation:
        done: asyncio.Future[Preparation] = asyncio.get_running_loop().create_future()
        preparation = Preparation(asyncio.get_running_loop(), GENERATION, descriptor, done.set_result)
        if after_s is None:
            return await asyncio.wait_for(done, 5)
        await asyncio.sleep(after_s)
        preparation.abort()
        deadline = time.monotonic() + 5
        while any(thread.name == "fastedge-prepare" for thread in threading.enumerate()):
            assert time.monotonic() < deadline, "the thread goes on"
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        assert not done.done()
        return preparation

    return asyncio.run(run())


def test_what_was_prepared_is_there_under_the_names_of_its_generation(descriptor_of: Callable[[str], int]) -> None:
    preparation = prepare(descriptor_of(GOOD))
    assert preparation.problems == ()
    assert preparation.prepared is not None
    assert modules() == {f"fastedge_policy_{GENERATION}_0_shop"}
    preparation.abort()
    assert modules() == set()
    assert preparation.prepared is None


def test_errors_are_handed_back(descriptor_of: Callable[[str], int]) -> None:
    preparation = prepare(descriptor_of("x ="))
    assert preparation.prepared is None
    assert [problem.key for problem in preparation.problems] == ["line 1"]


def test_policy_without_end_is_interrupted(descriptor_of: Callable[[str], int]) -> None:
    preparation = prepare(descriptor_of("while True:\n    pass\n"), after_s=0.2)
    assert preparation.prepared is None
    assert modules() == set()
    assert sys.getswitchinterval() == pytest.approx(0.005)


def test_descriptor_is_closed_in_any_case(descriptor_of: Callable[[str], int]) -> None:
    for policy in (GOOD, "x ="):
        descriptor = descriptor_of(policy)
        prepare(descriptor).abort()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "SystemExit(0)", "GeneratorExit"])
def test_policy_that_raises_what_is_no_exception_is_a_problem(descriptor_of: Callable[[str], int], raised: str) -> None:
    preparation = prepare(descriptor_of(f"{GOOD}raise {raised}\n"))
    assert preparation.prepared is None
    assert preparation.problems
