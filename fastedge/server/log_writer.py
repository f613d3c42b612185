"""Takes batches of log lines and writes them from a thread of its own. Must never block the loop nor end the worker.

No line is torn, although many workers write to one place: a regular file is opened for appending and takes a batch in
one write, which the kernel serialises; anything else (a pipe, a terminal, journald's socket) gets whole lines in
writes of at most PIPE_BUF bytes, which are atomic (POSIX write(2)).
"""

import os
import select
import stat
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from fastedge.errors import ConfigError
from fastedge.limits import log_close_timeout_ms, log_queue_bytes_max, log_retry_ms

_STDOUT: Final = 1
_REOPEN: Final = b""  # between batches: whoever rotates the log sees all earlier lines in the old file
_STOP: Final = None


class LogWriter:
    """Writes to "stdout" or appends to a path; made by the worker, after it was forked.

    `count` gets ("log_lines_dropped", n) for lines that had no room, and ("log_write_errors", 1) for each attempt that
    failed; a failed write is repeated until it works. Raises ConfigError, which names `key`, for a path that cannot be
    opened.
    """

    def __init__(self, target: str, count: Callable[[str, int], None], *, key: str = "log.access") -> None:
        self._path = None if target == "stdout" else target
        try:
            self._fd = _STDOUT if self._path is None else _open(self._path)
            self._write_max = _write_bytes_max(self._fd)
        except OSError as error:
            raise ConfigError(f"{key}: {target} cannot be written: {error.strerror}") from None
        self._count = count
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        # two sums with one writer each, so that neither thread ever waits for the other
        self._bytes_taken = 0
        self._bytes_done = 0
        self._torn = False  # a failure left the beginning of a line at the file's end
        self._reopening = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fastedge-log", daemon=True)
        self._thread.start()

    # --- the loop's side: nothing here waits --------------------------------------------------------------------

    @property
    def backlog_bytes(self) -> int:
        """Taken, and not yet written."""
        return self._bytes_taken - self._bytes_done

    def put(self, batch: bytes) -> None:
        """Takes whole lines; those that have no room are dropped and counted."""
        room = 0 if self._closing.is_set() else max(0, log_queue_bytes_max - self.backlog_bytes)
        if len(batch) > room:
            kept = batch[: batch.rfind(b"\n", 0, room) + 1]
            self._count("log_lines_dropped", batch.count(b"\n", len(kept)))
            batch = kept
        if batch:
            self._bytes_taken += len(batch)
            self._queue.put(batch)

    def reopen(self) -> None:
        """Opens the path anew, after all that was taken so far is written; standard output stays as it is."""
        if self._path is not None:
            self._reopening = True
            self._queue.put(_REOPEN)

    def close(self, timeout_ms: int = log_close_timeout_ms) -> bool:
        """Writes what was taken, waiting no longer than `timeout_ms`. False: lines were lost, and counted."""
        self._closing.set()
        self._queue.put(_STOP)
        self._thread.join(timeout_ms / 1000)
        lost = 0
        while True:
            try:
                lost += (self._queue.get_nowait() or b"").count(b"\n")
            except Empty:
                break
        if lost:
            self._count("log_lines_dropped", lost)
        self._queue.put(_STOP)  # that the thread will find, should its last write ever end
        return not self._thread.is_alive() and self._bytes_done == self._bytes_taken

    # --- the thread's side --------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (batch := self._queue.get()) is not _STOP:
            if batch == _REOPEN:
                self._reopen()
            elif self._write(batch):
                self._bytes_done += len(batch)
        if self._path is not None:
            os.close(self._fd)

    def _write(self, batch: bytes) -> bool:
        """Writes all of it, however long that takes; gives up only when closing."""
        position = 0
        while position < len(batch):
            try:
                position += self._write_from(batch, position)
            except BlockingIOError:  # someone else made our standard output non-blocking
                _wait_writable(self._fd, log_retry_ms)
                if not self._closing.is_set():
                    continue
                self._count("log_lines_dropped", batch.count(b"\n", position))
                return False
            except OSError:
                line = batch.rfind(b"\n", 0, position) + 1
                self._torn = self._torn or line != position
                position = line
                self._count("log_write_errors", 1)
                if self._closing.wait(log_retry_ms / 1000):
                    self._count("log_lines_dropped", batch.count(b"\n", position))
                    return False
                self._reopen()
        return True

    def _write_from(self, batch: bytes, position: int) -> int:
        """One write: of all that is left, or of the whole lines that are written at once."""
        end = len(batch)
        if end - position > self._write_max:
            end = batch.rfind(b"\n", position, position + self._write_max) + 1 or batch.index(b"\n", position) + 1
        if self._torn:  # the rest of the torn line would follow another worker's: it is written again, whole
            os.write(self._fd, b"\n")
            self._torn = False
        return os.write(self._fd, memoryview(batch)[position:end])

    def _reopen(self) -> None:
        """Swaps the file if that was asked for. One that cannot be opened leaves the old one in use."""
        if not self._reopening or self._path is None:
            return
        self._reopening = False
        try:
            fd = _open(self._path)
        except OSError:
            self._count("log_write_errors", 1)
            return
        os.close(self._fd)
        self._fd = fd
        self._write_max = _write_bytes_max(fd)
        self._torn = False


def _open(path: str) -> int:
    """Opens for appending. A FIFO without a reader is an error (ENXIO) instead of a wait without end."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640)
    os.set_blocking(fd, True)
    return fd


def _wait_writable(fd: int, timeout_ms: int) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll(timeout_ms)


def _write_bytes_max(fd: int) -> int:
    """What one write may hold so that no other process's bytes come in between."""
    return sys.maxsize if stat.S_ISREG(os.fstat(fd).st_mode) else select.PIPE_BUF
