"""The journal of POSTed revocations: what was answered as durable is in force again after a restart.

A line is one request as JSON, so that all of it is there or none. It is appended and synced before the answer. At each
start, and when it has grown to twice its size, the journal is written anew without what is over or was restored. Names
stand in it as they are: the file is its owner's alone.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from fastedge.errors import ConfigError
from fastedge.identity.revocations import Change, Revocation, parse_change
from fastedge.limits import revocation_request_items_max, revocations_journal_bytes_min


class Journal:
    """Where revocations are kept, until `close`. `warn` hears of the first of several failures in a row."""

    def __init__(self, path: Path, lock: int, warn: Callable[[str], None]) -> None:
        self.is_failing = False
        self._path = path
        self._lock = lock
        self._warn = warn
        self._descriptor = -1

    def append(self, change: Change, now_s: float) -> bool:
        """Whether it is on the disk. Blocks."""
        try:
            if self._size > self._size_max:
                self.write_anew(read(self._path, now_s, self._warn))
            if self.is_failing:  # something of the last line may be there
                os.ftruncate(self._descriptor, self._size)
            self._size += _write(self._descriptor, change.to_line(), self._size)
        except (OSError, ConfigError) as error:
            if not self.is_failing:
                self._warn(f"revocations will not survive a restart: {self._path} cannot be written: {_text(error)}")
            self.is_failing = True
            return False
        self.is_failing = False
        return True

    def write_anew(self, revocations: Collection[Revocation]) -> None:
        """From now on these are what it holds. Raises OSError, and then it still holds what it held."""
        new = self._path.with_name(f"{self._path.name}.new")
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            size = 0
            for change in _batches(list(revocations)):
                size += _write(descriptor, change.to_line(), size, sync=False)
            os.fsync(descriptor)
            new.replace(self._path)
        except OSError:
            os.close(descriptor)
            raise
        self._close_file()
        self._descriptor, self._size, self._size_max = descriptor, size, -1
        _sync_directory(self._path.parent)  # until that is done, which of both files a crash leaves is not known
        self._size_max = 2 * size + revocations_journal_bytes_min

    def close(self) -> None:
        self._close_file()
        os.close(self._lock)

    def _close_file(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def open_journal(path: Path, now_s: float, warn: Callable[[str], None]) -> tuple[Journal, Collection[Revocation]]:
    """The journal, and what it holds. Raises ConfigError if it cannot be read or written, or is another instance's."""
    with contextlib.ExitStack() as stack:
        try:
            lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            revocations = read(path, now_s, warn)
            journal = Journal(path, lock, warn)
            journal.write_anew(revocations)
        except BlockingIOError:
            raise ConfigError(f"{path} is in use by another instance of fastedge") from None
        except OSError as error:
            raise ConfigError(f"cannot use {path}: {_text(error)}") from None
        stack.pop_all()
    return journal, revocations


def read(path: Path, now_s: float, warn: Callable[[str], None]) -> Collection[Revocation]:
    """What a journal says is in force. Raises ConfigError for a line that is none, but for a torn one at its end: that
    request was never answered."""
    held: dict[tuple[str, str | None], Revocation] = {}
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            # Blocks that never reached the disk are read as zeros.
            if (not line.endswith(b"\n") or b"\0" in line) and not file.peek(1):
                warn(f"{path}: the last line is torn, and dropped")
                break
            try:
                change = parse_change(line, None)
            except ValueError as why:
                raise ConfigError(f"{path}, line {number}: {why}") from None
            for one in change.revoke:
                held[one.who] = _merged(held.get(one.who), one, now_s)
            for one in change.restore:
                held.pop(one.who, None)
    return [one for one in held.values() if not _is_over(one, now_s)]


def _merged(old: Revocation | None, new: Revocation, now_s: float) -> Revocation:
    """As the table does it: the later "issued before", until the later end."""
    if old is None or _is_over(old, now_s):
        return new
    before = None if new.before_s is None else max(new.before_s, old.before_s or 0)
    until = None if old.until_s is None or new.until_s is None else max(old.until_s, new.until_s)
    return Revocation(new.kind, new.name, before, until)


def _is_over(one: Revocation, now_s: float) -> bool:
    return one.until_s is not None and one.until_s <= now_s


def _batches(revocations: list[Revocation]) -> Iterator[Change]:
    for i in range(0, len(revocations), revocation_request_items_max):
        yield Change(tuple(revocations[i : i + revocation_request_items_max]), ())


def _write(descriptor: int, data: bytes, offset: int, *, sync: bool = True) -> int:
    size = os.pwrite(descriptor, data, offset)
    if size != len(data):
        raise OSError("it was cut short")
    if sync:
        os.fdatasync(descriptor)
    return size


def _sync_directory(directory: Path) -> None:
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _text(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
