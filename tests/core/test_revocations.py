"""Revocations in a shared mapping: what has been revoked is found by every process, and nothing else ever is."""

import mmap
import os
import subprocess
import sys
import threading
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core import revocations
from fastedge._core.revocations import Revocable, Revocations, RevocationsFull

NOW = 1_000_000.0
KEY = bytes(range(32))


def mapping(entries_max=10_000, key=KEY):
    buffer = mmap.mmap(-1, revocations.mapping_bytes(entries_max))
    revocations.initialise(buffer, entries_max, key)
    return buffer


@pytest.fixture
def table():
    return Revocations(mapping())


def jti(table, *names, until=None):
    return b"".join(table.record(b"jti", name, None, until) for name in names)


def sub(table, name, before, until=None):
    return table.record(b"sub", name, before, until)


def everyone(table, before, until=None):
    return table.record(b"", None, before, until)


def is_revoked(table, jti=None, sub=None, issued=-float("inf"), now=NOW):
    return table.is_revoked(Revocable(jti, sub, issued), now)


# --- what is revoked --------------------------------------------------------------------------------------------


def test_empty_table_revokes_nobody(table):
    assert not is_revoked(table, "a", "ann")
    assert table.held(NOW) == (0, 0, 0)


def test_jti_is_revoked_whenever_it_was_issued(table):
    table.revoke(jti(table, "a"), NOW)
    for issued in (-float("inf"), 0, NOW, 1e300, float("nan")):
        assert is_revoked(table, "a", issued=issued)
        assert not is_revoked(table, "b", issued=issued)
    assert not is_revoked(table, None, "a")
    assert table.held(NOW) == (1, 0, 1)


def test_sub_is_revoked_for_what_was_issued_before(table):
    table.revoke(sub(table, "ann", 500), NOW)
    assert is_revoked(table, "a", "ann", 499.999)
    assert is_revoked(table, "a", "ann")  # without `iat`
    assert is_revoked(table, "a", "ann", float("nan"))
    assert not is_revoked(table, "a", "ann", 500)
    assert not is_revoked(table, "a", "bob", 499)
    assert not is_revoked(table, "ann", None, 499)


def test_everyone_is_revoked_for_what_was_issued_before(table):
    table.revoke(everyone(table, 500), NOW)
    assert is_revoked(table, issued=499)
    assert is_revoked(table, "a", "ann")
    assert not is_revoked(table, "a", "ann", 500)


@pytest.mark.parametrize("record", [jti, lambda t, name, until: sub(t, name, 500, until)])
def test_entry_is_forgotten_after_its_time(table, record):
    table.revoke(record(table, "x", until=2_000_000), NOW)
    assert is_revoked(table, "x", "x", 1, 1_999_999.9)
    assert not is_revoked(table, "x", "x", 1, 2_000_000)
    assert table.held(1_999_999) == (1, 0, 1)
    assert table.held(2_000_000) == (0, 0, 0)


def test_entry_whose_time_is_over_takes_no_room(table):
    table.revoke(jti(table, "a", until=5), NOW)
    assert not is_revoked(table, "a", now=4)


def test_revoked_twice_is_revoked_for_the_later_of_both(table):
    for before, until in [(500, 2_000_000), (400, 3_000_000), (450, None), (300, 1_500_000)]:
        table.revoke(sub(table, "ann", before, until), NOW)
    assert is_revoked(table, None, "ann", 499, 1e9)
    assert table.held(NOW).in_force == 1


def test_entry_that_is_over_adds_nothing_to_its_successor(table):
    table.revoke(sub(table, "ann", 900, 1_000_001), NOW)
    table.revoke(sub(table, "ann", 500), 1_000_001)
    assert not is_revoked(table, None, "ann", 600, 1_000_001)


NAMES = ["", "a", "a\0", "\0a", "a\0b", "é", "e\u0301", "\ud800", "\udfff\ud800", "\U0010ffff", "x" * 100_000]


@pytest.mark.parametrize(("kind", "name"), [*product(["jti", "sub"], NAMES)])
def test_names_are_what_they_are_to_the_last_character(table, kind, name):
    table.revoke(table.record(kind.encode(), name, None, None), NOW)
    others = [other for other in NAMES if other != name]
    assert is_revoked(table, **{kind: name})
    assert not any(is_revoked(table, **{kind: other}) for other in others)
    assert not is_revoked(table, **{"sub" if kind == "jti" else "jti": name})


def test_who_has_been_looked_for_in_one_table_is_found_in_another():
    one, other = Revocations(mapping()), Revocations(mapping(key=bytes(32)))
    who = Revocable("a", "ann")
    for table in (one, other):
        table.revoke(jti(table, "b"), NOW)
        assert not table.is_revoked(who, NOW)
    other.revoke(jti(other, "a"), NOW)
    assert not one.is_revoked(who, NOW)
    assert other.is_revoked(who, NOW)


# --- restoring, and the file ------------------------------------------------------------------------------------


def test_restored_is_revoked_no_more(table):
    table.revoke(jti(table, "a", "b") + sub(table, "ann", 500) + everyone(table, 400), NOW)
    gone = jti(table, "a", "never") + sub(table, "ann", 1) + everyone(table, 1)
    assert table.restore(gone, NOW) == (3, 0)
    assert table.restore(gone, NOW) == (0, 0)
    assert not is_revoked(table, "a", "ann")
    assert is_revoked(table, "b")
    table.revoke(jti(table, "a"), NOW)
    assert is_revoked(table, "a")


def test_what_the_file_says_goes_with_the_file(table):
    table.replace_file(jti(table, "a", "b") + sub(table, "ann", 500) + everyone(table, 300), NOW)
    table.revoke(jti(table, "b", "c") + sub(table, "ann", 400) + everyone(table, 200), NOW)
    assert table.held(NOW) == (5, 4, 4)
    assert is_revoked(table, None, "ann", 450)
    assert is_revoked(table, issued=250)
    table.replace_file(jti(table, "d"), NOW)
    assert [is_revoked(table, name, issued=300) for name in "abcd"] == [False, True, True, True]
    assert not is_revoked(table, None, "ann", 450)
    assert is_revoked(table, None, "ann", 350)
    assert not is_revoked(table, issued=250)
    assert is_revoked(table, issued=150)
    table.replace_file(b"", NOW)
    assert not is_revoked(table, "d", issued=300)
    assert table.held(NOW) == (4, 0, 4)


def test_restoring_does_not_touch_the_file(table):
    table.replace_file(jti(table, "a"), NOW)
    table.revoke(jti(table, "a"), NOW)
    assert table.restore(jti(table, "a"), NOW) == (1, 1)
    assert is_revoked(table, "a")


# --- room -------------------------------------------------------------------------------------------------------


def test_full_table_refuses_all_of_a_request_and_drops_nothing():
    table = Revocations(mapping(100))
    table.revoke(jti(table, *map(str, range(99))), NOW)
    with pytest.raises(RevocationsFull, match=r"entries_max: no room for 2 more beside those in force; it is 100"):
        table.revoke(jti(table, "new", "newer", "5"), NOW)
    assert not is_revoked(table, "new")
    table.revoke(jti(table, "new", "new", "5"), NOW)
    assert all(is_revoked(table, str(i)) for i in range(99))
    assert table.held(NOW) == (100, 0, 100)
    with pytest.raises(RevocationsFull):
        table.replace_file(jti(table, "in the file"), NOW)
    assert is_revoked(table, "new")
    assert not is_revoked(table, "in the file")
    table.restore(jti(table, "5"), NOW)
    table.replace_file(jti(table, "in the file"), NOW)
    assert is_revoked(table, "in the file")


def test_everyone_takes_no_room():
    table = Revocations(mapping(1))
    table.revoke(everyone(table, 500), NOW)
    table.revoke(jti(table, "a") + everyone(table, 600), NOW)
    assert table.held(NOW) == (2, 0, 2)
    with pytest.raises(RevocationsFull):
        table.revoke(jti(table, "b"), NOW)


def test_full_table_forgets_what_is_over_before_it_refuses():
    table = Revocations(mapping(2_000))
    table.revoke(jti(table, *map(str, range(1_500)), until=1_000_010), NOW)
    table.revoke(jti(table, *map(str, range(1_500, 2_000))), NOW)
    with pytest.raises(RevocationsFull):
        table.revoke(jti(table, "new"), 1_000_009)
    table.revoke(jti(table, *(f"new {i}" for i in range(1_500))), 1_000_010)
    assert table.held(1_000_010).in_force == 2_000
    assert all(is_revoked(table, str(i), now=1_000_010) for i in range(1_500, 2_000))
    assert not is_revoked(table, "3")


def test_table_serves_for_ever_although_names_come_and_go():
    table = Revocations(mapping(1_000))
    for day in range(40):
        names = [f"{day} {i}" for i in range(500)]
        table.revoke(jti(table, *names, until=int(NOW) + day + 2), NOW + day)
        assert all(is_revoked(table, name, now=NOW + day) for name in names)
        assert table.held(NOW + day).in_force == (500 if not day else 1_000)


def test_table_grows_with_what_is_in_it():
    released = []
    table = Revocations(mapping(100_000))
    table.release = lambda at, size: released.append((at, size)) or (_ for _ in ()).throw(OSError())
    for i in range(0, 20_000, 100):
        table.revoke(jti(table, *map(str, range(i, i + 100))), NOW)
    assert all(is_revoked(table, str(i)) for i in range(20_000))
    assert not any(is_revoked(table, f"{i}x") for i in range(20_000))
    sizes = [size for _, size in released]
    assert sizes == sorted(sizes) and sizes[0] == 65_536 and sizes[-1] < 20_000 * 64
    assert len({at for at, _ in released}) == 2


@given(st.data())
def test_table_says_what_a_dictionary_would(data):
    table, now = Revocations(mapping(12)), NOW
    posted, in_file = {}, {}
    for _ in range(data.draw(st.integers(1, 25))):
        act = data.draw(st.sampled_from(["revoke", "restore", "file", "wait"]))
        names = data.draw(st.lists(st.sampled_from("abcdefghijklmnop"), max_size=8))
        until = data.draw(st.sampled_from([None, int(now) + 1, int(now) + 3]))
        posted = {name: end for name, end in posted.items() if end > now}
        in_file = {name: end for name, end in in_file.items() if end > now}
        end, before = until or 1e12, dict(posted)
        try:
            if act == "wait":
                now += 1
            elif act == "revoke":
                posted |= {name: max(end, posted.get(name, 0)) for name in names}
                table.revoke(jti(table, *names, until=until), now)
            elif act == "restore":
                table.restore(jti(table, *names), now)
                posted = {name: end for name, end in posted.items() if name not in names}
            else:
                table.replace_file(jti(table, *names, until=until), now)
                in_file = dict.fromkeys(names, end)
            assert len({*posted, *in_file}) <= 12
        except RevocationsFull:
            posted = before
        for name in "abcdefghijklmnop":
            assert is_revoked(table, name, now=now) == (max(posted.get(name, 0), in_file.get(name, 0)) > now), name


# --- several processes ------------------------------------------------------------------------------------------


def test_reader_cannot_write():
    fd = os.memfd_create("revocations")
    os.truncate(fd, revocations.mapping_bytes(100))
    buffer = mmap.mmap(fd, 0)
    revocations.initialise(buffer, 100, KEY)
    writer, reader = Revocations(buffer), Revocations(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
    os.close(fd)
    for attempt in (reader.revoke, reader.restore, reader.replace_file):
        with pytest.raises(ValueError, match="may only read"):
            attempt(jti(reader, "a"), NOW)
    writer.revoke(jti(writer, "a"), NOW)
    assert is_revoked(reader, "a")
    assert reader.held(NOW) == (1, 0, 1)
    assert reader.entries_max == 100


WRITER = """
import mmap, sys
from fastedge._core.revocations import Revocations
buffer = mmap.mmap(int(sys.argv[1]), 0)
table = Revocations(buffer)
table.release = lambda at, size: buffer.madvise(mmap.MADV_REMOVE, at, size)
for i in range(int(sys.argv[2])):
    names = [f"{i} {j}" for j in range(50)]
    table.revoke(b"".join(table.record(b"jti", name, None, None) for name in names), 1e6)
    if i % 5 == 0:
        table.replace_file(b"".join(table.record(b"jti", f"file {j}", None, None) for j in range(i % 7 * 100)), 1e6)
    if i % 3 == 2:
        table.restore(b"".join(table.record(b"jti", f"{i - 2} {j}", None, None) for j in range(50)), 1e6)
    print(flush=True)
    sys.stdin.readline()
"""


def test_what_is_revoked_in_one_process_is_found_in_another_when_the_call_returns():
    """Readers look all the time, through areas that grow, are swapped and emptied: what is in force is always found, and
    what never was is never found."""
    fd = os.memfd_create("revocations")
    os.truncate(fd, revocations.mapping_bytes(20_000))
    buffer = mmap.mmap(fd, 0)
    revocations.initialise(buffer, 20_000, KEY)
    table = Revocations(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
    stop, wrong = threading.Event(), []
    always, never = Revocable("1 7", None), [Revocable(f"never {i}", "ann") for i in range(50)]

    def read():
        while not stop.is_set():
            if in_force.is_set() and not table.is_revoked(always, NOW):
                wrong.append("missed")
            wrong.extend(who.jti for who in never if table.is_revoked(who, NOW))

    in_force = threading.Event()
    reader = threading.Thread(target=read)
    command = [sys.executable, "-c", WRITER, str(fd), "200"]
    process = subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    reader.start()
    for i in range(200):
        process.stdout.readline()
        if i == 1:
            in_force.set()
        wrong += [f"{i} {j}" for j in range(50) if not is_revoked(table, f"{i} {j}")]
        process.stdin.write(b"\n")
    stop.set()
    reader.join()
    process.communicate()
    os.close(fd)
    assert process.returncode == 0
    assert wrong == []
    assert table.held(NOW) == (200 * 50 - 66 * 50 + (195 % 7) * 100, (195 % 7) * 100, 200 * 50 - 66 * 50)


HAMMER = """
import mmap, sys
from fastedge._core.revocations import Revocations
table = Revocations(mmap.mmap(int(sys.argv[1]), 0))
kept = b"".join(table.record(b"jti", f"kept {i}", None, None) for i in range(3000))
table.revoke(kept, 1e6)
print(flush=True)
while True:
    table.replace_file(b"".join(table.record(b"jti", f"file {i}", None, None) for i in range(3000)), 1e6)
    table.replace_file(b"", 1e6)
"""


def test_writer_that_is_killed_leaves_what_was_in_force():
    for _ in range(5):
        fd = os.memfd_create("revocations")
        os.truncate(fd, revocations.mapping_bytes(10_000))
        buffer = mmap.mmap(fd, 0)
        revocations.initialise(buffer, 10_000, KEY)
        process = subprocess.Popen([sys.executable, "-c", HAMMER, str(fd)], pass_fds=[fd], stdout=subprocess.PIPE)
        process.stdout.readline()
        table = Revocations(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
        missed = [i for i in range(0, 3000, 7) if not is_revoked(table, f"kept {i}")]
        process.kill()
        process.communicate()
        os.close(fd)
        missed += [i for i in range(3000) if not is_revoked(table, f"kept {i}")]
        assert missed == []
        assert not is_revoked(table, "never")


def test_foreign_buffers_are_refused():
    for buffer in (bytearray(64), mmap.mmap(-1, revocations.mapping_bytes(100))):
        with pytest.raises(ValueError, match="no mapping of revocations"):
            Revocations(buffer)
    for entries_max, key in ((100, KEY), (0, KEY), (1 << 60, KEY), (1000, b"short")):
        with pytest.raises(ValueError, match="and a key of 32"):
            revocations.initialise(bytearray(64), entries_max, key)
