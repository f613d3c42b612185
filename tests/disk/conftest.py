"""Desks of workers that share one directory."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disk.desk import Desk


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(directory: Path = tmp_path / "cache", **options: object) -> Desk:
        directory.mkdir(exist_ok=True)
        made.append(Desk(directory, **options))
        return made[-1].scanned()

    yield make
    for desk in reversed(made):
        if not desk.loop.is_closed():
            desk.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()
