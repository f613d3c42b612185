"""A start with a directory that is not empty."""

import os
import threading
import time

from disk.desk import Desk, facts_of, response

from fastedge.disk import scanning
from fastedge.disk import tier as tier_module

LARGE = os.urandom(100_000)


def test_restart_keeps_what_is_whole(make_desk):
    desk = make_desk()
    kept = [response(b"http://a/%d" % i, b"x" * i, vary=b"%d" % i if i % 2 else None) for i in range(20)]
    kept.append(response(b"http://large/", LARGE))
    for stored in kept:
        desk.store(stored)
    half = desk.tier.begin(response(b"http://half/", LARGE))
    half.write(LARGE[:1000])
    desk.until(lambda: any(path.suffix for path in desk.files()))
    again = make_desk()  # as after a kill of all processes: another index
    for stored in kept:
        (loaded,) = again.load(stored)
        assert facts_of(loaded) == facts_of(stored)
    assert again.load(response(b"http://half/")) == []
    assert again.tier.index.entries == len(kept)
    assert again.tier.index.bytes_used == desk.tier.index.bytes_used
    assert not any(path.suffix for path in again.files()), "what was half is deleted"


def test_foreign_files_are_left_alone_and_named_once(make_desk, tmp_path):
    folder = tmp_path / "cache" / "ab"
    folder.mkdir(parents=True)
    names = ["notes.txt", "ab" + "0" * 30 + "-" + "G" * 16, "cd" + "0" * 30 + "-" + "0" * 16]
    for name in names:
        (folder / name).write_text("mine")
    (folder / ("ab" + "1" * 30 + "-" + "0" * 16)).mkdir()
    (tmp_path / "cache" / "purges.bin").write_text("others'")
    (tmp_path / "cache" / "README").write_text("mine")
    desk = make_desk()
    desk.until(lambda: desk.warnings)
    assert [(folder / name).read_text() for name in names] == ["mine"] * 3
    assert len(desk.warnings) == 1
    assert "/README is not fastedge's, and left alone; there are 5 such files" in desk.warnings[0]
    assert desk.tier.index.entries == 0


def test_lower_bound_is_kept_from_the_start(make_desk):
    desk = make_desk(disk_mb=8)
    for i in range(40):
        desk.store(response(b"http://a/%d" % i, LARGE))
    smaller = make_desk(disk_mb=1)
    assert 0 < smaller.tier.index.bytes_used <= 1 << 20
    smaller.settle()
    assert len(smaller.files()) == smaller.tier.index.entries


def test_more_files_than_slots_are_deleted(make_desk, monkeypatch):
    desk = make_desk(disk_mb=16)
    for i in range(120):
        desk.store(response(b"http://a/%d" % i))
    monkeypatch.setattr("fastedge.disk.directory.disk_slots_min", 15)
    monkeypatch.setattr("fastedge.disk.directory.disk_slots_max", 60)
    fewer = make_desk(disk_mb=16)
    assert fewer.tier.index.slots == 60
    assert 40 < fewer.tier.index.entries <= 60
    assert len(fewer.files()) == fewer.tier.index.entries


def test_ten_thousand_files_hold_nobody_up(make_desk, tmp_path):
    folders = [tmp_path / "cache" / f"{number:02x}" for number in range(256)]
    for folder in folders:
        folder.mkdir(parents=True)
    for i in range(10_000):
        (folders[i % 256] / f"{i % 256:02x}{i:030x}-{0:016x}").touch()
    desk = Desk(tmp_path / "cache")
    longest, last = 0.0, time.monotonic()

    def is_scanned() -> bool:
        nonlocal longest, last
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return desk.tier.index.is_scanned

    desk.until(is_scanned)
    assert desk.tier.index.entries == 10_000
    assert longest < 2.0, "the loop turned all the while"
    desk.close()


def test_response_is_found_while_the_directory_is_being_read(make_desk, monkeypatch):
    stored, earlier = response(), make_desk()
    earlier.store(stored)
    may_scan = threading.Event()

    def slow(*arguments):
        may_scan.wait(10)
        scanning.scan(*arguments)

    monkeypatch.setattr(tier_module, "scan", slow)
    desk = Desk(earlier.directory)
    assert desk.tier.knows(stored.high, stored.low)
    (loaded,) = desk.load(stored)
    assert loaded.body == b"hello"
    assert desk.load(response(b"http://unknown/")) == []
    desk.store(response(body=b"newer"))
    may_scan.set()
    desk.scanned()
    assert desk.tier.index.entries == 1
    assert desk.load(stored)[0].body == b"newer"
    desk.close()


def test_scan_ends_with_its_worker_and_the_next_one_takes_over(make_desk):
    earlier = make_desk()
    earlier.store(response())
    first = Desk(earlier.directory, owner=(1 << 22) - 1 << 42)  # no such process
    first.tier._is_closing = True
    second = Desk(first.directory, beside=first)
    second.scanned()
    assert second.tier.index.entries == 1
    second.close()
    first.close()
