"""What the disk tier costs: the look into the index that every miss in memory pays; in a thread, a load and a store.

Files are in the page cache throughout: a cold disk is another machine's business. `--benchmark-enable` measures.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
import xxhash

from fastedge._core.diskindex import DiskIndex
from fastedge._core.stored import Stored, make_stored
from fastedge.disk.body import DiskBody
from fastedge.disk.directory import SharedIndex
from fastedge.disk.growing import GrowingFile
from fastedge.disk.scanning import scan
from fastedge.disk.tier import DiskTier

HEAD = b'content-type: text/html\r\ncache-control: max-age=60\r\netag: "abcdef"\r\nlast-modified: yesterday\r\n'
RECORDS = 100_000


def response(number: int, size: int) -> Stored:
    key = b"GET:http://shop.example/%d" % number
    hash128 = xxhash.xxh3_128_intdigest(key)
    return make_stored(hash128 >> 64, hash128 & (1 << 64) - 1, key, head=HEAD, body=os.urandom(size), length=size)


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[DiskTier]:
    loop = uvloop.new_event_loop()
    shared = SharedIndex(4096)
    made = DiskTier(tmp_path, shared.buffer, loop, print)
    while not made.index.is_scanned:
        pass
    yield made
    made.close()
    loop.close()
    shared.close()


def store(tier: DiskTier, stored: Stored) -> Any:
    taken = tier.index.begin(stored.high, stored.low)
    assert taken is not None
    return GrowingFile(tier.records, stored, taken, False).advance([stored.body], stored)  # type: ignore[list-item]


@pytest.mark.parametrize("records", [1_000, 100_000, 1_000_000])
def test_knows(benchmark: Any, records: int) -> None:
    """Through Python; half of the keys are there. µs per 1,000."""
    shared = SharedIndex(8192)
    index = DiskIndex(shared.buffer, 1, lambda owner: True)
    keys = [divmod(xxhash.xxh3_128_intdigest(b"%d" % number), 1 << 64) for number in range(records)]
    for high, low in keys:
        index.insert(high, low, 0, 4096)
    index.end_scan()
    step = records // 1000
    asked = [key for high, low in keys[::step][:500] for key in ((high, low), (high ^ 1, low))]

    def run() -> int:
        return sum(index.has(high, low) for high, low in asked)

    assert benchmark(run) == 500
    shared.close()


@pytest.mark.parametrize("size", [1024, 65536])
def test_load(benchmark: Any, tier: DiskTier, size: int) -> None:
    """In the thread, from the name to a verified response."""
    stored = response(1, size)
    assert store(tier, stored)
    (loaded,) = benchmark(tier.records.load, stored.high, stored.low, stored.key)
    assert loaded.length == size


@pytest.mark.parametrize("size", [1024, 65536])
def test_load_now(benchmark: Any, tier: DiskTier, size: int) -> None:
    """On the loop, of what is in the kernel's memory."""
    stored = response(1, size)
    assert store(tier, stored)
    (loaded,) = benchmark(tier.load_now, stored.high, stored.low, stored.key)
    assert loaded.length == size


@pytest.mark.parametrize("size", [1024, 65536])
def test_load_through_the_loop(benchmark: Any, tier: DiskTier, size: int) -> None:
    """As a request sees it: from the loop to the thread and back."""
    stored = response(1, size)
    assert store(tier, stored)

    def run() -> None:
        tier.load(stored.high, stored.low, stored.key, lambda loaded: tier.loop.stop())
        tier.loop.run_forever()

    benchmark(run)


@pytest.mark.parametrize("size", [1024, 65536])
def test_store(benchmark: Any, tier: DiskTier, size: int) -> None:
    """In the thread, another response each time."""
    for number in range(256):
        folder = tier.names.record(number << 56, 0, 0).decode().rpartition("/")[0]
        Path(folder).mkdir(exist_ok=True)
    numbers = iter(range(1_000_000))
    benchmark.pedantic(store, setup=lambda: ((tier, response(next(numbers), size)), {}), rounds=1000)
    assert tier.index.entries == 1000 or benchmark.disabled


def test_send_64_kb_from_the_file(benchmark: Any, tier: DiskTier) -> None:
    """On the loop: what is in memory looked up and handed to a socket, beside the bare bytes below."""
    stored = response(1, 65536)
    body = store(tier, stored)
    assert isinstance(body, DiskBody)
    _send(benchmark, lambda fd: body.send(fd, 0, 65536))


def test_send_64_kb_of_bytes(benchmark: Any) -> None:
    data = os.urandom(65536)
    _send(benchmark, lambda fd: os.write(fd, data))


def _send(benchmark: Any, send: Any) -> None:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    ours.setblocking(False)
    fd, room = ours.fileno(), bytearray(65536)

    def drain() -> None:
        taken = 0
        while taken < 65536:
            taken += theirs.recv_into(room)

    def run() -> None:
        assert send(fd) == 65536
        drain()

    benchmark(run)
    ours.close()
    theirs.close()


def test_scan(benchmark: Any, tier: DiskTier, tmp_path: Path) -> None:
    """RECORDS files (1,000 unless measured), their names in the page cache."""
    for number in range(256):
        (tmp_path / f"{number:02x}").mkdir(exist_ok=True)
    total = 1_000 if benchmark.disabled else RECORDS
    for number in range(total):
        (tmp_path / f"{number % 256:02x}" / f"{number % 256:02x}{number:030x}-{0:016x}").touch()
    benchmark.pedantic(scan, args=(tier.records, lambda: False), rounds=1)
    assert tier.index.entries == total
