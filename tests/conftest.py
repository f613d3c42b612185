"""A scene for each exchange (see tests/exchange). Its place puts tests/ on the path."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange import Scene
from exchange.edge import left_behind

from fastedge import clock


@pytest.fixture
def scene(tmp_path: Path, nothing_is_left: None, time_comes_back: None) -> Iterator[Scene]:
    one = Scene(tmp_path)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def time_comes_back() -> Iterator[None]:
    """A test may travel and set clocks; the next one starts today."""
    yield
    clock.set_wall(0)
    clock.travel((clock.monotonic() - clock.steady()) / 1e6)


@pytest.fixture(scope="module")
def nothing_is_left() -> Iterator[None]:
    """After each module with scenes no connection of theirs is left."""
    yield
    assert list(left_behind()) == []
