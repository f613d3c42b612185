"""The supervisor's part of experiments: a file that changes is handed on, one that cannot be used is not, and a split
that is off is said once."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastedge.config import ConfigErrors, EdgeConfig, Sources, load
from fastedge.routing.experiments import buckets_of
from fastedge.supervisor.experiments import Experiments

ORIGIN = '[origins.main]\nservers = ["http://127.0.0.1:9"]\n'


class Desk:
    """Experiments as the supervisor has them; `looks` gives what a look at the file hands on and says."""

    def __init__(self, directory: Path, section: str, variables: dict[str, str]) -> None:
        self.file = directory / "experiments.json"
        (directory / "edge.toml").write_text(f"[experiments]\n{section}\n{ORIGIN}")
        sources = Sources.read(directory / "edge.toml", variables)
        self.config: EdgeConfig = load(sources)
        self.lines: list[str] = []
        self.changes: list[bytes] = []
        self.experiments = Experiments(self.config, sources, self.changes.append, self.lines.append)
        self.sources = sources
        self._ms = 0

    def look(self) -> tuple[list[bytes], list[str]]:
        self.changes.clear()
        self.lines.clear()

        async def tick() -> None:
            self._ms += 2_000
            self.experiments.tick(self._ms, self.config, self.sources)
            self.experiments.tick(self._ms + 1, self.config, self.sources)
            await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

        asyncio.run(tick())
        return list(self.changes), list(self.lines)

    def close(self) -> None:
        self.experiments.close()


Make = Callable[..., Desk]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Desk] = []

    def make(section: str = 'file = "experiments.json"', text: str = "{}", **variables: str) -> Desk:
        (tmp_path / "experiments.json").write_text(text)
        made.append(Desk(tmp_path, section, variables))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


def test_file_that_changes_is_handed_on_once(make: Make) -> None:
    desk = make()
    assert desk.look() == ([], [])
    text = json.dumps({"checkout": {"state": "off"}})
    desk.file.write_text(text)
    assert desk.look() == ([text.encode()], ["experiments.json: read anew, for experiments to go by"])
    assert desk.look() == ([], [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "experiments.json: expected JSON"),
        ('{"a": {"state": "x"}}', "experiments.json: 'a': state: expected one of"),
        (" " * (1024 * 1024 + 1), "experiments.json: larger than 1048576 bytes"),
        (None, "experiments.json: no such file or directory"),
    ],
)
def test_file_that_cannot_be_used_is_said_once_and_changes_nothing(make: Make, text: str | None, told: str) -> None:
    desk = make()
    desk.look()
    if text is None:
        desk.file.unlink()
    else:
        desk.file.write_text(text)
    changes, (line,) = desk.look()
    assert changes == []
    assert line.startswith(told)
    assert line.endswith(": experiments stay as they were")
    assert desk.look() == ([], [])
    desk.file.write_text('{"a": {}}')
    assert desk.look()[0] == [b'{"a": {}}']


def test_reload_that_read_an_earlier_file_is_told_of_the_later_one(make: Make) -> None:
    desk = make()
    desk.file.write_text('{"a": {}}')
    assert desk.look()[0] == [b'{"a": {}}']
    assert desk.experiments.told == b'{"a": {}}'
    desk.experiments.adopt()  # of sources that have the file as it was at first
    assert desk.experiments.told is None
    assert desk.look()[0] == [b'{"a": {}}']


def test_without_a_file_nothing_is_looked_at(make: Make) -> None:
    assert make(section="").look() == ([], [])


def expose(desk: Desk, *counts: int) -> None:
    table, now = desk.experiments.table, 1_800_000_000.0
    row, buckets = table.row("checkout"), buckets_of("checkout", {"a": 1, "b": 1})
    for variant, count in enumerate(counts):
        for i in range(count):
            table.expose(row, variant, buckets, b"%d %d" % (variant, i), now)


def test_split_that_is_off_is_said_once_and_measured(make: Make) -> None:
    desk = make(section="")
    expose(desk, 600, 395)
    desk.experiments.check_ratios()
    assert desk.experiments.figures() == [("checkout", 995, False)]
    assert desk.lines == []
    expose(desk, 610, 400)
    for _ in range(2):
        desk.experiments.check_ratios()
    (line,) = desk.lines
    assert line.startswith(
        "experiment checkout: the split is off, 610, 400 visitors where the weights say 505, 505 (p ="
    )
    assert desk.experiments.figures() == [("checkout", 1_010, True)]
    expose(desk, 610, 600)
    desk.experiments.check_ratios()
    assert desk.lines[1].startswith("experiment checkout: the split is as it should be again, 610, 600 visitors")
    assert desk.experiments.figures() == [("checkout", 1_210, False)]


def test_secret_of_the_hashes_is_the_variables(make: Make) -> None:
    section = 'exposures_key_env = "EXPOSURES"'
    one, other = (make(section=section, EXPOSURES="s" * 32).experiments.table for _ in range(2))
    assert one.hash_of(b"ann") == other.hash_of(b"ann")
    assert make(section="").experiments.table.hash_of(b"ann") != one.hash_of(b"ann")


def test_secret_that_is_too_short_is_a_config_error(make: Make) -> None:
    with pytest.raises(ConfigErrors, match=r"experiments.exposures_key_env.*holds 5 bytes, at least 32") as caught:
        make(section='exposures_key_env = "EXPOSURES"', EXPOSURES="tiny!")
    assert "tiny!" not in str(caught.value)
