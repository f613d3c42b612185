"""The disk's own threads: whatever may wait for the disk runs here, and the loop hears of it when it is done."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

from fastedge.limits import disk_close_timeout_ms, disk_jobs_max, disk_threads

Job = Callable[[], Any]
OnDone = Callable[[Any], None]

_STOP: Final = None


class DiskThreads:
    """`run` a job, and its result (or the exception that it raised) goes to `on_done` on the loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, count: int = disk_threads, jobs_max: int = disk_jobs_max
    ) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[tuple[Job, OnDone] | None] = SimpleQueue()
        self._jobs_max = jobs_max
        self._done: deque[tuple[OnDone, Any]] = deque()
        self._is_told = False  # the loop knows that something is done
        self._is_closed = False
        self._threads = [threading.Thread(target=self._work, name="fastedge-disk", daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def run(self, job: Job, on_done: OnDone, *, is_urgent: bool = False) -> bool:
        """False: too much is waiting already, and the job is not taken. An urgent one, which cleans up, always is."""
        if self._is_closed or (not is_urgent and self._jobs.qsize() >= self._jobs_max):
            return False
        self._jobs.put((job, on_done))
        return True

    def close(self, timeout_ms: int = disk_close_timeout_ms) -> bool:
        """Does what was taken, waiting no longer than `timeout_ms`; nobody hears of it. False: not all is done."""
        self._is_closed = True
        for _ in self._threads:
            self._jobs.put(_STOP)
        for thread in self._threads:
            thread.join(timeout_ms / 1000)
        self._done.clear()
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (taken := self._jobs.get()) is not _STOP:
            job, on_done = taken
            try:
                result = job()
            except Exception as error:
                result = error
            self._done.append((on_done, result))
            del taken, job, on_done, result  # a thread that waits keeps nothing alive
            if not self._is_told and not self._is_closed:
                self._is_told = True
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._is_told = False  # before the first look: whatever comes after it tells again
        while self._done:
            on_done, result = self._done.popleft()
            on_done(result)
