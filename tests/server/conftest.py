"""Edges for the tests that need whole ones; each is stopped when its test ends, however that ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import Edge


@pytest.fixture
def run_edge(tmp_path: Path) -> Iterator[Callable[..., Edge]]:
    edges: list[Edge] = []

    def run(**options: Any) -> Edge:
        directory = tmp_path / str(len(edges))
        directory.mkdir(exist_ok=True)  # a test may have put files there
        edge = Edge.__new__(Edge)
        edges.append(edge)
        edge.__init__(directory, **options)  # type: ignore[misc]
        return edge

    yield run
    for edge in edges:
        edge.stop()
