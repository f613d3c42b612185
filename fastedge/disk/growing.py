"""The file that a response grows in until it is whole. For the disk's threads, one at a time."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from fastedge._core.diskindex import Taken
from fastedge._core.stored import Stored
from fastedge.disk.body import DiskBody
from fastedge.disk.checksum import Checksum
from fastedge.disk.layout import RECORD_HEAD_BYTES, record_block, record_start, vary_hash
from fastedge.disk.record import Record
from fastedge.disk.records import Records
from fastedge.limits import inline_body_bytes_max


class GrowingFile:
    """Nothing is on disk before the first `advance`. An OSError leaves it to be discarded."""

    def __init__(self, records: Records, stored: Stored, taken: Taken, is_claimed: bool) -> None:
        self._records = records
        self._stored = stored
        self._taken = taken
        self._is_claimed = is_claimed
        self._path = records.names.temporary(stored.high, stored.low, taken.stamp)
        self._checksum = Checksum()
        self._length = 0
        self._block_bytes = 0
        self._fd = -1

    def advance(self, pieces: Sequence[bytes], final: Stored | None) -> DiskBody | bool:
        """Appends to the body. With `final` that was the end: the answer is the body, True for a small one, or False
        for a response that is not stored after all."""
        for piece in pieces:
            self._checksum.update(piece)
        body = None if final is None else self._checksum.digest()
        if self._fd < 0:
            start, self._block_bytes = record_start(final or self._stored, self._taken.stamp, self._records.boot, body)
            self._fd = _create(self._path)
            pieces = [start, *pieces]
            self._length -= len(start)
            is_whole = body is not None
        else:
            is_whole = False
        self._append(pieces)
        if final is None:
            self._show()
            return False
        return self._finish(final, None if is_whole else body)

    def discard(self) -> None:
        """Deletes it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._records.delete(self._path)

    def _append(self, pieces: Sequence[bytes]) -> None:
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._length += len(data)

    def _show(self) -> None:
        """Lets followers see what there is."""
        index, (position, stamp, _) = self._records.index, self._taken
        index.grow(position, stamp, self._length)
        if self._is_claimed:
            index.announce(position, stamp)

    def _finish(self, final: Stored, body: tuple[int, int] | None) -> DiskBody | bool:
        if final.length != self._length:
            raise AssertionError(f"{self._length} bytes were written of a body of {final.length}")
        if body is not None:
            block = record_block(final, self._block_bytes, 2, self._records.boot, body)
            if block is None:
                self.discard()
                return False
            os.pwrite(self._fd, block, RECORD_HEAD_BYTES + self._block_bytes)
        start_bytes = RECORD_HEAD_BYTES + 2 * self._block_bytes
        vary = vary_hash(final.vary)
        made = self._body(final, vary)
        if not self._records.place(self._taken, final.high, final.low, vary, start_bytes + self._length):
            self.discard()
            return False
        os.close(self._fd)
        self._fd = -1
        return made

    def _body(self, final: Stored, vary: int) -> DiskBody | bool:
        if self._length <= inline_body_bytes_max:
            return True
        record = Record(self._path, final.high, final.low)
        record.mark_verified(self._records.verified)
        body = DiskBody(record, self._records.names.record(final.high, final.low, vary), self._records.tier)
        self._records.tier.opened(body)
        return body


def _create(path: bytes) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        folder = Path(os.fsdecode(path)).parent
        if not folder.parent.is_dir():
            raise OSError(errno.ENOENT, "the directory is gone") from None
        folder.mkdir(mode=0o700, exist_ok=True)
        return os.open(path, flags, 0o600)
