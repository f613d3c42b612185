"""A disk that is full, unwritable, gone or broken: a named warning, and the service goes on; it recovers by itself."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from disk.desk import response

from fastedge.disk import growing
from fastedge.disk import tier as tier_module
from fastedge.disk.directory import SharedIndex
from fastedge.disk.follow import End

LARGE = os.urandom(1 << 20)
TESTS = Path(__file__).parents[1]
FILL = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" -m disk.victim "$1" "$3" fill'


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(tier_module, "disk_retry_ms", 0)


def test_disk_that_is_full_is_written_to_again_after_some_went(tmp_path):
    shared = SharedIndex(64)
    command = ["unshare", "-m", "sh", "-c", FILL, "sh", str(tmp_path), sys.executable, str(shared.descriptor)]
    done = subprocess.run(
        command, cwd=TESTS, pass_fds=[shared.descriptor], capture_output=True, text=True, timeout=60, check=False
    )
    shared.close()
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("needs the right to mount")
    stored, *complaints = done.stdout.splitlines()
    assert len(stored) == 100
    assert stored.startswith("x" * 10)
    assert "." in stored
    assert "x" in stored[stored.index(".") + 1 :]
    assert stored.count(".") < 50
    assert complaints == [f"cache.disk_path: {tmp_path}: the disk is full; the service goes on without it"]


def test_error_in_the_middle_of_a_body_stores_nothing(desk, quick):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        assert desk.store(response(body=LARGE), pieces=4) is False
        desk.settle()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert desk.files() == []
    assert desk.load(response()) == []
    assert ["files may not become so large" in line for line in desk.warnings] == [True]
    assert desk.store(response(body=LARGE))


def test_followers_of_a_disk_that_fails_go_on_alone(make_desk, quick, monkeypatch):
    from disk.desk import Listener

    desk = make_desk()
    other = make_desk(beside=desk, owner=1)
    stored = response(body=LARGE)
    leads, follows = (one.tier.claim(stored.high, stored.low) for one in (desk, other))
    listener = Listener()
    follows.follow(listener)
    monkeypatch.setattr(growing, "_create", refuse)
    writer = leads.begin(stored)
    writer.write(LARGE)
    desk.until(lambda: listener.end)
    assert listener.end is End.UNSHAREABLE
    assert not writer.write(LARGE)


def refuse(path):
    raise PermissionError(13, "Permission denied", os.fsdecode(path))


def test_unwritable_directory_is_named_once_and_left_alone_for_a_while(desk, monkeypatch):
    create = growing._create
    monkeypatch.setattr(growing, "_create", refuse)
    assert desk.store(response()) is False
    assert desk.warnings == [f"cache.disk_path: {desk.directory}: it is not writable; the service goes on without it"]
    assert desk.tier.begin(response()) is None, "not again so soon"
    assert desk.tier.claim(1, 2) is None
    monkeypatch.setattr(growing, "_create", create)
    desk.tier._retry_us = 0
    assert desk.store(response()) is True


def test_directory_that_is_deleted_is_missed_and_used_again_when_it_is_back(desk, quick):
    kept = response(b"http://kept/", LARGE)
    body = desk.store(kept)
    shutil.rmtree(desk.directory)
    assert desk.load(kept) == []
    assert desk.store(response()) is False
    assert "the directory is gone" in desk.warnings[0]
    assert body.read_some(0, 10) == LARGE[:10], "what is being sent goes on"
    assert not desk.directory.exists(), "somebody has unmounted it, maybe: nothing is made in its place"
    desk.directory.mkdir()
    assert desk.store(response()) is True
    assert desk.load(response())
    assert desk.tier.index.entries == 1


def test_folder_that_is_deleted_is_made_again(desk):
    desk.store(response())
    shutil.rmtree(desk.files()[0].parent)
    assert desk.store(response()) is True


def test_damaged_record_is_deleted_and_named(desk):
    desk.store(response())
    (path,) = desk.files()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"?")
    assert desk.load(response()) == []
    assert desk.files() == []
    assert desk.warnings == [
        f"cache.disk_path: {path} is damaged, and deleted: its body is not the one that was stored"
    ]
    assert desk.tier.index.damaged == 1
    assert desk.load(response()) == []
    assert len(desk.warnings) == 1


def test_record_that_cannot_be_read_is_a_miss(desk):
    stored = response()
    desk.store(stored)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        assert desk.tier.records.load(stored.high, stored.low, stored.key) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert ["too many files are open" in line for line in desk.warnings] == [True]
    assert desk.load(response())


def test_error_of_ours_in_a_thread_is_reported_not_swallowed(desk):
    desk.tier.run(lambda: 1 // 0, desk.tier._unless_failed)
    desk.until(lambda: desk.failures)
    assert isinstance(desk.failures.pop()["exception"], ZeroDivisionError)
