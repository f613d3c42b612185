"""What the disk's threads do with records: load, place, renew, delete. Everything here may wait for the disk; the loop
calls none of it."""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from fastedge._core.diskindex import LEAVING, PLACING, DiskIndex, Left, Taken
from fastedge._core.stored import Stored
from fastedge.clock import monotonic, now
from fastedge.disk.body import DiskBody
from fastedge.disk.complaints import Complaints
from fastedge.disk.layout import vary_hash
from fastedge.disk.names import Names, disk_bytes
from fastedge.disk.process import boot_number
from fastedge.disk.record import DamagedRecord, Record, Verified
from fastedge.limits import disk_evict_batch_max, disk_load_now_max, disk_verified_max, inline_body_bytes_max

_EVICTIONS_MAX: Final = 1024  # batches for one response


@dataclass(slots=True)
class Records:
    """The records of one directory. `tier` is what a DiskBody asks for threads."""

    names: Names
    index: DiskIndex
    complaints: Complaints
    tier: Any
    boot: int = field(default_factory=boot_number)
    verified: Verified = field(default_factory=lambda: Verified(disk_verified_max))

    # --- out ------------------------------------------------------------------------------------------------------

    def load(self, high: int, low: int, key: bytes) -> list[Stored]:
        """All whole responses under a key, verified; what is damaged is deleted. A body of more than
        inline_body_bytes_max is a DiskBody."""
        variants = self.index.variants(high, low)
        if not self.index.is_scanned and not variants:
            variants = [(0, 0)]
        loaded = (self._load(high, low, *variant, key) for variant in variants)
        return [stored for stored in loaded if stored is not None]

    def load_now(self, high: int, low: int, key: bytes) -> list[Stored] | None:
        """The same for the loop, as far as no disk is waited for. None: let a thread `load`."""
        variants = self.index.variants(high, low)
        if len(variants) > disk_load_now_max or not (variants or self.index.is_scanned):
            return None
        try:
            return [stored for vary, _ in variants if (stored := self._load_now(high, low, vary, key)) is not None]
        except (OSError, DamagedRecord):
            return None

    def _load_now(self, high: int, low: int, vary: int, key: bytes) -> Stored | None:
        path = self.names.record(high, low, vary)
        record = Record(path, high, low, waits=False)
        if not record.has_key(key):
            return None
        record.verify(self.verified)
        self.index.touch(high, low, vary)
        return record.stored(self._body(record, path), now(), monotonic(), self.boot)

    def _load(self, high: int, low: int, vary: int, stamp: int, key: bytes) -> Stored | None:
        path = self.names.record(high, low, vary)
        try:
            record = Record(path, high, low)
            if not record.has_key(key):
                return None
            record.verify(self.verified)
        except FileNotFoundError:
            if stamp:  # else it was a guess before the scan, and may have come meanwhile
                self.remove(high, low, vary, stamp)
        except DamagedRecord as damage:
            self.damaged(high, low, vary, damage, stamp)
        except OSError as error:
            self.complaints.failed(error)
        else:
            self.index.touch(high, low, vary)
            return record.stored(self._body(record, path), now(), monotonic(), self.boot)
        return None

    def _body(self, record: Record, path: bytes) -> bytes | DiskBody:
        if record.length <= inline_body_bytes_max:
            return record.read(0, record.length)
        body = DiskBody(record, path, self.tier)
        self.tier.opened(body)
        return body

    # --- in -------------------------------------------------------------------------------------------------------

    def place(self, taken: Taken, high: int, low: int, vary: int, size: int) -> bool:
        """Gives a whole temporary file its name, after others have made room for it. False: there is no room."""
        for _ in range(_EVICTIONS_MAX):
            has_room = self.index.place(taken.position, taken.stamp, vary, disk_bytes(size))
            if has_room:
                temporary, name = self.names.temporary(high, low, taken.stamp), self.names.record(high, low, vary)
                os.rename(temporary, name)  # noqa: PTH104 — bytes
                self.index.ready(taken.position, taken.stamp)
                return True
            if has_room is None or not self.evict(disk_bytes(size)):
                return False
        return False

    def freshen(self, old: Stored, new: Stored) -> None:
        """Renews the meta of the record that holds `old`; another one's is left alone. What does not fit is deleted."""
        vary = vary_hash(new.vary)
        try:
            record = Record(self.names.record(new.high, new.low, vary), new.high, new.low, writable=True)
            if record.holds(old) and (old.vary != new.vary or not record.freshen(new, self.boot)):
                self.remove(new.high, new.low, vary)
        except FileNotFoundError:
            self.remove(new.high, new.low, vary)
        except DamagedRecord as damage:
            self.damaged(new.high, new.low, vary, damage)
        except OSError as error:  # half of a renewal may be written: it is not to be believed
            self.complaints.failed(error)
            self.remove(new.high, new.low, vary)

    # --- away -----------------------------------------------------------------------------------------------------

    def evict(self, size: int, count: int = disk_evict_batch_max) -> bool:
        """Deletes a few responses, so that there is room for `size` bytes more. False: there is none to delete."""
        for _ in range(self.index.slots // 50_000 + 2):  # twice around: all may have a second chance
            victims = self.index.victims(count, size)
            self.clear(victims)
            if victims:
                return True
        return False

    def evict_for(self, error: OSError) -> None:
        """A disk that is full before `bytes_max` is reached is as full as it may be."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            self.evict(self.index.bytes_max - self.index.bytes_used * 63 // 64)

    def remove(self, high: int, low: int, vary: int, stamp: int = 0) -> None:
        """Deletes one response, of this stamp alone if one is given."""
        left = self.index.retire(high, low, vary, stamp)
        if left is not None:
            self.clear([left])

    def damaged(self, high: int, low: int, vary: int, damage: DamagedRecord, stamp: int = 0) -> None:
        """Deletes a record that is none, and says so."""
        path = self.names.record(high, low, vary)
        self.index.count_damaged()
        self.complaints.say("damaged", f"cache.disk_path: {os.fsdecode(path)} is damaged, and deleted: {damage}")
        self.remove(high, low, vary, stamp)

    def sweep(self) -> None:
        """Sees to what dead processes were at."""
        self.clear(self.index.abandoned())

    def clear(self, slots: Iterable[Left]) -> None:
        """Deletes the files of slots that are this process's, and then frees these: before that nobody else uses their
        names. One that was being placed may have its name already; then it is whole."""
        for left in slots:
            name = self.names.record(left.high, left.low, left.vary)
            if left.was == LEAVING:
                self.delete(name)
            elif left.was == PLACING and self._is_of(name, left):
                self.index.ready(left.position, left.stamp)
            else:
                self.delete(self.names.temporary(left.high, left.low, left.stamp))
            self.index.release(left.position, left.stamp)

    def _is_of(self, path: bytes, left: Left) -> bool:
        try:
            return Record(path, left.high, left.low).stamp == left.stamp
        except (OSError, DamagedRecord):
            return False

    def delete(self, path: bytes) -> None:
        """A file that may be gone already."""
        try:
            os.unlink(path)  # noqa: PTH108 — bytes
        except FileNotFoundError:
            pass
        except OSError as error:
            self.complaints.failed(error)
