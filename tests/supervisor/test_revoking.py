"""/v1/revocations: what was asked for is in force when it is answered, and the answer says how much of it will stay."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastedge._core.revocations import Revocable, RevocationsFull
from fastedge.clock import now
from fastedge.config import ConfigErrors, Sources, load
from fastedge.identity.revocations import parse_change
from fastedge.revocation_list import for_workers
from fastedge.supervisor.revoking import Revoker

ORIGIN = '[origins.main]\nservers = ["http://127.0.0.1:9"]\n'
Make = Callable[..., Revoker]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A Revoker of this section, and a file of these lines; the one before it has ended."""
    made: list[Revoker] = []

    def make(section: str = "", lines: str | None = None) -> Revoker:
        while made:
            made.pop().close()
        if lines is not None:
            (tmp_path / "revoked.jsonl").write_text(lines)
            section += '\nfile = "revoked.jsonl"'
        (tmp_path / "edge.toml").write_text(f"[revocations]\n{section}\n{ORIGIN}")
        sources = Sources.read(tmp_path / "edge.toml", {})
        made.append(Revoker(load(sources), sources, pytest.fail))
        return made[-1]

    yield make
    for revoker in made:
        revoker.close()


def change(revoker: Revoker, **members: Any) -> Any:
    return asyncio.run(revoker.change(parse_change(json.dumps(members).encode(), now())))


def is_revoked(revoker: Revoker, jti: str | None = None, sub: str | None = None, issued_s: float = 0) -> bool:
    return revoker.table.is_revoked(Revocable(jti, sub, issued_s), now())


def test_change_is_in_force_and_counted(make: Make) -> None:
    revoker = make()
    answer = change(revoker, revoke=[{"jti": "a"}, {"jti": "b"}, {"sub": "ann"}, {"issued_before": 500}])
    assert answer == {
        "revoked": {"jti": 2, "sub": 1, "everyone": 1},
        "restored": 0,
        "still_in_file": 0,
        "in_force": 4,
        "durable": None,
    }
    assert is_revoked(revoker, "a", issued_s=now())
    assert is_revoked(revoker, None, "ann", now() - 1)
    assert is_revoked(revoker, issued_s=499)
    assert not is_revoked(revoker, "c", "bob", 500)
    answer = change(revoker, restore=[{"jti": "a"}, {"jti": "never"}, {"everyone": True}])
    assert (answer["restored"], answer["in_force"]) == (2, 2)
    assert not is_revoked(revoker, "a")


def test_user_who_comes_back_in_the_same_second_is_let_in_a_second_later(make: Make) -> None:
    revoker = make()
    moment = 1_700_000_000.4
    asyncio.run(revoker.change(parse_change(b'{"revoke":[{"sub":"ann"}]}', moment)))
    assert is_revoked(revoker, None, "ann", 1_700_000_000)  # of any moment of that second
    assert not is_revoked(revoker, None, "ann", 1_700_000_001)


def test_restoring_what_the_file_holds_is_said_to_be_without_effect(make: Make) -> None:
    revoker = make(lines='{"jti":"a"}\n')
    answer = change(revoker, restore=[{"jti": "a"}])
    assert (answer["restored"], answer["still_in_file"], answer["in_force"]) == (0, 1, 1)
    assert is_revoked(revoker, "a")


def test_full_table_takes_all_or_nothing(make: Make) -> None:
    revoker = make("entries_max = 2", lines='{"jti":"a"}')
    with pytest.raises(RevocationsFull, match="entries_max: no room for 2 more"):
        change(revoker, revoke=[{"jti": "b"}, {"jti": "c"}], restore=[{"jti": "a"}])
    assert not is_revoked(revoker, "b")
    assert change(revoker, revoke=[{"jti": "b"}])["in_force"] == 2
    assert revoker.figures() == {"revocations": 2, "revocations_capacity": 2}


def test_status_counts_and_names_nobody(make: Make) -> None:
    revoker = make(lines='{"jti":"a"}\n{"jti":"b"}')
    change(revoker, revoke=[{"jti": "b"}])
    assert revoker.status() == {"in_force": 2, "in_file": 2, "posted": 1, "capacity": 1_000_000, "durable": None}


def test_journal_is_in_force_after_a_restart(make: Make) -> None:
    revoker = make('journal = "journal"')
    answer = change(revoker, revoke=[{"jti": "a"}, {"sub": "ann", "issued_before": 500}, {"jti": "over", "expires": 5}])
    assert answer["durable"] is True
    change(revoker, restore=[{"jti": "a"}])
    again = make('journal = "journal"')
    assert again.status() == {"in_force": 1, "in_file": 0, "posted": 1, "capacity": 1_000_000, "durable": True}
    assert is_revoked(again, None, "ann", 499)
    assert not is_revoked(again, "a")


def test_order_of_requests_at_once_is_that_of_the_journal(make: Make) -> None:
    revoker = make('journal = "journal"')

    async def all_at_once() -> None:
        bodies = [{"revoke" if i % 2 else "restore": [{"jti": "a"}]} for i in range(20)]
        await asyncio.gather(*(revoker.change(parse_change(json.dumps(body).encode(), now())) for body in bodies))

    asyncio.run(all_at_once())
    assert is_revoked(revoker, "a")
    assert is_revoked(make('journal = "journal"'), "a")


def test_journal_that_fails_costs_durability_and_no_revocation(make: Make, tmp_path: Path) -> None:
    warnings: list[str] = []
    (tmp_path / "edge.toml").write_text(f'[revocations]\njournal = "journal"\n{ORIGIN}')
    sources = Sources.read(tmp_path / "edge.toml", {})
    revoker = Revoker(load(sources), sources, warnings.append)
    journal = revoker._journal
    assert journal is not None
    good, journal._descriptor = journal._descriptor, os.open("/dev/full", os.O_RDWR)
    try:
        assert change(revoker, revoke=[{"jti": "a"}])["durable"] is False
        assert revoker.status()["durable"] is False
        assert is_revoked(revoker, "a")
        assert len(warnings) == 1
    finally:
        os.close(good)
        revoker.close()


@pytest.mark.parametrize(
    ("section", "lines", "key"),
    [
        ("", '{"jti":5}\n', "revocations.file: revoked.jsonl, line 1: "),
        ("entries_max = 1", '{"jti":"a"}\n{"jti":"b"}\n', "revocations.file: more than revocations.entries_max (1)"),
        ('journal = "nowhere/journal"', "", "revocations.journal: cannot use "),
    ],
)
def test_start_is_refused(make: Make, section: str, lines: str, key: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        make(section, lines)
    assert key in str(caught.value)


def test_start_is_refused_where_the_journal_does_not_fit(make: Make) -> None:
    revoker = make('journal = "journal"')
    change(revoker, revoke=[{"jti": "a"}, {"jti": "b"}])
    with pytest.raises(ConfigErrors, match=r"revocations.journal: revocations.entries_max: no room"):
        make('journal = "journal"\nentries_max = 1')


def test_workers_are_not_handed_the_file(make: Make, tmp_path: Path) -> None:
    make(lines='{"jti":"a"}\n')
    sources = Sources.read(tmp_path / "edge.toml", {})
    handed = for_workers(load(sources), sources)
    assert (handed.files[f"{tmp_path}/revoked.jsonl"], sources.files[f"{tmp_path}/revoked.jsonl"]) == (
        b"",
        b'{"jti":"a"}\n',
    )
    assert load(Sources.from_bytes(handed.to_bytes())) == load(sources)
