"""Purges survive a restart, or everything counts as purged; a disk that fails costs a warning, never a purge."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastedge._core.purges import Purges, image_bytes, name_hash
from fastedge.handover import private_purges
from fastedge.purge_file import NAME, PurgeFile, open_purges

RED = name_hash(b"tag", b"red")
NOW = 1_764_000_000.0


def start(directory: Path, now_s: float = NOW) -> tuple[Purges, PurgeFile, list[str]]:
    """A supervisor's start; the file stays the caller's to close."""
    warnings: list[str] = []
    purges = private_purges()
    return purges, open_purges(directory, purges, now_s, warnings.append), warnings


def run(directory: Path, now_s: float = NOW) -> tuple[Purges, list[str]]:
    """A life that begins, and ends without a word."""
    purges, file, warnings = start(directory, now_s)
    file.close()
    purges.keep = None
    return purges, warnings


def test_purge_is_remembered_over_restarts(tmp_path: Path) -> None:
    purges, file, warnings = start(tmp_path / "cache")
    born = purges.now()
    purges.purge(RED, False)
    purges.purge_prefix(b"https://shop.example/a/", True)
    assert file.sync()
    file.close()
    for _ in range(2):
        purges, more = run(tmp_path / "cache")
        assert warnings + more == []
        assert purges.verdict_of([RED], b"", born) == "hard"
        assert purges.verdict_of([], b"https://shop.example/a/b", born) == "softly"
        assert purges.verdict_of([RED + 1], b"https://shop.example/b", born) == "kept"


def test_image_is_small_until_it_is_needed(tmp_path: Path) -> None:
    run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    status = (tmp_path / NAME).stat()
    assert status.st_size == image_bytes()
    assert status.st_blocks * 512 < 64 * 1024
    assert status.st_mode & 0o077 == 0


def test_numbers_go_on_although_the_clock_was_set_back(tmp_path: Path) -> None:
    first, _ = run(tmp_path)
    second, _ = run(tmp_path, NOW - 1000)
    third, _ = run(tmp_path, NOW + 1000)
    assert first.now() < second.now() < third.now()


def test_numbers_are_behind_all_earlier_ones_although_the_image_is_gone(tmp_path: Path) -> None:
    born = run(tmp_path)[0].now()
    (tmp_path / NAME).unlink()
    purges, warnings = run(tmp_path, NOW + 1)
    assert warnings == []
    assert purges.verdict_of([], b"", born) == "hard"
    assert purges.verdict_of([], b"", purges.now()) == "kept"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: b"x" + data[1:],
        lambda data: b"garbage",
        lambda data: data[:100] + b"x" + data[101:],
        lambda data: bytes(len(data)),
    ],
    ids=["cut", "header", "garbage", "cell", "zeros"],
)
def test_damaged_image_is_a_purge_of_everything_once(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    born = run(tmp_path)[0].now()
    (tmp_path / NAME).write_bytes(damage((tmp_path / NAME).read_bytes()))
    purges, warnings = run(tmp_path, NOW + 1)
    assert warnings == [f"{tmp_path / NAME} is damaged: everything stored before now is taken for purged"]
    assert purges.verdict_of([], b"", born) == "hard"
    later = purges.now()
    purges, warnings = run(tmp_path)
    assert warnings == []
    assert purges.verdict_of([], b"", born) == "hard"
    assert purges.verdict_of([], b"", later) == "kept"


def test_directory_that_cannot_be_made_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    purges, file, warnings = start(tmp_path / "file" / "cache")
    assert len(warnings) == 2
    assert all("not a directory" in warning for warning in warnings)
    born = purges.now()
    purges.purge(RED, False)
    assert purges.verdict_of([RED], b"", born) == "hard"
    assert not file.sync()
    assert len(warnings) == 2


def test_disk_that_is_full_costs_a_warning_and_no_purge(tmp_path: Path) -> None:
    warnings: list[str] = []
    purges, file = private_purges(), PurgeFile(os.open("/dev/full", os.O_WRONLY), warnings.append)
    purges.keep = file.keep
    born = purges.now()
    for _ in range(3):
        purges.purge(RED, False)
    assert purges.verdict_of([RED], b"", born) == "hard"
    assert file.failures == 3
    assert warnings == [
        f"purges will not survive a restart: {NAME} cannot be written: {os.strerror(errno.ENOSPC).lower()}"
    ]
    file.close()


def test_image_deleted_underneath_is_a_purge_of_everything_at_the_next_start(tmp_path: Path) -> None:
    purges, file, _ = start(tmp_path)
    born = purges.now()
    (tmp_path / NAME).unlink()
    purges.purge(RED, False)
    file.close()
    assert run(tmp_path, NOW + 1)[0].verdict_of([], b"", born) == "hard"


def test_process_left_behind_writes_where_nobody_reads(tmp_path: Path) -> None:
    old, old_file, _ = start(tmp_path)
    purges, file, _ = start(tmp_path)
    number = purges.purge(RED, False)
    old.purge(RED, False)
    file.close()
    old_file.close()
    purges, _ = run(tmp_path)
    assert purges.verdict_of([RED], b"", number - 1) == "hard"


WORKER = """
import os, signal, sys
from fastedge.handover import private_purges
from fastedge.purge_file import PurgeFile
purges = private_purges()
purges.advance(int(sys.argv[2]))
purges.keep = PurgeFile(int(sys.argv[1]), print).keep
purges.purge(int(sys.argv[3]), False)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_purge_of_a_worker_survives_its_sudden_end(tmp_path: Path) -> None:
    purges, file, _ = start(tmp_path)
    born = purges.now()
    command = [sys.executable, "-c", WORKER, str(file.descriptor), str(born), str(RED)]
    assert file.descriptor is not None
    assert subprocess.run(command, pass_fds=[file.descriptor], check=False).returncode == -signal.SIGKILL
    file.close()
    assert run(tmp_path)[0].verdict_of([RED], b"", born) == "hard"
