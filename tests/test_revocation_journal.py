"""The journal of revocations: what it took is there after any end of its process; what it could not take is said."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import revocation_journal
from fastedge.errors import ConfigError
from fastedge.identity.revocations import Change, Revocation
from fastedge.revocation_journal import Journal, open_journal

NOW = 1_000_000.0
A, B, C = (Revocation("jti", name) for name in "abc")
ANN = Revocation("sub", "ann", 500)


class Desk:
    """A journal that is opened again and again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.journal: Journal | None = None

    def open(self, now_s: float = NOW) -> Collection[Revocation]:
        self.close()
        self.journal, held = open_journal(self.path, now_s, self.warnings.append)
        return held

    def append(self, revoke: tuple[Revocation, ...] = (), restore: tuple[Revocation, ...] = ()) -> bool:
        assert self.journal is not None
        return self.journal.append(Change(revoke, restore), NOW)

    def close(self) -> None:
        if self.journal is not None:
            self.journal.close()
            self.journal = None

    def lines(self) -> list[bytes]:
        return self.path.read_bytes().splitlines(keepends=True)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "journal")
    yield desk
    desk.close()


def test_what_was_appended_is_held(desk: Desk) -> None:
    assert list(desk.open()) == []
    assert desk.append((A, B))
    assert desk.append((ANN, C), (B,))
    assert list(desk.open()) == [A, ANN, C]
    assert desk.warnings == []


def test_journal_is_its_owners_alone(desk: Desk) -> None:
    desk.open()
    assert desk.path.stat().st_mode & 0o777 == 0o600


def test_revoked_twice_is_held_as_the_table_holds_it(desk: Desk) -> None:
    desk.open()
    desk.append((Revocation("sub", "ann", 500, 2_000_000), Revocation("jti", "a", None, 1_500_000)))
    desk.append((Revocation("sub", "ann", 400, 3_000_000), A))
    desk.append((Revocation("sub", "bob", 900, 1_000_005), Revocation("sub", "eve", 900)))
    desk.append((Revocation("sub", "bob", 500), Revocation("sub", "eve", 950, 1_000_005)))
    assert set(desk.open(NOW + 5)) == {
        Revocation("sub", "ann", 500, 3_000_000),
        A,
        Revocation("sub", "bob", 500),  # what came before is over
        Revocation("sub", "eve", 950),
    }


def test_start_leaves_out_what_is_over_or_was_restored(desk: Desk) -> None:
    desk.open()
    for i in range(50):
        desk.append((Revocation("jti", str(i), None, 1_000_000 + i),))
    desk.append((A,))
    desk.append((), (A,))
    assert len(desk.open(NOW + 30)) == 19
    assert len(desk.lines()) == 1
    assert desk.open(NOW + 60) == []
    assert desk.lines() == []


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_torn_last_line_is_dropped_with_a_warning(desk: Desk, cut: int) -> None:
    desk.open()
    desk.append((A,))
    desk.append((B,))
    desk.close()
    os.truncate(desk.path, desk.path.stat().st_size - cut)
    assert list(desk.open()) == [A]
    assert desk.warnings == [f"{desk.path}: the last line is torn, and dropped"]
    desk.append((C,))
    assert list(desk.open()) == [A, C]


def test_last_line_with_a_hole_is_torn_too(desk: Desk) -> None:
    desk.path.write_bytes(Change((A,), ()).to_line() + b'{"revoke":[{"jti":"' + bytes(100) + b'"}]}\n')
    assert list(desk.open()) == [A]
    assert len(desk.warnings) == 1


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b'{"revoke":[{"jti":"the-name"}]\n', bytes(50) + b"\n"])
def test_damage_elsewhere_refuses_to_start_and_is_left_as_it_is(desk: Desk, line: bytes) -> None:
    good = Change((A,), ()).to_line()
    desk.path.write_bytes(good + line + good)
    with pytest.raises(ConfigError, match="line 2: ") as caught:
        desk.open()
    assert "the-name" not in str(caught.value)
    assert desk.path.read_bytes() == good + line + good


@given(st.integers(0, 200))
def test_journal_cut_anywhere_is_a_whole_number_of_requests(tmp_path_factory: pytest.TempPathFactory, at: int) -> None:
    lines = [Change((A, B), ()).to_line(), Change((ANN,), (A,)).to_line(), Change((C,), ()).to_line()]
    path = tmp_path_factory.mktemp("cut") / "journal"
    path.write_bytes(b"".join(lines)[:at])
    whole = sum(at >= len(b"".join(lines[: i + 1])) for i in range(3))
    journal, held = open_journal(path, NOW, lambda line: None)
    journal.close()
    assert set(held) == [set(), {A, B}, {B, ANN}, {B, ANN, C}][whole]


def test_second_instance_is_refused(desk: Desk) -> None:
    desk.open()
    with pytest.raises(ConfigError, match="in use by another instance"):
        open_journal(desk.path, NOW, desk.warnings.append)
    desk.append((A,))
    assert list(desk.open()) == [A]


def test_unusable_place_is_refused(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    with pytest.raises(ConfigError, match="is a directory"):
        desk.open()
    with pytest.raises(ConfigError, match="no such file or directory"):
        open_journal(tmp_path / "nowhere" / "journal", NOW, desk.warnings.append)
    (tmp_path / "other.new").mkdir()
    with pytest.raises(ConfigError, match="other: is a directory"):
        open_journal(tmp_path / "other", NOW, desk.warnings.append)


def test_refusal_keeps_no_descriptor(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    before = list(Path("/proc/self/fd").iterdir())
    with pytest.raises(ConfigError):
        desk.open()
    assert len(list(Path("/proc/self/fd").iterdir())) == len(before)


# --- a disk that takes no more ----------------------------------------------------------------------------------


@pytest.fixture
def file_bytes_max() -> Iterator[object]:
    """Sets how long files may become, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_write_that_fails_is_said_and_spoils_no_later_one(desk: Desk, file_bytes_max: object) -> None:
    desk.open()
    assert desk.append((A,))
    file_bytes_max(desk.path.stat().st_size + 10)  # type: ignore[operator]
    assert not desk.append((B,))
    assert not desk.append((B, ANN))
    assert desk.journal is not None and desk.journal.is_failing
    assert len(desk.warnings) == 1
    assert "revocations will not survive a restart" in desk.warnings[0]
    file_bytes_max(1 << 20)  # type: ignore[operator]
    assert desk.append((C,))
    assert not desk.journal.is_failing
    assert list(desk.open()) == [A, C]
    assert len(desk.warnings) == 1


def test_torn_write_is_no_obstacle_to_the_next_start(desk: Desk, file_bytes_max: object) -> None:
    desk.open()
    desk.append((A,))
    file_bytes_max(desk.path.stat().st_size + 10)  # type: ignore[operator]
    assert not desk.append((B,))
    file_bytes_max(1 << 20)  # type: ignore[operator]
    assert list(desk.open()) == [A]
    assert "torn" in desk.warnings[1]


def test_journal_that_has_grown_is_written_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation_journal, "revocations_journal_bytes_min", 1000)
    desk.open()
    for i in range(500):
        assert desk.append((Revocation("jti", f"{i}"),), (Revocation("jti", f"{i - 3}"),))
        assert desk.path.stat().st_size < 2000
    assert {one.name for one in desk.open()} == {"497", "498", "499"}
    assert desk.warnings == []


def test_journal_that_cannot_be_written_anew_is_said_to_fail(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation_journal, "revocations_journal_bytes_min", 10)
    desk.open()
    assert desk.append((A,))
    new = desk.path.with_name("journal.new")
    new.mkdir()
    assert not desk.append((B,))
    new.rmdir()
    assert desk.append((C,))
    assert list(desk.open()) == [A, C]


def test_new_journal_is_believed_only_when_its_directory_is_on_the_disk(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_journal, "revocations_journal_bytes_min", 10)
    desk.open()
    desk.append((A,))

    def fails(directory: Path) -> None:
        raise OSError("no")

    with monkeypatch.context() as patched:
        patched.setattr(revocation_journal, "_sync_directory", fails)
        assert not desk.append((B,))
        assert not desk.append((B,))
    assert desk.append((C,))
    assert list(desk.open()) == [A, C]


KILLED = """
import sys
from pathlib import Path
from fastedge.identity.revocations import Change, Revocation
from fastedge.revocation_journal import open_journal
journal, held = open_journal(Path(sys.argv[1]), 1e6, print)
for i in range(len(held), 100_000):
    assert journal.append(Change((Revocation("jti", str(i)),), ()), 1e6)
    print(i, flush=True)
"""


def test_process_that_is_killed_has_kept_what_it_answered(desk: Desk) -> None:
    answered = -1
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(desk.path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(20):
            answered = int(process.stdout.readline())
        process.kill()
        rest = process.communicate()[0].splitlines(keepends=True)
        answered = max([answered, *(int(line) for line in rest if line.endswith("\n"))])
        names = [int(str(one.name)) for one in desk.open()]
        assert names == list(range(len(names)))
        assert len(names) > answered
        desk.close()


def test_lines_are_what_one_would_post(desk: Desk) -> None:
    desk.open()
    desk.append((A, Revocation("everyone", None, 5, 9)), (B,))
    (line,) = desk.lines()
    assert json.loads(line) == {
        "revoke": [{"jti": "a"}, {"everyone": True, "issued_before": 5, "expires": 9}],
        "restore": [{"jti": "b"}],
    }
