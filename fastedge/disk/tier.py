"""The disk tier as a worker's loop sees it. Nothing here waits for the disk: what does is done in the tier's threads,
and what they have no time for is not done at all."""

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastedge._core.diskindex import DiskIndex
from fastedge._core.stored import Stored
from fastedge.clock import monotonic
from fastedge.disk.body import DiskBody
from fastedge.disk.complaints import Complaints, Warn
from fastedge.disk.follow import Claim, End, Follow
from fastedge.disk.layout import vary_hash
from fastedge.disk.names import Names
from fastedge.disk.process import is_alive, this_owner
from fastedge.disk.record import DamagedRecord
from fastedge.disk.records import Records
from fastedge.disk.scanning import scan
from fastedge.disk.threads import DiskThreads
from fastedge.disk.writer import Writer
from fastedge.limits import disk_follow_poll_ms, disk_open_files_max, disk_open_idle_ms, disk_retry_ms, disk_share


class DiskTier:
    """One worker's hold on the directory. `buffer` is a mapping of the SharedIndex's descriptor; `warn` takes a line
    for the operator, from any thread."""

    def __init__(
        self, directory: str | Path, buffer: object, loop: asyncio.AbstractEventLoop, warn: Warn, *, owner: int = 0
    ) -> None:
        self.loop = loop
        self.names = Names(Path(directory))
        self.index = DiskIndex(buffer, owner or this_owner(), is_alive)
        self.threads = DiskThreads(loop)
        self.complaints = Complaints(str(directory), warn)
        self.records = Records(self.names, self.index, self.complaints, self)
        self.body_bytes_max = self.index.bytes_max // disk_share
        self._writers: set[Writer] = set()
        self._follows: list[Follow] = []
        self._open_bodies: deque[weakref.ref[DiskBody]] = deque()
        self._retry_us = 0
        self._is_closing = False
        self._begin()

    def _begin(self) -> None:
        self.run(self.records.sweep, self._unless_failed)
        self._rest()
        if self.index.begin_scan():
            arguments = self.records, lambda: self._is_closing
            threading.Thread(target=scan, args=arguments, name="fastedge-disk-scan", daemon=True).start()

    # --- out ------------------------------------------------------------------------------------------------------

    def knows(self, high: int, low: int) -> bool:
        """Whether it is worth asking; no system call. From Cython: `index.knows`."""
        return self.index.has(high, low)

    def load_now(self, high: int, low: int, key: bytes) -> list[Stored] | None:
        """Every whole response under this key, if they are in the kernel's memory and their bodies small or verified.
        None: `load` them."""
        loaded = self.records.load_now(high, low, key)
        self._trim()
        return loaded

    def load(self, high: int, low: int, key: bytes, on_loaded: Callable[[list[Stored]], None]) -> bool:
        """`on_loaded` gets every whole response under this key. False: the threads are busy, and nothing is called."""

        def loaded(result: list[Stored] | Exception) -> None:
            self._trim()
            on_loaded([] if isinstance(result, Exception) else result)
            self._unless_failed(result)

        return self.run(lambda: self.records.load(high, low, key), loaded)

    # --- in -------------------------------------------------------------------------------------------------------

    def begin(self, stored: Stored) -> Writer | None:
        """Takes a response whose head has come, for nobody to follow. None: not now."""
        if not self.may_write(stored):
            return None
        taken = self.index.begin(stored.high, stored.low)
        self._tidy()
        return None if taken is None else self.add(Writer(self, stored, taken, is_claimed=False))

    def claim(self, high: int, low: int) -> Claim | None:
        """The fetch of this key by one of all workers. None: none can be told of it now; fetch alone."""
        if self._is_closing or monotonic() < self._retry_us:
            return None
        taken = self.index.claim(high, low)
        self._tidy()
        return None if taken is None else Claim(self, high, low, taken)

    def freshen(self, old: Stored, new: Stored) -> bool:
        """What a validation has renewed is renewed on disk too, where that still is `old`. False: not now."""
        return self.run(lambda: self.records.freshen(old, new), self._unless_failed)

    def remove(self, stored: Stored) -> bool:
        """It is not to be used any more. False: not now."""
        high, low, vary = stored.high, stored.low, vary_hash(stored.vary)
        left = self.index.retire(high, low, vary)  # at once, for all workers
        return left is None or self.run(lambda: self.records.clear([left]), self._unless_failed, is_urgent=True)

    def close(self) -> bool:
        """What is being written is lost; what was handed over whole is placed. False: the disk did not answer."""
        self._is_closing = True
        self._resting.cancel()
        for follow in self._follows:
            follow.end(End.LOST)
        for writer in list(self._writers):
            writer.abort()
        return self.threads.close()

    # --- for the parts --------------------------------------------------------------------------------------------

    def run(self, job: Callable[[], Any], on_done: Callable[[Any], None], *, is_urgent: bool = False) -> bool:
        return self.threads.run(job, on_done, is_urgent=is_urgent)

    def add(self, writer: Writer) -> Writer:
        self._writers.add(writer)
        return writer

    def ended(self, writer: Writer) -> None:
        self._writers.discard(writer)
        self._trim()

    def failed(self, error: Exception) -> None:
        """A thread came back with this. After an error of the disk nothing is written for a while."""
        if isinstance(error, OSError):
            self.complaints.failed(error)
            self._retry_us = monotonic() + disk_retry_ms * 1000
            self.run(lambda: self.records.evict_for(error), self._unless_failed, is_urgent=True)
        elif not isinstance(error, DamagedRecord):
            self.loop.call_exception_handler({"message": "an error in the disk tier", "exception": error})

    def opened(self, body: DiskBody) -> None:
        """From a thread: this one holds a descriptor now."""
        self._open_bodies.append(weakref.ref(body))

    def follow_along(self, follow: Follow) -> None:
        if not self._follows:
            self.loop.call_later(disk_follow_poll_ms / 1000, self._poll)
        self._follows.append(follow)

    # --- below ----------------------------------------------------------------------------------------------------

    def may_write(self, stored: Stored) -> bool:
        return not self._is_closing and stored.length <= self.body_bytes_max and monotonic() >= self._retry_us

    def _tidy(self) -> None:
        if self.index.displaced:
            displaced = self.index.displaced[:]
            self.index.displaced.clear()
            self.run(lambda: self.records.clear(displaced), self._unless_failed, is_urgent=True)

    def _unless_failed(self, result: object) -> None:
        if isinstance(result, Exception):
            self.failed(result)

    def _poll(self) -> None:
        now_us = monotonic()
        for follow in self._follows:
            follow.poll(now_us)
        self._follows = [follow for follow in self._follows if not follow.has_ended]
        if self._follows:
            self.loop.call_later(disk_follow_poll_ms / 1000, self._poll)

    def _rest(self) -> None:
        """Now and then: bodies that were not sent since the last time give up their files."""
        self._resting = self.loop.call_later(disk_open_idle_ms / 1000, self._rest)
        self._close_unused(len(self._open_bodies))

    def _trim(self) -> None:
        """More must be closed earlier, the oldest first."""
        self._close_unused(2 * (len(self._open_bodies) - disk_open_files_max))

    def _close_unused(self, count: int) -> None:
        for _ in range(min(count, len(self._open_bodies))):
            reference = self._open_bodies.popleft()
            body = reference()
            if body is not None and not body.close_if_unused():
                self._open_bodies.append(reference)
