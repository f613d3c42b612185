"""A worker's disk tier on a loop that only turns when a test waits, and responses to put into it."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import uvloop
import xxhash

from fastedge._core.stored import Stored, make_stored
from fastedge.clock import monotonic, now
from fastedge.disk.directory import SharedIndex
from fastedge.disk.follow import End
from fastedge.disk.tier import DiskTier
from fastedge.limits import disk_threads

PATIENCE_S = 30.0
FACTS = (
    *("high", "low", "key", "vary", "status", "head", "length", "received_us", "received_s", "initial_age_s"),
    *("lifetime_s", "stale_while_revalidate_s", "stale_if_error_s", "flags", "names", "url_at", "url_size", "born"),
)


def response(url: bytes = b"http://a/", body: Any = b"hello", *, seed: int = 0, **facts: object) -> Stored:
    """A response whose every attribute has a value of its own."""
    key = b"GET:" + url
    hash128 = xxhash.xxh3_128_intdigest(key, seed)
    options = {
        "length": getattr(body, "length", None) or len(body), "received_us": monotonic(), "received_s": now(), "initial_age_s": 1.5, "lifetime_s": 60.0,
        "stale_while_revalidate_s": 5.0, "stale_if_error_s": 7.0, "flags": 37, "names": b"12345678abcdefgh", "url_at": 4,
        "url_size": len(url), "born": 99, "head": b"content-type: text/plain\r\n", "status": 203,
    }  # fmt: skip
    return make_stored(hash128 >> 64, hash128 & (1 << 64) - 1, key, body=body, **{**options, **facts})


def facts_of(stored: Stored) -> dict[str, object]:
    return {name: getattr(stored, name) for name in FACTS}


class Desk:
    """One worker's. One `beside` another shares its index, and its loop, so that both turn."""

    def __init__(self, directory: Path, disk_mb: int = 64, beside: "Desk | None" = None, **options: int) -> None:
        self.directory = directory
        self.warnings: list[str] = []
        self.loop = beside.loop if beside else uvloop.new_event_loop()
        self.failures: list[object] = []
        self.loop.set_exception_handler(lambda loop, context: self.failures.append(context))
        self.shared = beside.shared if beside else SharedIndex(disk_mb)
        self.is_first = beside is None
        self.tier = DiskTier(directory, self.shared.buffer, self.loop, self.warnings.append, **options)

    def until(self, condition: object, patience_s: float = PATIENCE_S) -> None:
        """Turns the loop until the condition holds."""

        async def wait() -> None:
            deadline = time.monotonic() + patience_s
            while not condition():
                assert time.monotonic() < deadline, "it does not come"
                await asyncio.sleep(0.001)

        self.loop.run_until_complete(wait())

    def scanned(self) -> "Desk":
        self.until(lambda: self.tier.index.is_scanned)
        return self

    def store(self, stored: Stored, pieces: int = 1) -> object:
        """Puts a response on disk: what its writer said in the end."""
        writer = self.tier.begin(stored)
        assert writer is not None
        said: list[object] = []
        size = max(1, -(-len(stored.body) // pieces))
        for start in range(0, len(stored.body), size):
            writer.write(stored.body[start : start + size])
            if pieces > 1:
                self.loop.run_until_complete(asyncio.sleep(0.002))
        writer.finish(stored, said.append)
        self.until(lambda: said)
        return said[0]

    def load(self, stored: Stored) -> list[Stored]:
        """What is on disk under the key of this response."""
        loaded: list[list[Stored]] = []
        assert self.tier.load(stored.high, stored.low, stored.key, loaded.append)
        self.until(lambda: loaded)
        return loaded[0]

    def settle(self) -> None:
        """Until the threads have done what was asked of them."""
        done: list[object] = []
        together = threading.Barrier(disk_threads)  # each thread takes one of these, when it is through with all else
        for _ in range(disk_threads):
            self.tier.run(lambda: together.wait(PATIENCE_S), done.append, is_urgent=True)
        self.until(lambda: len(done) == disk_threads)

    def files(self) -> list[Path]:
        return sorted(path for path in self.directory.glob("??/*") if path.is_file())

    def close(self) -> None:
        assert self.tier.close()
        self.loop.run_until_complete(asyncio.sleep(0))
        if self.is_first:
            self.loop.close()
            self.shared.close()
        assert self.failures == []


class Listener:
    """What a follower saw."""

    def __init__(self) -> None:
        self.heads: list[Stored] = []
        self.data = b""
        self.end: End | None = None

    def followed_head(self, stored: Stored) -> None:
        assert not self.heads
        self.heads.append(stored)

    def followed_data(self, data: bytes) -> None:
        assert self.heads
        self.data += data

    def followed_end(self, end: End) -> None:
        assert self.end is None
        self.end = end
