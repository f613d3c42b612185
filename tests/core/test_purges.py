"""Purges in a shared mapping: what is older is never missed, in no process and in no order of events."""

import mmap
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge._core import purges
from fastedge._core.purges import Purges, name_hash
from fastedge.limits import cache_purge_cells, cache_purge_prefix_bytes_max, cache_purge_prefixes_max

URL = b"https://shop.example/blog/1"
RED, BLUE = name_hash(b"tag", b"red"), name_hash(b"tag", b"blue")


def mapping():
    buffer = mmap.mmap(-1, purges.mapping_bytes())
    purges.initialise(buffer)
    return buffer


@pytest.fixture
def table():
    return Purges(mapping())


def test_what_was_born_before_a_purge_is_gone_and_what_comes_after_is_kept(table):
    born = table.now()
    assert table.verdict_of([RED, BLUE], URL, born) == "kept"
    number = table.purge_names(b"tag", [b"blue"])
    assert table.verdict_of([RED, BLUE], URL, born) == "hard"
    assert table.verdict_of([RED], URL, born) == "kept"
    assert table.now() == number
    assert table.verdict_of([RED, BLUE], URL, number) == "kept"


def test_names_of_different_kinds_are_different():
    assert len({name_hash(kind, b"x") for kind in (b"url", b"host", b"tag", b"group")}) == 4


def test_names_that_share_a_cell_are_purged_together(table):
    born = table.now()
    table.purge(RED, False)
    assert table.verdict_of([RED % cache_purge_cells + 7 * cache_purge_cells], URL, born) == "hard"


@pytest.mark.parametrize("first", [True, False])
def test_hard_purge_wins_over_a_soft_one(table, first):
    born = table.now()
    table.purge(RED, first)
    table.purge(RED, not first)
    assert table.verdict_of([RED], URL, born) == "hard"


def test_soft_purge_behind_a_hard_one_concerns_what_came_between(table):
    table.purge(RED, False)
    born = table.now()
    table.purge(RED, True)
    assert table.verdict_of([RED], URL, born) == "softly"
    assert table.verdict_of([RED], URL, born - 1) == "hard"


@pytest.mark.parametrize(("soft", "verdict"), [(False, "hard"), (True, "softly")])
def test_everything_means_everything_before(table, soft, verdict):
    born = table.now()
    number = table.purge_everything(soft)
    assert table.verdict_of([], b"", born) == verdict
    assert table.verdict_of([], b"", number) == "kept"


@pytest.mark.parametrize(("soft", "verdict"), [(False, "hard"), (True, "softly")])
def test_prefix_concerns_the_urls_that_begin_so(table, soft, verdict):
    born = table.now()
    number = table.purge_prefix(b"https://shop.example/blog/", soft)
    assert table.verdict_of([RED], URL, born) == verdict
    assert table.verdict_of([RED], b"https://shop.example/blog", born) == "kept"
    assert table.verdict_of([RED], b"https://shop.example/", born) == "kept"
    assert table.verdict_of([RED], URL, number) == "kept"


def test_soft_prefix_does_not_hide_a_hard_one(table):
    born = table.now()
    table.purge_prefix(b"https://shop.example/")
    table.purge_prefix(b"https://shop.example/blog/", True)
    assert table.verdict_of([], URL, born) == "hard"


def test_prefix_that_is_too_long_is_refused(table):
    table.purge_prefix(b"x" * cache_purge_prefix_bytes_max)
    with pytest.raises(ValueError, match="at most 512 bytes, not 513"):
        table.purge_prefix(b"x" * (cache_purge_prefix_bytes_max + 1))
    assert table.now() == 1


def test_oldest_prefix_of_a_full_ring_becomes_a_purge_of_everything_before_it(table):
    born = table.now()
    first = table.purge_prefix(b"https://a.example/", True)
    for i in range(cache_purge_prefixes_max - 1):
        table.purge_prefix(b"https://b.example/%d/" % i)
    assert table.verdict_of([], URL, born) == "kept"
    table.purge_prefix(b"https://c.example/")
    assert table.verdict_of([], URL, born) == "softly"
    assert table.verdict_of([], URL, first) == "kept"
    assert table.verdict_of([], b"https://b.example/0/x", first) == "hard"
    assert table.verdict_of([], b"https://c.example/x", first) == "hard"


def test_each_purge_changes_the_version(table):
    versions = [table.version()]
    for purge in (
        lambda: table.purge(RED, True),
        lambda: table.purge_prefix(b"https://x.example/"),
        table.purge_everything,
    ):
        purge()
        versions.append(table.version())
    assert 0 not in versions
    assert len(set(versions)) == 4


@given(st.lists(st.tuples(st.sampled_from(["name", "prefix", "everything", "fetch"]), st.booleans()), max_size=30))
def test_verdict_is_what_all_purges_since_its_birth_say(events):
    """A response is gone if one of the purges behind it was hard, stale if one was soft, else it is kept."""
    table = Purges(mapping())
    responses = []
    for kind, soft in events:
        if kind == "fetch":
            responses.append((table.now(), []))
            continue
        {
            "name": lambda soft: table.purge(RED, soft),
            "prefix": lambda soft: table.purge_prefix(b"https://shop.example/", soft),
            "everything": table.purge_everything,
        }[kind](soft)
        for _, since in responses:
            since.append(soft)
    for born, since in responses:
        expected = "kept" if not since else "softly" if all(since) else "hard"
        assert table.verdict_of([BLUE, RED], URL, born) == expected


# --- several processes ------------------------------------------------------------------------------------------


PURGER = """
import mmap, sys
from fastedge._core.purges import Purges
table = Purges(mmap.mmap(int(sys.argv[1]), 0))
for i in range(int(sys.argv[2])):
    table.purge_names(b"tag", [b"%d" % (i % 50)], i % 2 == 0)
    print(flush=True)
    sys.stdin.readline()
"""


def test_purge_in_one_process_is_in_force_in_the_other_when_it_returns():
    """Readers keep remembering versions as they look, and never believe one that hides a purge that has returned."""
    fd = os.memfd_create("purges")
    os.truncate(fd, purges.mapping_bytes())
    buffer = mmap.mmap(fd, 0)
    purges.initialise(buffer)
    table = Purges(buffer)
    stop, missed = threading.Event(), []
    checked = {name_hash(b"tag", b"%d" % i): (table.now(), 0) for i in range(50)}

    def look(name):
        """As a hit does: whether the response is kept, by the version remembered or by a look."""
        born, seen = checked[name]
        version = table.version()
        if version == seen:
            return True
        kept = table.verdict_of([BLUE, name], URL, born) == "kept"
        if kept:
            checked[name] = (born, version)
        return kept

    def read():
        while not stop.is_set():
            for name in list(checked):
                look(name)

    reader = threading.Thread(target=read)
    command = [sys.executable, "-c", PURGER, str(fd), "100"]
    process = subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    reader.start()
    for i in range(100):
        name = name_hash(b"tag", b"%d" % (i % 50))
        process.stdout.readline()
        if look(name):
            missed.append(i)
        checked[name] = (table.now(), 0)
        process.stdin.write(b"\n")
    stop.set()
    reader.join()
    process.communicate()
    os.close(fd)
    assert process.returncode == 0
    assert missed == []


HAMMER = """
import mmap, sys
from fastedge._core.purges import Purges
table = Purges(mmap.mmap(int(sys.argv[1]), 0))
for _ in range(50_000):
    table.purge(7, False)
"""


def test_two_processes_never_take_one_number():
    fd = os.memfd_create("purges")
    os.truncate(fd, purges.mapping_bytes())
    buffer = mmap.mmap(fd, 0)
    purges.initialise(buffer)
    workers = [subprocess.Popen([sys.executable, "-c", HAMMER, str(fd)], pass_fds=[fd]) for _ in range(2)]
    assert [worker.wait(30) for worker in workers] == [0, 0]
    os.close(fd)
    table = Purges(buffer)
    assert table.now() == 100_000
    assert table.version() == 100_001
    assert table.verdict_of([7], URL, 99_999) == "hard"  # the cell holds the highest, whoever came last
    assert table.verdict_of([7], URL, 100_000) == "kept"


# --- the image on disk ------------------------------------------------------------------------------------------


class Image:
    def __init__(self):
        self.data = bytearray(purges.image_bytes())

    def keep(self, offset, record):
        self.data[offset : offset + len(record)] = record


@pytest.fixture
def image(table):
    image = Image()
    table.keep = image.keep
    table.keep_head()
    return image


def test_restored_table_says_the_same(table, image):
    born = table.now()
    table.purge(RED, False)
    table.purge(BLUE, True)
    between = table.now()
    table.purge_prefix(b"https://shop.example/blog/", True)
    last = table.purge_prefix(b"https://shop.example/x/")
    table.keep = None
    table.purge(RED, False)  # not in the image
    again = Purges(mapping())
    assert again.restore(bytes(image.data))
    assert again.now() == last
    assert again.verdict_of([RED], b"", born) == "hard"
    assert again.verdict_of([BLUE], b"", born) == "softly"
    assert again.verdict_of([], URL, between) == "softly"
    assert again.verdict_of([RED, BLUE], b"", between) == "kept"
    assert again.verdict_of([], b"https://shop.example/x/", between) == "hard"


def test_restored_ring_goes_on_where_it_was(table, image):
    born = table.now()
    for i in range(cache_purge_prefixes_max + 3):
        last = table.purge_prefix(b"https://b.example/%d/" % i)
    again = Purges(mapping())
    assert again.restore(bytes(image.data))
    assert again.verdict_of([], b"", born) == "hard"  # the first three, by the floor
    assert again.verdict_of([], b"", 3) == "kept"
    assert again.verdict_of([], b"https://b.example/3/", 3) == "hard"
    again.purge_prefix(b"https://c.example/")
    assert again.verdict_of([], b"", 3) == "hard"  # the fourth is now the oldest, and gives way
    assert again.verdict_of([], b"https://c.example/", last) == "hard"


def test_restored_floors_hold(table, image):
    born = table.purge_everything()
    table.purge_everything(True)
    again = Purges(mapping())
    assert again.restore(bytes(image.data))
    assert again.verdict_of([], b"", born) == "softly"
    assert again.verdict_of([], b"", born - 1) == "hard"


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_damage_to_what_was_kept_is_noticed(data):
    table, image = Purges(mapping()), Image()
    table.keep = image.keep
    table.keep_head()
    table.purge(RED, False)
    table.purge_prefix(b"https://shop.example/")
    at = data.draw(st.sampled_from(_written(image.data)))
    image.data[at] ^= data.draw(st.integers(1, 255))
    assert not Purges(mapping()).restore(bytes(image.data))


def _written(data):
    """The places of bytes that are not zero, found by halves."""
    places, spans = [], [(0, len(data))]
    while spans:
        start, end = spans.pop()
        if data.count(0, start, end) == end - start:
            continue
        if end - start <= 4096:
            places += [i for i in range(start, end) if data[i]]
        else:
            middle = (start + end) // 2
            spans += [(start, middle), (middle, end)]
    return places


def test_records_that_changed_places_are_noticed(table, image):
    table.purge(0, False)
    cell = bytes(image.data[72:96])
    image.data[72:96], image.data[96:120] = bytes(24), cell
    assert not Purges(mapping()).restore(bytes(image.data))


@pytest.mark.parametrize("data", [b"", b"x" * 100, "zeros", "cut"])
def test_what_is_no_image_is_refused(table, image, data):
    data = {"zeros": bytes(purges.image_bytes()), "cut": bytes(image.data[:-1])}.get(data, data)
    again = Purges(mapping())
    assert not again.restore(data)
    again.purge(RED, False)
    assert again.verdict_of([RED], b"", 0) == "hard"


def test_change_by_another_meanwhile_is_kept_too(table):
    """Between the read of a cell and its write to the disk, another process raised it."""
    records = []

    def keep(offset, record):
        records.append((offset, record))
        if len(records) == 1:
            other.purge(RED, False)

    buffer = mapping()
    table, other = Purges(buffer), Purges(buffer)
    table.keep = keep
    table.purge(RED, False)
    assert [int.from_bytes(record[:8], sys.byteorder) for _, record in records] == [1, 2]


def test_number_goes_on_behind_the_one_that_it_is_advanced_to(table):
    table.advance(1 << 40)
    assert table.purge(RED, False) == (1 << 40) + 1
    table.advance(5)
    assert table.now() == (1 << 40) + 1


def test_foreign_buffers_are_refused():
    for buffer in (bytearray(64), mmap.mmap(-1, purges.mapping_bytes())):
        with pytest.raises(ValueError, match="no mapping of purges"):
            Purges(buffer)
    with pytest.raises(ValueError, match="purges need"):
        purges.initialise(bytearray(64))
