"""Invariant: what is found is what was kept last for exactly that key and vary; the bounds hold; nothing is lost or leaked."""

import gc
import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fastedge import limits
from fastedge._core.store import MemoryStore
from fastedge._core.stored import Stored, make_stored

SEED = bytes(range(16))
MIX = random.Random(3)
HASHES = [(MIX.getrandbits(64), MIX.getrandbits(64)) for _ in range(50_000)]
ROOMY = 1 << 30


def store(bytes_max: int = ROOMY) -> MemoryStore:
    return MemoryStore(bytes_max, SEED)


def numbered(number: int, size: int = 100, **more: object) -> Stored:
    return make_stored(*HASHES[number], b"key %d" % number, 200, b"a: b\r\n", bytes(size), **more)  # type: ignore[arg-type]


def found(memory: MemoryStore, number: int) -> Stored | None:
    return memory.get(*HASHES[number], b"key %d" % number)


def variants(first: Stored | None) -> list[bytes | None]:
    return [] if first is None else [first.vary, *variants(first.variant)]


COST = numbered(1).memory_bytes


@pytest.mark.parametrize(("bytes_max", "seed"), [(0, SEED), (-1, SEED), (1000, b""), (1000, SEED[1:])])
def test_store_refuses_wrong_arguments(bytes_max: int, seed: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        MemoryStore(bytes_max, seed)


def test_collector_does_not_know_the_store() -> None:
    assert not gc.is_tracked(store())


# --- finding ----------------------------------------------------------------------------------------------------------


def test_get_gives_what_was_put() -> None:
    memory, stored = store(), numbered(1)
    assert memory.put(stored)
    assert found(memory, 1) is stored
    assert found(memory, 2) is None
    assert (len(memory), memory.bytes_used, memory.hits, memory.misses) == (1, stored.memory_bytes, 1, 1)


def test_get_tells_keys_of_one_hash_apart() -> None:
    memory = store()
    kept = [make_stored(7, 7, b"key %d" % number) for number in range(100)]
    assert all(memory.put(stored) for stored in kept)
    assert [memory.get(7, 7, stored.key) for stored in kept] == kept
    for other in (b"key", b"key 1000", b"", b"kez 1", b"key 1\0"):
        assert memory.get(7, 7, other) is None
    assert memory.get(7, 8, b"key 1") is memory.get(8, 7, b"key 1") is None


def test_keys_of_one_hash_are_bounded_and_leave_the_others_alone() -> None:
    memory = store()
    assert memory.put(numbered(1))
    kept = [number for number in range(2000) if memory.put(make_stored(7, 7, b"key %d" % number))]
    assert 100 < len(kept) < 400
    assert len(memory) == len(kept) + 1
    assert all(memory.get(7, 7, b"key %d" % number) is not None for number in kept)
    assert found(memory, 1) is not None
    assert all(memory.put(numbered(number)) for number in range(2, 10_000))
    assert all(found(memory, number) is not None for number in range(1, 10_000))


def test_everything_is_found_while_shards_grow_and_shrink() -> None:
    memory = store()
    kept = [numbered(number, 0) for number in range(len(HASHES))]
    for stored in kept:
        assert memory.put(stored)
    assert all(found(memory, number) is kept[number] for number in range(len(HASHES)))
    for number in range(0, len(HASHES), 2):
        memory.remove(kept[number])
    assert [found(memory, number) is not None for number in range(1000)] == [False, True] * 500
    assert len(memory) == len(HASHES) // 2


# --- variants and replacement -------------------------------------------------------------------------------------------


def test_variants_of_a_key_hang_together_the_last_kept_first() -> None:
    memory = store()
    for vary in (None, b"a", b"b"):
        memory.put(numbered(1, vary=vary))
    assert variants(found(memory, 1)) == [b"b", b"a", None]
    memory.put(numbered(1, vary=b"a"))
    assert variants(found(memory, 1)) == [b"a", b"b", None]
    assert len(memory) == 3


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_remove_of_a_variant_leaves_the_others(gone: int) -> None:
    memory, kept = store(), [numbered(1, vary=vary) for vary in (b"a", b"b", b"c")]
    for stored in kept:
        memory.put(stored)
    memory.remove(kept[gone])
    assert variants(found(memory, 1)) == [stored.vary for stored in reversed(kept) if stored is not kept[gone]]
    assert kept[gone].variant is None
    memory.remove(kept[gone])
    assert len(memory) == 2


def test_variants_beyond_the_bound_push_out_the_one_kept_first() -> None:
    memory = store()
    for number in range(limits.cache_variants_max + 3):
        memory.put(numbered(1, vary=b"%d" % number))
    assert variants(found(memory, 1)) == [b"%d" % number for number in range(limits.cache_variants_max + 2, 2, -1)]
    assert (len(memory), memory.evictions) == (limits.cache_variants_max, 3)


def test_replaced_one_lives_on_with_who_holds_it() -> None:
    memory, old = store(), numbered(1, 1000)
    memory.put(numbered(1, vary=b"other"))
    memory.put(old)
    memory.put(numbered(1, 10))
    assert (old.length, old.variant, len(memory)) == (1000, None, 2)
    assert memory.bytes_used == sum(
        numbered(1, size, vary=vary).memory_bytes for size, vary in ((100, b"other"), (10, None))
    )


def test_put_of_what_is_there_changes_nothing() -> None:
    memory, stored = store(), numbered(1)
    assert memory.put(stored) and memory.put(stored)
    assert (len(memory), memory.admissions, memory.bytes_used) == (1, 1, stored.memory_bytes)


def test_removed_one_can_be_put_again() -> None:
    memory, stored = store(), numbered(1)
    memory.put(stored)
    memory.remove(stored)
    assert (len(memory), memory.bytes_used, found(memory, 1)) == (0, 0, None)
    assert memory.put(stored)
    assert found(memory, 1) is stored


# --- bounds and eviction ------------------------------------------------------------------------------------------------


def test_put_refuses_what_is_too_large_and_forgets_what_it_replaces() -> None:
    memory = store(80_000)
    assert memory.put(numbered(1, 9_000))
    assert not memory.put(numbered(1, 10_000))
    assert (found(memory, 1), memory.bytes_used, len(memory)) == (None, 0, 0)


def test_bounds_hold_under_a_flood() -> None:
    memory = store(200_000)
    sizes = random.Random(5)
    for number in range(20_000):
        assert memory.put(numbered(number, sizes.randrange(5000)))
        assert memory.bytes_used <= 200_000
        assert found(memory, number) is not None
    assert memory.admissions == memory.evictions + len(memory) == 20_000
    assert sum(found(memory, number) is not None for number in range(20_000)) == len(memory)
    assert memory.bytes_used > 190_000


def test_hot_set_survives_a_scan_of_ten_times_the_capacity() -> None:
    memory, hot = store(1000 * COST), range(500)
    for _ in range(4):
        for number in hot:
            kept = found(memory, number)
            if kept is None:
                memory.put(numbered(number))
            else:
                memory.use(kept)
    for number in range(500, 10_500):
        memory.put(numbered(number))
    lost = sum(found(memory, number) is None for number in hot)
    assert lost <= 500 // limits.cache_sweep_max


def test_one_that_comes_back_after_its_trial_is_kept_longer() -> None:
    memory = store(1000 * COST)
    for number in range(1500):
        memory.put(numbered(number))
    assert found(memory, 10) is None
    memory.put(numbered(10))
    for number in range(1500, 4000):
        memory.put(numbered(number))
    assert found(memory, 10) is not None
    assert found(memory, 1499) is None


def test_oldest_goes_first_among_those_not_used() -> None:
    memory = store(1000 * COST)
    for number in range(1100):
        memory.put(numbered(number))
    assert [found(memory, number) is not None for number in range(1100)] == [False] * 100 + [True] * 1000


def test_eviction_when_everything_is_in_use_ends_early() -> None:
    memory = store(1000 * COST)
    for number in range(1000):
        stored = numbered(number)
        memory.put(stored)
        for _ in range(3):
            memory.use(stored)
    memory.put(numbered(5000))
    assert (len(memory), memory.evictions) == (1000, 1)
    assert found(memory, 5000) is not None


def test_replacement_keeps_its_place_among_those_in_use() -> None:
    memory = store(1000 * COST)
    memory.put(numbered(0))
    for _ in range(3):
        memory.use(found(memory, 0))  # type: ignore[arg-type]
    memory.put(numbered(0))
    for number in range(1, 5000):
        memory.put(numbered(number))
    assert found(memory, 0) is not None


# --- the life of what is kept -------------------------------------------------------------------------------------------


def test_everything_is_let_go_of() -> None:
    body = bytes(bytearray(1000))
    before = sys.getrefcount(body)
    memory = store(100_000)
    for number in range(1000):
        memory.put(make_stored(*HASHES[number % 300], b"key %d" % (number % 300), body=body, vary=b"%d" % (number % 7)))
    assert sys.getrefcount(body) == before + len(memory)
    for number in range(150):
        first = found(memory, number)
        if first is not None:
            memory.remove(first)
    del first
    assert sys.getrefcount(body) == before + len(memory)
    del memory
    assert sys.getrefcount(body) == before


def test_references_are_the_store_s_one_and_no_more() -> None:
    memory, stored = store(), numbered(1)
    before = sys.getrefcount(stored)
    memory.put(stored)
    found(memory, 1)
    assert sys.getrefcount(stored) == before + 1
    memory.put(numbered(1, vary=b"other"))
    found(memory, 1)
    assert sys.getrefcount(stored) == before + 1
    memory.remove(stored)
    assert sys.getrefcount(stored) == before


# --- looking through it ---------------------------------------------------------------------------------------------------


def url(number: int) -> dict[str, int]:
    return {"url_at": 4, "url_size": len(str(number))}


def scanned(memory: MemoryStore, text: bytes, count: int) -> list[Stored]:
    rows, cursor = memory.scan(text, 0, count)
    while cursor:
        more, cursor = memory.scan(text, cursor, count)
        rows += more
    return rows


@pytest.mark.parametrize("count", [1, 100, 10_000_000])
def test_scan_finds_all_of_a_url(count: int) -> None:
    memory = store()
    for number in range(3000):
        memory.put(numbered(number, 0, vary=b"a" if number % 2 else None, **url(number)))
    memory.put(numbered(7, 0, **url(7)))
    memory.put(make_stored(1, 1, b"key 7 part", url_at=4, url_size=1))
    assert sorted((stored.key, stored.vary or b"") for stored in scanned(memory, b"7", count)) == [
        (b"key 7", b""), (b"key 7", b"a"), (b"key 7 part", b""),
    ]  # fmt: skip
    assert scanned(memory, b"absent", count) == scanned(store(), b"7", count) == []


@given(st.integers(0, 2000), st.integers(1, 3000))
@settings(max_examples=30, deadline=None)
def test_scan_finds_once_what_is_there_all_the_while(before: int, step: int) -> None:
    memory, rows, cursor, next_number = store(), [], 0, before
    for number in range(before):
        memory.put(make_stored(*HASHES[number], b"url", url_size=3, vary=b"%d" % number))
    while True:
        more, cursor = memory.scan(b"url", cursor, 2000)
        rows += [stored.vary for stored in more]
        for _ in range(step):
            memory.put(make_stored(*HASHES[next_number], b"url", url_size=3, vary=b"%d" % next_number))
            next_number += 1
        if not cursor:
            break
    assert len(set(rows)) == len(rows)
    assert {b"%d" % number for number in range(before)} <= set(rows)


# --- against a model --------------------------------------------------------------------------------------------------


class AgainstADictionary(RuleBasedStateMachine):
    """Few hashes for many keys, several variants, a small store: chains, gaps and eviction meet all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = store(40 * COST)
        self.model: dict[tuple[bytes, bytes | None], Stored] = {}

    @rule(
        number=st.integers(0, 30),
        hashes=st.integers(1, 4),
        vary=st.sampled_from([None, b"a", b"b"]),
        size=st.integers(0, 900),
    )
    def put(self, number: int, hashes: int, vary: bytes | None, size: int) -> None:
        stored = make_stored(number % hashes, hashes, b"%d of %d" % (number, hashes), body=bytes(size), vary=vary)
        if self.memory.put(stored):
            self.model[stored.key, vary] = stored
        else:
            self.model.pop((stored.key, vary), None)

    @rule(number=st.integers(0, 30), hashes=st.integers(1, 4), uses=st.integers(0, 4))
    def get(self, number: int, hashes: int, uses: int) -> None:
        stored = self.memory.get(number % hashes, hashes, b"%d of %d" % (number, hashes))
        while stored is not None:
            assert self.model[stored.key, stored.vary] is stored
            for _ in range(uses):
                self.memory.use(stored)
            stored = stored.variant

    @rule(choice=st.randoms(use_true_random=False))
    def remove(self, choice: random.Random) -> None:
        if self.model:
            stored = self.model.pop(choice.choice(sorted(self.model, key=str)))
            self.memory.remove(stored)
            assert stored.variant is None

    @rule()
    def flood(self) -> None:
        for number in range(100, 160):
            stored = numbered(number)
            assert self.memory.put(stored)
            self.model[stored.key, None] = stored

    @invariant()
    def nothing_else_is_there(self) -> None:
        assert self.memory.bytes_used <= self.memory.bytes_max
        there = [stored for stored in self.model.values() if self._is_there(stored)]
        assert len(there) == len(self.memory)
        assert sum(stored.memory_bytes for stored in there) == self.memory.bytes_used

    def _is_there(self, stored: Stored) -> bool:
        other = self.memory.get(stored.high, stored.low, stored.key)
        while other is not None and other is not stored:
            other = other.variant
        return other is stored


TestAgainstADictionary = AgainstADictionary.TestCase
