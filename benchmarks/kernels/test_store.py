"""What the memory tier costs, µs per 1,000 calls, a Python call in each: finding, keeping, keeping in another's place.

Keys come as new objects, as they come off the wire, and are asked for at random, so that a large store pays for its
cache misses: the worst there is, since what is asked often stays near.
"""

import gc
import random
from collections.abc import Iterator
from typing import Any

import pytest
import xxhash

from fastedge._core.fields import Fields
from fastedge._core.store import MemoryStore
from fastedge._core.stored import Stored, make_stored
from fastedge._core.storedhead import stored_fields, stored_head, stored_value

POOL = 1_000
SEED = bytes(range(16))
HEAD = stored_head(
    Fields({
        "date": "Mon, 23 Nov 2026 12:00:00 GMT", "content-type": "text/html", "cache-control": "max-age=3600",
        "last-modified": "Sun, 22 Nov 2026 12:00:00 GMT", "etag": '"5f3c-61a2"', "server": "app",
    })
)  # fmt: skip
BODY = bytes(1000)
CHANCE = random.Random(7)


def question(number: int) -> tuple[int, int, bytes]:
    key = b"4:http12:shop.example4:main16:/products/%07d" % number
    return *divmod(xxhash.xxh3_128_intdigest(key), 1 << 64), key


def stored(number: int) -> Stored:
    return make_stored(*question(number), 200, HEAD, BODY, names=bytes(16))


@pytest.fixture(scope="module", params=[1_000, 100_000, 1_000_000], ids=lambda entries: f"{entries:,}")
def filled(request: Any) -> Iterator[MemoryStore]:
    store = MemoryStore(1 << 34, SEED)
    for number in CHANCE.sample(range(request.param), request.param):
        store.put(stored(number))
    assert len(store) == request.param
    yield store
    del store


@pytest.fixture(scope="module")
def full() -> MemoryStore:
    store = MemoryStore(50_000 * stored(0).memory_bytes, SEED)
    for number in range(60_000):
        store.put(stored(number))
    assert store.evictions == 10_000
    return store


def measure(benchmark: Any, call: Any, make: Any, rounds: int = 300) -> None:
    """`call` on 1,000 things of `make`, made outside the measurement."""

    def run(things: list[Any]) -> None:
        for thing in things:
            call(*thing)

    benchmark.pedantic(run, setup=lambda: (([make() for _ in range(POOL)],), {}), rounds=rounds)


@pytest.mark.benchmark(group="find in a store")
def test_find_what_is_there(benchmark: Any, filled: MemoryStore) -> None:
    before = filled.misses
    measure(benchmark, filled.get, lambda: question(CHANCE.randrange(len(filled))))
    assert filled.misses == before


@pytest.mark.benchmark(group="find in a store")
def test_find_what_is_not_there(benchmark: Any, filled: MemoryStore) -> None:
    before = filled.hits
    measure(benchmark, filled.get, lambda: question(CHANCE.randrange(2_000_000, 9_000_000)))
    assert filled.hits == before


@pytest.mark.benchmark(group="find in a store")
def test_find_in_a_dictionary(benchmark: Any) -> None:
    table = {question(number)[2]: number for number in range(1_000_000)}
    measure(benchmark, lambda high, low, key: table[key], lambda: question(CHANCE.randrange(1_000_000)))


@pytest.mark.benchmark(group="keep in a store")
def test_keep(benchmark: Any) -> None:
    store, numbers = MemoryStore(1 << 34, SEED), iter(range(10_000_000))
    measure(benchmark, store.put, lambda: (stored(next(numbers)),))
    assert store.evictions == 0


@pytest.mark.benchmark(group="keep in a store")
def test_keep_where_another_must_go(benchmark: Any, full: MemoryStore) -> None:
    numbers, before = iter(range(100_000, 10_000_000)), full.evictions
    measure(benchmark, full.put, lambda: (stored(next(numbers)),))
    assert full.evictions >= before + POOL


@pytest.mark.benchmark(group="a million stored responses")
def test_collection_beside_a_store(benchmark: Any, filled: MemoryStore) -> None:
    benchmark.pedantic(gc.collect, rounds=5)


@pytest.mark.benchmark(group="a million stored responses")
def test_slice_of_a_scan(benchmark: Any, filled: MemoryStore) -> None:
    """Of 10,000 slots: how long one step of GET /v1/cache holds the loop."""
    cursor = 0

    def step() -> None:
        nonlocal cursor
        _, cursor = filled.scan(b"http://shop.example/absent", cursor, 10_000)

    benchmark.pedantic(step, rounds=50)


@pytest.mark.benchmark(group="head of a stored response")
def test_write_head(benchmark: Any) -> None:
    fields = stored_fields(HEAD)
    assert benchmark(stored_head, fields) == HEAD


@pytest.mark.benchmark(group="head of a stored response")
def test_read_head(benchmark: Any) -> None:
    assert len(benchmark(stored_fields, HEAD)) == 6


@pytest.mark.benchmark(group="head of a stored response")
def test_read_one_value(benchmark: Any) -> None:
    assert benchmark(stored_value, HEAD, "etag") == b'"5f3c-61a2"'
