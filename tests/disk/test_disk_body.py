"""Bodies that are sent from their file: to sockets that are slow or gone, from files that change underneath."""

import os
import socket
from pathlib import Path

import pytest
from disk.desk import response

from fastedge.disk.body import BROKEN, COLD, DAMAGED

LARGE = os.urandom(1 << 20)


@pytest.fixture
def body(desk):
    return desk.store(response(body=LARGE))


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(5)
    with ours, theirs:
        yield ours, theirs


def send_all(desk, body, pair, upto=1 << 20) -> bytes:
    """What arrives of the body, read as fast as it is sent."""
    ours, theirs = pair
    arrived = b""
    offset = 0
    while offset < upto:
        sent = body.send(ours.fileno(), offset, upto - offset)
        if sent == COLD:
            warmed = []
            assert body.warm(offset, 1 << 18, warmed.append)
            desk.until(lambda warmed=warmed: warmed)
            assert warmed == [True]
        elif sent > 0:
            offset += sent
        else:
            assert sent == 0
        while len(arrived) < offset:
            arrived += theirs.recv(1 << 20)
    return arrived


def test_body_arrives_whole(desk, body, pair):
    assert send_all(desk, body, pair) == LARGE


def test_parts_arrive_from_where_they_are_asked(desk, body, pair):
    ours, theirs = pair
    assert body.send(ours.fileno(), 777, 1000) == 1000
    assert theirs.recv(5000) == LARGE[777:1777]
    assert body.send(ours.fileno(), len(LARGE) - 10, 1000) == 10
    assert theirs.recv(5000) == LARGE[-10:]


def test_socket_that_is_full_takes_nothing(body, pair):
    ours, _ = pair
    while body.send(ours.fileno(), 0, 1 << 18) > 0:
        pass
    assert body.send(ours.fileno(), 0, 1 << 18) == 0


def test_socket_that_is_gone_is_told_from_a_damaged_file(body, pair):
    ours, theirs = pair
    theirs.close()
    assert body.send(ours.fileno(), 0, 1000) == BROKEN
    assert body.error in (32, 104)
    assert body.ready(0, 1000) == 1000


def give_up(body) -> None:
    body.close_if_unused()
    assert body.close_if_unused()
    assert not body.is_open


def test_file_that_was_given_up_is_opened_by_a_thread(desk, body):
    give_up(body)
    warmed = []
    body.warm(0, 10, warmed.append)
    desk.until(lambda: warmed)
    assert warmed == [True]
    assert body.read_some(0, 10) == LARGE[:10]


def test_file_that_was_given_up_is_opened_at_once_where_that_takes_no_waiting(desk, body, pair):
    give_up(body)
    assert body.ready(0, 10) in (10, COLD)
    assert send_all(desk, body, pair) == LARGE


def test_bytes_that_are_not_there_are_not_promised(body):
    assert body.ready(len(LARGE), 1) == DAMAGED
    assert body.ready(0, 0) == DAMAGED


# --- cold pages ----------------------------------------------------------------------------------------------------------


def drop_pages(body) -> bool:
    """Has the kernel forget the file's pages; False where it does not, as on a tmpfs. Being asked for them, it may begin to
    fetch them again."""
    fd = os.open(body.path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    return body.ready(0, 4096) == COLD


def test_cold_pages_are_fetched_by_a_thread(desk, body, pair):
    if not drop_pages(body):
        pytest.skip("these pages are always in memory")
    assert send_all(desk, body, pair) == LARGE


def test_warm_beginning_of_a_cold_body_is_sent(desk, body):
    if not drop_pages(body):
        pytest.skip("these pages are always in memory")
    warmed = []
    body.warm(0, 4096, warmed.append)
    desk.until(lambda: warmed)
    assert body.ready(0, 1 << 18) == 4096, "what was warmed is sent without another question"


def path_of(body) -> Path:
    return Path(os.fsdecode(body.path))


# --- files that change underneath ------------------------------------------------------------------------------------------


def test_truncated_file_ends_the_reply(desk, body, pair):
    assert send_all(desk, body, pair, 1000) == LARGE[:1000]
    os.truncate(body.path, path_of(body).stat().st_size - 1)
    assert body.send(pair[0].fileno(), 1000, 1000) == DAMAGED
    assert body.read_some(1000, 1000) is None
    assert desk.load(response()) == []
    assert any("is damaged, and deleted" in line for line in desk.warnings)


def test_changed_file_ends_the_reply(desk, body, pair):
    assert send_all(desk, body, pair, 1000) == LARGE[:1000]
    with path_of(body).open("r+b") as file:
        file.seek(500_000)
        file.write(b"other")
    os.utime(body.path, ns=(1, 1))
    assert body.send(pair[0].fileno(), 1000, 1000) == COLD
    warmed = []
    body.warm(1000, 1000, warmed.append)
    desk.until(lambda: warmed)
    assert warmed == [False]
    assert body.send(pair[0].fileno(), 1000, 1000) == DAMAGED
    assert desk.load(response()) == []


def test_deleted_file_is_sent_to_its_end(desk, body, pair):
    path_of(body).unlink()
    assert send_all(desk, body, pair) == LARGE
    assert desk.load(response()) == []
    assert not desk.tier.knows(response().high, response().low)


def test_deleted_file_is_not_opened_again(desk, body):
    path_of(body).unlink()
    give_up(body)
    assert body.ready(0, 10) == COLD
    warmed = []
    body.warm(0, 10, warmed.append)
    desk.until(lambda: warmed)
    assert warmed == [False]


def test_replaced_file_is_not_sent_for_the_old_one(desk, body):
    desk.store(response(body=LARGE[::-1]))
    give_up(body)
    assert body.ready(0, 10) == COLD
    warmed = []
    body.warm(0, 10, warmed.append)
    desk.until(lambda: warmed)
    assert warmed == [False]
    assert body.ready(0, 10) == DAMAGED
