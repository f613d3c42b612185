"""Configurations out of texts: in memory where nothing outside is named, in a directory where files are."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from fastedge.config import ConfigErrors, EdgeConfig, Sources, load

MAIN = '[origins.main]\nservers = ["http://127.0.0.1:9001"]\n'


def in_memory(text: str, overrides: Iterable[str] = ()) -> Sources:
    """Sources of an edge.toml in /etc/edge that names nothing, or nothing that is there."""
    return Sources("edge.toml", "/etc/edge", text.encode(), tuple(overrides), {}, {}, {})


@pytest.fixture
def config() -> Callable[..., EdgeConfig]:
    """Loads a text; an origin is added if it names none."""

    def load_text(text: str, *overrides: str) -> EdgeConfig:
        return load(in_memory(text if "[origins" in text else text + "\n" + MAIN, overrides))

    return load_text


@pytest.fixture
def problems() -> Callable[..., list[str]]:
    """The problems of a text, as lines; an origin is added if it names none. None is an empty list."""

    def lines(text: str, *overrides: str) -> list[str]:
        try:
            load(in_memory(text if "origins" in text else text + "\n" + MAIN, overrides))
        except ConfigErrors as errors:
            return str(errors).splitlines()
        return []

    return lines


@pytest.fixture
def sources(tmp_path: Path) -> Callable[..., Sources]:
    """Writes edge.toml and files beside it, and reads them; an origin is added if none is named."""

    def read(
        text: str, files: Mapping[str, bytes] = {}, environment: Mapping[str, str] = {}, overrides: Iterable[str] = ()
    ) -> Sources:
        (tmp_path / "edge.toml").write_text(text if "[origins" in text else text + "\n" + MAIN)
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        return Sources.read(tmp_path / "edge.toml", environment, overrides)

    return read
