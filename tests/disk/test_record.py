"""Invariant: whatever happens to the bytes of a record, what is loaded from it is what was stored, or nothing is."""

import os
import random

import pytest
from disk.desk import facts_of, response
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge.clock import monotonic, now
from fastedge.disk.checksum import Checksum, checksum_of
from fastedge.disk.layout import record_block, record_start, vary_hash
from fastedge.disk.record import DamagedRecord, Record, Verified

BODY = bytes(range(256))
STORED = response(body=BODY, vary=b"en", received_us=5, received_s=1.0)
LARGE = response(body=os.urandom(100_000), received_us=5, received_s=1.0)


def whole(stored=STORED) -> bytes:
    """A record as its writer leaves it that got the body in pieces."""
    start, block_bytes = record_start(stored, 77, 1)
    block = record_block(stored, block_bytes, 2, 1, checksum_of(stored.body))
    return start[: 64 + block_bytes] + block.ljust(block_bytes, b"\0") + stored.body


def read(path, stored=STORED, verified=None):
    """What a reader gets of a file; DamagedRecord where it is none."""
    record = Record(os.fsencode(path), stored.high, stored.low)
    record.verify(verified or Verified(16))
    found = record.stored(record.read(0, record.length), now(), monotonic(), 1)
    assert found is not None
    return found


def same(found, stored=STORED) -> bool:
    return facts_of(found) == facts_of(stored) and found.body == stored.body


@pytest.mark.parametrize("stored", [STORED, LARGE], ids=["small", "large"])
def test_record_is_read_as_it_was_written(tmp_path, stored):
    path = tmp_path / "record"
    path.write_bytes(whole(stored))
    assert same(read(path, stored), stored)


def test_record_written_at_once_is_complete(tmp_path):
    path = tmp_path / "record"
    start, _ = record_start(STORED, 77, 1, checksum_of(BODY))
    path.write_bytes(start + BODY)
    assert same(read(path))


def test_every_flipped_byte_is_a_miss_or_changes_nothing(tmp_path):
    data, path = whole(), tmp_path / "record"
    harmless = 0
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1 << position % 8]) + data[position + 1 :])
        try:
            assert same(read(path)), position
            harmless += 1
        except DamagedRecord:
            pass
    assert 0 < harmless < len(data) - len(BODY), "the older block and the padding do not matter"


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_of_any_kind_is_a_miss_or_changes_nothing(tmp_path_factory, data):
    record = bytearray(whole())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(record)))
        match data.draw(st.sampled_from(["overwrite", "cut", "insert", "remove", "zero"])):
            case "overwrite":
                record[position : position + 8] = data.draw(st.binary(min_size=1, max_size=8))
            case "cut":
                del record[position:]
            case "insert":
                record[position:position] = data.draw(st.binary(min_size=1, max_size=8))
            case "remove":
                del record[position : position + data.draw(st.integers(1, 64))]
            case "zero":
                record[position : position + 512] = bytes(len(record[position : position + 512]))
    path = tmp_path_factory.mktemp("record") / "record"
    path.write_bytes(record)
    try:
        found = read(path)
    except DamagedRecord:
        return
    assert same(found)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1000, -1])
def test_file_that_is_cut_short_is_damaged(tmp_path, size):
    path = tmp_path / "record"
    path.write_bytes(whole()[:size])
    with pytest.raises(DamagedRecord):
        read(path)


def test_file_of_another_kind_is_damaged_or_not_opened(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "record").write_bytes(whole())
    (tmp_path / "link").symlink_to("record")
    for name in ("folder", "fifo"):
        with pytest.raises(DamagedRecord):
            read(tmp_path / name)
    with pytest.raises(OSError, match="symbolic"):
        read(tmp_path / "link")


def test_record_under_another_keys_name_is_damaged(tmp_path):
    path = tmp_path / "record"
    path.write_bytes(whole())
    with pytest.raises(DamagedRecord, match="another key"):
        read(path, response(b"http://other/"))


def test_record_that_was_never_finished_is_damaged(tmp_path):
    path = tmp_path / "record"
    start, _ = record_start(STORED, 77, 1)
    path.write_bytes(start + BODY)
    with pytest.raises(DamagedRecord, match="never finished"):
        read(path)


def test_large_body_is_verified_again_when_the_file_has_changed(tmp_path):
    path, verified = tmp_path / "record", Verified(16)
    data = bytearray(whole(LARGE))
    path.write_bytes(data)
    assert same(read(path, LARGE, verified), LARGE)
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))
    with pytest.raises(DamagedRecord, match="not the one"):
        read(path, LARGE, verified)


def test_renewal_is_torn_anywhere_and_one_of_both_is_read(tmp_path):
    """A crash in the middle of a renewal leaves any part of what it writes, in order."""
    path = tmp_path / "record"
    path.write_bytes(whole())
    renewed = response(body=BODY, vary=b"en", head=b"etag: new\r\n", lifetime_s=0.0, received_us=6, received_s=2.0)
    before = path.read_bytes()
    record = Record(os.fsencode(path), STORED.high, STORED.low, writable=True)
    assert record.holds(STORED)
    assert record.freshen(renewed, 1)
    after = path.read_bytes()
    changed = [i for i in range(len(before)) if before[i] != after[i]]
    fresh = 64  # the first block is written, then the second one's beginning is struck out
    assert changed[0] >= fresh and len(before) == len(after)
    old = 64 + (len(before) - 64 - len(BODY)) // 2
    is_renewed = []
    for torn in range(fresh, old, 7):
        path.write_bytes(after[:torn] + before[torn:])
        found = read(path)
        is_renewed.append(same(found, renewed))
        assert is_renewed[-1] or same(found), torn
    assert sorted(is_renewed) == is_renewed
    assert set(is_renewed) == {False, True}
    path.write_bytes(after[:old] + before[old:])
    assert same(read(path), renewed)
    path.write_bytes(after)
    assert same(read(path), renewed)


def test_damaged_renewal_does_not_bring_back_what_was_before(tmp_path):
    path = tmp_path / "record"
    path.write_bytes(whole())
    renewed = response(body=BODY, vary=b"en", head=b"etag: new\r\n", lifetime_s=0.0)
    assert Record(os.fsencode(path), STORED.high, STORED.low, writable=True).freshen(renewed, 1)
    data = path.read_bytes()
    at = data.index(b"etag: new")
    path.write_bytes(data[:at] + b"E" + data[at + 1 :])
    with pytest.raises(DamagedRecord):
        read(path)


def test_renewal_of_another_length_changes_nothing(tmp_path):
    path = tmp_path / "record"
    path.write_bytes(whole())
    record = Record(os.fsencode(path), STORED.high, STORED.low, writable=True)
    assert not record.freshen(response(body=b"short", vary=b"en"), 1)
    assert path.read_bytes() == whole()


def test_record_holds_one_response(tmp_path):
    path = tmp_path / "record"
    path.write_bytes(whole())
    record = Record(os.fsencode(path), STORED.high, STORED.low)
    assert record.holds(STORED)
    assert record.holds(response(body=BODY, vary=b"en", head=b"other: meta\r\n"))
    assert not record.holds(response(body=BODY, vary=b"de"))
    assert not record.holds(response(body=BODY[::-1], vary=b"en"))
    assert not record.holds(response(body=BODY + b"x", vary=b"en"))


def test_key_and_head_beyond_a_block_are_no_record():
    with pytest.raises(ValueError, match="no record"):
        record_start(response(head=b"x" * (1 << 20)), 1, 1)


def test_checksum_in_pieces_is_that_of_the_whole():
    data = random.Random(1).randbytes(300_000)
    pieces = Checksum()
    for start, end in ((0, 0), (0, 1), (1, 20_000), (20_000, 300_000)):
        pieces.update(data[start:end])
    assert pieces.digest() == checksum_of(data) == checksum_of(memoryview(data))


def test_no_vary_and_an_empty_one_have_different_hashes():
    assert vary_hash(None) == 0
    assert len({vary_hash(None), vary_hash(b""), vary_hash(b"en")}) == 3
