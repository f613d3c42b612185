"""Responses on their way to the disk and back."""

import os
import time

import pytest
from disk.desk import Desk, facts_of, response

from fastedge.clock import monotonic, now
from fastedge.disk import complaints
from fastedge.disk import tier as tier_module
from fastedge.disk.body import DiskBody
from fastedge.limits import disk_share, inline_body_bytes_max

LARGE = os.urandom(1000) * 300


@pytest.mark.parametrize("body", [b"", b"hello", b"x" * inline_body_bytes_max])
def test_small_response_comes_back_as_it_was(desk, body):
    stored = response(body=body)
    assert desk.store(stored) is True
    (loaded,) = desk.load(stored)
    assert facts_of(loaded) == facts_of(stored)
    assert loaded.body == body


@pytest.mark.parametrize("pieces", [1, 7])
def test_large_response_comes_back_as_a_file(desk, pieces):
    stored = response(body=LARGE)
    body = desk.store(stored, pieces)
    (loaded,) = desk.load(stored)
    assert facts_of(loaded) == facts_of(stored)
    for one in (body, loaded.body):
        assert isinstance(one, DiskBody)
        assert one.length == len(LARGE)
        assert one.ready(0, 1000) == 1000
        assert one.read_some(5, 995) == LARGE[5:1000]


def test_response_without_vary_and_one_with_an_empty_one_are_two(desk):
    responses = [response(vary=vary, body=b"%r" % vary) for vary in (None, b"", b"en", b"de")]
    for stored in responses:
        desk.store(stored)
    loaded = desk.load(responses[0])
    assert {one.vary: one.body for one in loaded} == {one.vary: one.body for one in responses}
    assert desk.tier.index.entries == 4


def test_response_replaces_the_one_before_it(desk):
    desk.store(response(body=b"old"))
    desk.store(response(body=b"new"))
    (loaded,) = desk.load(response())
    assert loaded.body == b"new"
    assert len(desk.files()) == desk.tier.index.entries == 1
    assert desk.tier.index.bytes_used == 4096


def test_equal_hashes_of_different_keys_are_a_miss(desk):
    stored = response(b"http://a/")
    desk.store(stored)
    loaded = []
    desk.tier.load(stored.high, stored.low, b"GET:http://another/", loaded.append)
    desk.until(lambda: loaded)
    assert loaded == [[]]
    assert desk.load(stored)


@pytest.mark.parametrize("body", [b"hello", LARGE[:60_000]], ids=["small", "a file"])
def test_response_in_memory_is_loaded_on_the_loop(desk, body):
    stored = response(body=body)
    desk.store(stored)
    loaded = desk.tier.load_now(stored.high, stored.low, stored.key)
    if loaded is None:
        pytest.skip("this file system always makes one wait")
    assert facts_of(loaded[0]) == facts_of(stored)
    assert (loaded[0].body if isinstance(loaded[0].body, bytes) else loaded[0].body.read_some(0, 1 << 20)) == body
    assert desk.tier.load_now(stored.high, stored.low, b"another key") == []


def test_large_body_is_verified_by_a_thread_before_it_is_loaded_on_the_loop(make_desk):
    stored, desk = response(body=LARGE), make_desk()
    desk.store(stored)
    other = make_desk()  # that has not written it
    assert other.tier.load_now(stored.high, stored.low, stored.key) is None
    assert other.load(stored)
    assert {bool(one.tier.load_now(stored.high, stored.low, stored.key)) for one in (desk, other)} in ({True}, {False})


def test_what_a_thread_must_see_to_is_not_loaded_on_the_loop(desk):
    stored = response()
    desk.store(stored)
    (path,) = desk.files()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert desk.tier.load_now(stored.high, stored.low, stored.key) is None
    assert desk.files() == [path], "nothing is deleted on the loop"
    path.unlink()
    assert desk.tier.load_now(stored.high, stored.low, stored.key) is None
    assert desk.load(stored) == []
    assert desk.tier.load_now(stored.high, stored.low, stored.key) == []


def test_unknown_key_is_not_known_and_loads_as_nothing(desk):
    stored = response()
    assert not desk.tier.knows(stored.high, stored.low)
    assert desk.load(stored) == []
    desk.store(stored)
    assert desk.tier.knows(stored.high, stored.low)


def test_aborted_response_leaves_nothing(desk):
    stored = response(body=LARGE)
    writer = desk.tier.begin(stored)
    writer.write(LARGE)
    desk.until(desk.files)
    writer.abort()
    assert not writer.write(b"more")
    desk.until(lambda: not desk.files())
    assert desk.load(stored) == []


def test_body_shorter_than_promised_is_not_stored(desk):
    stored = response(body=b"hello", length=6)
    assert desk.store(stored) is False
    desk.until(lambda: not desk.files())
    assert desk.load(stored) == []


def test_head_may_change_until_the_end(desk):
    first = response(body=LARGE, length=-1, head=b"a: 1\r\n")
    writer = desk.tier.begin(first)
    writer.write(LARGE)
    desk.until(desk.files)
    said = []
    final = response(body=LARGE, head=b"a: 2\r\nb: 3\r\n")
    writer.finish(final, said.append)
    desk.until(lambda: said)
    (loaded,) = desk.load(first)
    assert facts_of(loaded) == facts_of(final)


def test_head_that_outgrows_its_block_is_not_stored(desk):
    writer = desk.tier.begin(response(body=LARGE))
    writer.write(LARGE)
    desk.until(desk.files)
    said = []
    writer.finish(response(body=LARGE, head=b"a: " + b"x" * 5000 + b"\r\n"), said.append)
    desk.until(lambda: said)
    assert said == [False]
    desk.settle()
    assert desk.files() == []


def test_body_beyond_the_bound_is_given_up(make_desk):
    desk = make_desk(disk_mb=1)
    bound = (1 << 20) // disk_share
    assert desk.tier.begin(response(length=bound + 1)) is None
    writer = desk.tier.begin(response(length=-1))
    assert writer.write(b"x" * bound)
    assert not writer.write(b"x")
    desk.settle()
    assert desk.files() == []


def test_disk_that_does_not_keep_up_is_given_up(desk, monkeypatch):
    monkeypatch.setattr("fastedge.disk.writer.disk_write_bytes_max", 100_000)
    writer = desk.tier.begin(response(length=-1))
    assert writer.write(b"x" * 100_000)
    assert not writer.write(b"x")
    said = []
    writer.finish(response(length=100_001), said.append)
    desk.until(lambda: said)
    assert said == [False]


@pytest.mark.parametrize("fault", ["no thread is free", "the disk fails"])
def test_writer_that_gives_up_lets_its_origin_go_on(desk, monkeypatch, fault):
    if fault == "no thread is free":
        desk.tier.threads._jobs_max = 0
    else:
        monkeypatch.setattr("fastedge.disk.growing._create", lambda path: os.open(path, os.O_WRONLY))
    writer = desk.tier.begin(response(length=-1))
    writer.write(b"x" * 3_000_000)
    drained = []
    writer.on_drained = lambda: drained.append(writer.is_open)
    desk.loop.call_soon(writer.write, b"x" * 900_000)
    desk.until(lambda: drained)
    assert drained == [False]


def test_threads_that_are_busy_are_not_waited_for(desk):
    desk.tier.threads._jobs_max = 0
    stored = response()
    assert not desk.tier.load(stored.high, stored.low, stored.key, lambda loaded: pytest.fail("it was not taken"))
    said = []
    writer = desk.tier.begin(stored)
    writer.write(b"hello")
    writer.finish(stored, said.append)
    desk.until(lambda: said)
    assert said == [False]


def test_removed_response_is_gone_at_once(desk):
    stored = response()
    desk.store(stored)
    assert desk.tier.remove(stored)
    assert not desk.tier.knows(stored.high, stored.low)
    desk.until(lambda: not desk.files())


# --- validations ---------------------------------------------------------------------------------------------------------


def freshen(desk: Desk, old, new) -> None:
    assert desk.tier.freshen(old, new)
    desk.settle()


@pytest.mark.parametrize("body", [b"hello", LARGE], ids=["small", "large"])
def test_validation_renews_the_meta_beside_the_body(desk, body):
    desk.store(response(body=body))
    for turn in range(3):
        (old,) = desk.load(response())
        new = response(body=old.body, head=b"etag: %d\r\n" % turn, lifetime_s=100.0 + turn)
        before = desk.files()[0].stat()
        freshen(desk, old, new)
        (loaded,) = desk.load(response())
        assert facts_of(loaded) == facts_of(new)
        assert (loaded.body if isinstance(loaded.body, bytes) else loaded.body.read_some(0, 1 << 20)) == body[: 1 << 18]
        after = desk.files()[0].stat()
        assert (before.st_ino, before.st_mtime_ns, before.st_size) == (after.st_ino, after.st_mtime_ns, after.st_size)


def test_validation_of_a_body_that_was_replaced_leaves_the_new_one_alone(desk):
    old = response(body=b"hello")
    desk.store(old)
    (other,) = [response(body=b"HELLO", head=b"a: 1\r\n")]
    desk.store(other)
    freshen(desk, old, response(body=b"hello", head=b"a: 2\r\n"))
    (loaded,) = desk.load(old)
    assert (loaded.body, loaded.head) == (b"HELLO", b"a: 1\r\n")


def test_validation_of_a_file_that_was_replaced_leaves_the_new_one_alone(desk):
    """Numbers of deleted files come again, and so may those of inodes."""
    desk.store(response(body=LARGE))
    for turn in range(10):
        (old,) = desk.load(response())
        old.body.close_if_unused()
        old.body.close_if_unused()
        for other in (response(body=LARGE[::-1]), response(body=LARGE, head=b"a: %d\r\n" % turn)):
            desk.store(other)
        freshen(desk, old, response(body=old.body, head=b"stale: 1\r\n"))
        (loaded,) = desk.load(other)
        assert loaded.head == other.head


def test_validation_that_does_not_fit_removes_the_record(desk):
    old = response()
    desk.store(old)
    freshen(desk, old, response(head=b"a: " + b"x" * 5000 + b"\r\n"))
    assert desk.load(old) == []
    assert desk.files() == []


def test_reply_goes_on_while_a_validation_renews_the_record(desk):
    stored = response(body=LARGE)
    desk.store(stored)
    (loaded,) = desk.load(stored)
    assert loaded.body.read_some(0, 1000) == LARGE[:1000]
    freshen(desk, loaded, response(body=loaded.body, lifetime_s=1.0))
    assert loaded.body.read_some(1000, 1000) == LARGE[1000:2000]


# --- time ----------------------------------------------------------------------------------------------------------------


def test_age_of_this_boot_is_told_by_the_monotonic_clock(desk):
    stored = response(received_us=monotonic() - 30_000_000, received_s=now() + 3600)  # the wall clock was set back
    desk.store(stored)
    (loaded,) = desk.load(stored)
    assert loaded.received_us == stored.received_us


def test_age_over_a_boot_is_told_by_the_wall_clock(desk):
    desk.tier.records.boot = 1
    desk.store(response(received_us=5, received_s=now() - 30))
    desk.tier.records.boot = 2
    (loaded,) = desk.load(response())
    assert 29.9 < loaded.age_s(monotonic()) - 1.5 < 31


def test_response_of_a_time_to_come_is_not_used(desk):
    desk.tier.records.boot = 1
    desk.store(response(received_s=now() + 3600))
    desk.tier.records.boot = 2
    assert desk.load(response()) == []


# --- bounds --------------------------------------------------------------------------------------------------------------


def test_disk_mb_is_kept_and_what_is_used_stays(make_desk):
    desk = make_desk(disk_mb=1)
    dear = [response(b"http://dear/%d" % i, b"d" * 3000) for i in range(20)]
    for stored in dear:
        desk.store(stored)
    for i in range(600):
        if i % 40 == 0:
            for stored in dear:
                assert desk.load(stored), i
        desk.store(response(b"http://cheap/%d" % i, b"c" * 3000))
        assert desk.tier.index.bytes_used <= 1 << 20
    desk.settle()
    assert sum(path.stat().st_blocks * 512 for path in desk.files()) <= 1 << 20
    assert len(desk.files()) == desk.tier.index.entries
    assert desk.tier.index.evicted >= 600 + 20 - 256


def test_more_bodies_than_descriptors_are_opened_again(desk, monkeypatch):
    monkeypatch.setattr(tier_module, "disk_open_files_max", 4)
    bodies = []
    for i in range(12):
        stored = response(b"http://a/%d" % i, LARGE)
        desk.store(stored)
        bodies.append(desk.load(stored)[0].body)
    assert sum(body.is_open for body in bodies) <= 6
    warmed = []
    closed = next(body for body in bodies if not body.is_open)
    assert closed.warm(0, 100_000, warmed.append)
    desk.until(lambda: warmed)
    assert warmed == [True]
    assert closed.read_some(0, 10) == LARGE[:10]


def test_body_that_is_not_sent_gives_up_its_file(desk, monkeypatch):
    monkeypatch.setattr(tier_module, "disk_open_idle_ms", 5)
    desk.tier._rest()
    body = desk.store(response(body=LARGE))
    desk.until(lambda: not body.is_open)


# --- the end -------------------------------------------------------------------------------------------------------------


def test_close_places_what_is_whole_and_drops_what_is_not(make_desk):
    desk = make_desk()
    half = desk.tier.begin(response(b"http://half/", LARGE))
    half.write(LARGE[:1000])
    desk.until(desk.files)
    desk.store(response(b"http://whole/"))
    desk.close()
    assert [path.suffix for path in desk.files()] == [""]


def test_same_complaint_is_made_once_a_minute(monkeypatch):
    said = []
    moment = [0]
    monkeypatch.setattr(complaints, "monotonic", lambda: moment[0])
    one = complaints.Complaints("/cache", said.append)
    for _ in range(3):
        one.failed(OSError(28, "No space left on device"))
    one.failed(OSError(13, "Permission denied"))
    moment[0] = 61_000_000
    one.failed(OSError(28, "No space left on device"))
    assert said == [
        "cache.disk_path: /cache: the disk is full; the service goes on without it",
        "cache.disk_path: /cache: it is not writable; the service goes on without it",
        "cache.disk_path: /cache: the disk is full; the service goes on without it (2 more of these before)",
    ]


def test_loop_does_not_wait_for_a_disk_that_hangs(desk):
    for _ in range(desk.tier.threads._jobs_max):
        desk.tier.run(lambda: time.sleep(0.001), lambda done: None)
    started = time.monotonic()
    stored = response(body=LARGE)
    writer = desk.tier.begin(stored)
    writer.write(LARGE)
    desk.tier.load(stored.high, stored.low, stored.key, lambda loaded: None)
    assert time.monotonic() - started < 0.05
