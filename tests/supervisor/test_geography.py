"""The geo table by the clock: when its files are looked at, what makes it another one, and what leaves it as it is."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fastedge.config import ConfigErrors
from fastedge.config.geosource import GeoSource
from fastedge.config.problems import Problem
from fastedge.control import GeoCompiled
from fastedge.geo import COUNTRIES, GeoTable, Place, compile_table
from fastedge.handover import new_memory
from fastedge.limits import geo_look_ms
from fastedge.supervisor.geography import Compiled, Geography, compile_apart


class Bench:
    """A Geography whose compiler is told what to find; what it does is in the lists."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source = GeoSource(database=str(path))
        self.finds: Compiled | Problem | None = None
        self.compiled: list[GeoSource] = []
        self.told: list[tuple[str, int]] = []
        self.counted: list[str] = []
        self.said: list[str] = []
        self.now_ms = 0
        self.geography = Geography(
            self._compile,
            file="edge.toml",
            base="/",
            tell=lambda message, descriptor: self.told.append((message.source, descriptor)),
            count=self.counted.append,
            say=self.said.append,
            now_ms=lambda: self.now_ms,
            now_s=lambda: 1000.0,
        )

    async def _compile(self, source: GeoSource, file: str, base: str) -> Compiled:
        self.compiled.append(source)
        if isinstance(self.finds, Problem):
            raise ConfigErrors([self.finds])
        return Compiled(new_memory("test"), frozenset({"city"}), f"table {len(self.compiled)}", 400)

    def write(self, text: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.path)

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.now_ms += geo_look_ms
            self.geography.tick()
            while self.geography._task is not None:
                await asyncio.sleep(0.001)


def run(path: Path, story: Callable[[Bench], Awaitable[None]]) -> Bench:
    async def tell() -> Bench:
        bench = Bench(path)
        bench.write("one")
        await bench.geography.begin(bench.source)
        await story(bench)
        bench.geography.close()
        return bench

    return asyncio.run(tell())


def test_files_that_stay_as_they_are_are_compiled_once(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        await bench.look(5)

    bench = run(tmp_path / "db", story)
    assert (len(bench.compiled), bench.told, bench.said) == (1, [], [])


def test_changed_file_is_compiled_once_it_has_settled(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.write("two")
        await bench.look()
        assert len(bench.compiled) == 1, "whoever writes it may not be done"
        bench.write("three")
        await bench.look()
        assert len(bench.compiled) == 1
        await bench.look(3)

    bench = run(tmp_path / "db", story)
    assert len(bench.compiled) == 2
    assert [source for source, _ in bench.told] == [bench.source.id]
    assert bench.counted == ["geo_swaps_done"]
    assert bench.said == ["geo: 'table 2' has changed: the new table is in use"]


def test_broken_file_is_told_once_and_mended_one_is_taken(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.finds = Problem("edge.toml", "geo.database", "no good")
        bench.write("two")
        await bench.look(5)
        assert (bench.geography.status() or {})["problem"] == "no good"
        assert bench.geography.held.compiled.name == "table 1"
        bench.finds = None
        bench.write("three")
        await bench.look(3)
        assert (bench.geography.status() or {})["problem"] is None

    bench = run(tmp_path / "db", story)
    assert bench.said[0] == "geo: the table in use stays: no good"
    assert bench.counted == ["geo_swaps_failed", "geo_swaps_done"]
    assert len(bench.compiled) == 3


def test_missing_file_is_as_good_as_a_broken_one(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.finds = Problem("edge.toml", "geo.database", "no such file")
        bench.path.unlink()
        await bench.look(4)

    bench = run(tmp_path / "db", story)
    assert bench.said == ["geo: the table in use stays: no such file"]


def test_table_that_knows_less_is_not_taken_without_a_reload(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        poorer = Compiled(new_memory("test"), frozenset(), "poorer", 400)

        async def compile_poorer(source: GeoSource) -> Compiled:
            return poorer

        bench.geography._compile = compile_poorer  # type: ignore[assignment]
        bench.write("two")
        await bench.look(3)
        assert bench.told == []
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(poorer.descriptor)

    bench = run(tmp_path / "db", story)
    assert bench.said == ["geo: the table in use stays: the new one knows no city: reload if that is meant"]


def test_reload_of_the_same_files_compiles_nothing(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        assert await bench.geography.propose(bench.source) == ()
        bench.geography.adopt()

    assert len(run(tmp_path / "db", story).compiled) == 1


def test_reload_takes_a_new_source_and_closes_the_old_one(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        before = bench.geography.held.compiled.descriptor
        other = GeoSource(database=str(bench.path), overrides=str(bench.path))
        assert await bench.geography.propose(other) == ()
        assert [source for source, _ in bench.told] == [other.id]
        assert bench.geography.held.source == bench.source, "not before all workers can"
        bench.geography.adopt()
        assert bench.geography.held.source == other
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(before)

    run(tmp_path / "db", story)


def test_reload_that_is_refused_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.write("two")
        assert await bench.geography.propose(bench.source) == ()
        bench.geography.reject()
        assert bench.geography.held.compiled.name == "table 1"
        assert bench.told[-1] == (bench.source.id, bench.geography.held.compiled.descriptor), "and gives it back"
        bench.finds = Problem("edge.toml", "geo.database", "no good")
        problems = await bench.geography.propose(GeoSource(overrides="x"))
        assert [problem.text for problem in problems] == ["no good"]

    run(tmp_path / "db", story)


def test_first_table_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    async def begin() -> None:
        bench = Bench(tmp_path / "db")
        bench.finds = Problem("edge.toml", "geo.database", "no good")
        await bench.geography.begin(bench.source)

    with pytest.raises(ConfigErrors, match="no good"):
        asyncio.run(begin())


def test_age_and_knowledge_are_told(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        assert bench.geography.figures() == {"geo_age_s": 600}
        assert bench.geography.status() == {
            "source": "table 1",
            "age_s": 600,
            "knows": ["country", "city"],
            "problem": None,
        }
        handed: list[Any] = []
        bench.geography.hand_to(lambda *what: handed.append(what))
        assert handed == [(GeoCompiled(bench.source.id), bench.geography.held.compiled.descriptor)]

    run(tmp_path / "db", story)


def test_nothing_is_told_before_there_is_a_table(tmp_path: Path) -> None:
    geography = Bench(tmp_path / "db").geography
    geography.tick()
    assert (geography.figures(), geography.status()) == ({}, None)
    geography.close()


def test_table_that_ships_is_not_looked_after(tmp_path: Path) -> None:
    async def story() -> None:
        bench = Bench(tmp_path / "db")
        await bench.geography.begin(GeoSource())
        await bench.look(3)
        assert (bench.compiled, bench.geography.held.compiled.facts) == ([], frozenset())
        bench.geography.close()

    asyncio.run(story())


# --- the process ------------------------------------------------------------------------------------------------------


def test_process_compiles_into_memory_that_nobody_can_change(tmp_path: Path) -> None:
    path = tmp_path / "db.bin"
    path.write_bytes(compile_table([(0, Place("DE", city="Berlin"))], [], built=7, source="s"))
    made = asyncio.run(compile_apart(GeoSource(database=str(path)), "edge.toml", str(tmp_path)))
    try:
        assert (made.facts, made.name, made.built) == ({"city"}, "s", 7)
        table = GeoTable(Path(f"/proc/self/fd/{made.descriptor}").read_bytes(), COUNTRIES, is_shared=True)
        assert table.lookup("1.2.3.4").city == "Berlin"
        with pytest.raises(PermissionError):
            os.pwrite(made.descriptor, b"x", 0)
    finally:
        os.close(made.descriptor)


def test_process_says_all_that_is_wrong_with_each_file(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"nothing")
    (tmp_path / "csv").write_text("network,country\n1.0.0.0/8,XX\n")
    source = GeoSource(str(tmp_path / "db"), str(tmp_path / "none"), str(tmp_path / "csv"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ConfigErrors) as caught:
        asyncio.run(compile_apart(source, "edge.toml", str(tmp_path)))
    assert [(problem.key, problem.text) for problem in caught.value.problems] == [
        ("geo.database", "cannot use the file db: neither an MMDB nor a table compiled by fastedge.geo.compile"),
        ("geo.asn_database", "cannot use the file none: no such file or directory"),
        ("geo.overrides", "cannot use the file csv: line 2: 'XX' is no country (ISO 3166-1 alpha-2)"),
    ]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_process_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastedge.supervisor.geography.geo_compile_timeout_ms", 1)
    with pytest.raises(ConfigErrors, match="not compiled within"):
        asyncio.run(compile_apart(GeoSource(overrides=str(tmp_path / "csv")), "edge.toml", str(tmp_path)))
