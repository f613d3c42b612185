"""What it costs to ask whether a token is revoked, by both its names, at random in tables of several sizes; and what a
table takes up. Every round asks for so many tokens as stand in its name, none of which is revoked: divide by that.
A few tokens stay in the processor's caches, many do not, nor does what a request keeps of each of them.
"""

import os
import random
from collections.abc import Iterator

import pytest

from fastedge._core.revocations import Revocable
from fastedge.handover import SharedRevocations, map_revocations

NOW = 1_800_000_000.0
FEW, MANY = 200, 100_000
RECORD_BYTES = 24
ENTRIES_MAX = 1_000_000


def records(count: int) -> bytes:
    """Of names whose digests are as random as those of real ones, revoked for ever."""
    data = bytearray(os.urandom(RECORD_BYTES * count))
    for i in range(16, RECORD_BYTES):
        data[i::RECORD_BYTES] = b"\xff" * count
    return bytes(data)


@pytest.fixture
def shared() -> Iterator[SharedRevocations]:
    shared = SharedRevocations(ENTRIES_MAX)
    yield shared
    shared.close()


@pytest.mark.benchmark(group="revocations")
@pytest.mark.parametrize("tokens", [FEW, MANY])
@pytest.mark.parametrize("entries", [0, 1_000, ENTRIES_MAX])
def test_look_up(benchmark, shared, entries, tokens):
    shared.table.replace_file(records(entries), NOW)
    worker = map_revocations(shared.descriptor)
    pool = [Revocable(f"token-{i}", f"user-{i}", NOW - 60) for i in range(MANY)]
    assert worker.count_revoked(pool, NOW) == 0  # digests are worked out once
    random.Random(7).shuffle(pool)
    pool = pool[:tokens]
    assert benchmark(worker.count_revoked, pool, NOW) == 0


@pytest.mark.parametrize("one_by_one", [False, True])
def test_bytes_an_entry(shared, one_by_one):
    if one_by_one:
        for _ in range(0, ENTRIES_MAX, 10_000):
            shared.table.revoke(records(10_000), NOW)
    else:
        shared.table.replace_file(records(ENTRIES_MAX), NOW)
    assert shared.table.held(NOW).in_force == ENTRIES_MAX
    bytes_each = os.fstat(shared.descriptor).st_blocks * 512 / ENTRIES_MAX
    print(f"{bytes_each:.1f} bytes an entry")
    assert bytes_each <= 64


@pytest.mark.benchmark(group="writing revocations")
def test_revoke_one(benchmark, shared):
    shared.table.replace_file(records(ENTRIES_MAX // 2), NOW)
    benchmark(lambda: shared.table.revoke(shared.table.record(b"jti", "a", None, None), NOW))


@pytest.mark.benchmark(group="writing revocations")
def test_take_over_a_file_of_a_million(benchmark, shared):
    data = records(ENTRIES_MAX)
    benchmark.pedantic(shared.table.replace_file, (data, NOW), rounds=2)


@pytest.mark.benchmark(group="writing revocations")
def test_count_what_is_held(benchmark, shared):
    shared.table.replace_file(records(ENTRIES_MAX), NOW)
    benchmark(shared.table.held, NOW)
