"""A scene for each exchange (see tests/exchange). Its place puts tests/ on the path."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange import Scene
from exchange.edge import left_behind


@pytest.fixture
def scene(tmp_path: Path, nothing_is_left: None) -> Iterator[Scene]:
    one = Scene(tmp_path)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def nothing_is_left() -> Iterator[None]:
    """After each module with scenes no connection of theirs is left."""
    yield
    assert list(left_behind()) == []
