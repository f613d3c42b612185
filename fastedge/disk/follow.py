"""A fetch of this host that others wait for: whoever claims it leads, the others read along in the file that grows.

A follower looks at the shared index every few milliseconds, which is no system call, and has a thread read what has
come. It never waits for a leader that is dead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from fastedge._core.diskindex import FETCHING, GROWING, PLACING, UNSHAREABLE, Taken
from fastedge._core.stored import Stored
from fastedge.clock import monotonic, now
from fastedge.disk.checksum import Checksum
from fastedge.disk.record import Record
from fastedge.disk.writer import Writer
from fastedge.limits import disk_leader_check_ms, disk_window_bytes

if TYPE_CHECKING:
    from fastedge.disk.tier import DiskTier


class End(Enum):
    FINISHED = "finished"  # all of it was seen, and it is on disk
    UNSHAREABLE = "unshareable"  # go on alone, and do not wait for the next one either
    LOST = "lost"  # the leader died or gave up: claim again, if nothing was seen yet


class Listener(Protocol):
    """Called on the loop: the head once, then data, then the end once. Its length is -1 where that is not known yet."""

    def followed_head(self, stored: Stored) -> None: ...
    def followed_data(self, data: bytes) -> None: ...
    def followed_end(self, end: End) -> None: ...


class Claim:
    """A fetch that is going on. The leader calls `begin` or `release`, once; a follower `follow`, or nothing."""

    def __init__(self, tier: DiskTier, high: int, low: int, taken: Taken) -> None:
        self._tier = tier
        self._key = high, low
        self._taken = taken
        self.is_leader = taken.is_new

    def begin(self, stored: Stored) -> Writer | None:
        """The head has come: the others see it, and read along what the writer is given. None: it cannot be stored, and
        the others go on alone."""
        assert self.is_leader, "a follower writes nothing"
        if not self._tier.may_write(stored):
            self.release(unshareable=True)
            return None
        return self._tier.add(Writer(self._tier, stored, self._taken, is_claimed=True))

    def release(self, *, unshareable: bool = False) -> None:
        """Nothing comes of it: the others may claim it, or with `unshareable` are told to go on alone."""
        assert self.is_leader, "a follower holds nothing"
        self._tier.index.release(self._taken.position, self._taken.stamp, unshareable)

    def follow(self, listener: Listener) -> Follow:
        """Tells `listener` of everything from the head on."""
        assert not self.is_leader, "a leader follows nobody"
        follow = Follow(self._tier, *self._key, self._taken, listener)
        self._tier.follow_along(follow)
        return follow


class Follow:
    """One follower. `poll` is called every disk_follow_poll_ms until it has ended."""

    def __init__(self, tier: DiskTier, high: int, low: int, taken: Taken, listener: Listener) -> None:
        self._tier = tier
        self._key = high, low
        self._taken = taken
        self._listener = listener
        self._record: Record | None = None
        self._checksum = Checksum()
        self._offset = 0  # of the body: seen so far
        self._is_working = False
        self._is_paused = False
        self._check_us = monotonic() + disk_leader_check_ms * 1000
        self.has_ended = False

    def pause(self) -> None:
        """The listener takes no more for the moment."""
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False

    def cancel(self) -> None:
        """The listener is to hear nothing any more."""
        self.has_ended = True

    def poll(self, now_us: int) -> None:
        if self._is_working or self._is_paused or self.has_ended:
            return
        state, size, _ = self._tier.index.watch(self._taken.position, self._taken.stamp)
        if state == UNSHAREABLE:
            self.end(End.UNSHAREABLE)
        elif state == GROWING and (self._record is None or size > self._offset):
            self._run(lambda: self._read_on(size))
        elif FETCHING <= state <= PLACING:
            self._look_after(now_us)
        else:  # it is whole, or gone: the file says which
            self._run(self._read_end)

    def end(self, end: End) -> None:
        if not self.has_ended:
            self.has_ended = True
            self._listener.followed_end(end)

    # --- in a thread ----------------------------------------------------------------------------------------------

    def _read_on(self, size: int) -> list[Stored | bytes | End]:
        seen: list[Stored | bytes | End] = []
        if self._record is None:
            self._record = self._open()
            if self._record is None:
                return seen  # just between two names: the next poll finds it, or that it is gone
            stored = self._record.stored(None, now(), monotonic(), self._tier.records.boot)
            if stored is None:
                return [End.LOST]
            seen.append(stored)
        count = min(size - self._offset, disk_window_bytes)
        if count > 0:
            data = self._record.read(self._offset, count)
            self._checksum.update(data)
            self._offset += len(data)
            seen.append(data)
        return seen

    def _read_end(self) -> list[Stored | bytes | End]:
        """What is left of a whole record, or a part of it; LOST where there is no whole one."""
        if self._record is not None:
            self._record.refresh()
        seen = self._read_on(0)
        if self._record is None or not self._record.is_complete:
            return [End.LOST]
        seen += self._read_on(self._record.length)
        if self._offset == self._record.length:
            whole = self._checksum.digest() == self._record.body_checksum
            seen.append(End.FINISHED if whole else End.LOST)
        return seen

    def _open(self) -> Record | None:
        """The file of this very fetch, under the name that it grows in, or one that it has taken since."""
        for path in self._paths():
            try:
                record = Record(path, *self._key)
            except FileNotFoundError:
                continue
            if record.stamp == self._taken.stamp:
                return record
        return None

    def _paths(self) -> Iterator[bytes]:
        names, (high, low) = self._tier.names, self._key
        yield names.temporary(high, low, self._taken.stamp)
        for vary, _ in self._tier.index.variants(high, low):  # asked once it was not under the first name any more
            yield names.record(high, low, vary)

    # --- on the loop ----------------------------------------------------------------------------------------------

    def _run(self, job: Callable[[], list[Stored | bytes | End]]) -> None:
        self._is_working = self._tier.threads.run(job, self._saw)  # if all are busy: with the next poll

    def _saw(self, seen: list[Stored | bytes | End] | Exception) -> None:
        self._is_working = False
        if isinstance(seen, Exception):
            self._tier.failed(seen)
            seen = [End.LOST]
        for one in seen:
            if self.has_ended:
                return
            if isinstance(one, End):
                self.end(one)
            elif isinstance(one, Stored):
                self._listener.followed_head(one)
            else:
                self._listener.followed_data(one)

    def _look_after(self, now_us: int) -> None:
        """A leader that says nothing may be slow, or dead."""
        if now_us < self._check_us:
            return
        self._check_us = now_us + disk_leader_check_ms * 1000
        self._run(self._reclaim)

    def _reclaim(self) -> list[Stored | bytes | End]:
        """Takes the slot of a dead leader, so that it can be claimed again."""
        left = self._tier.index.reclaim(self._taken.position, self._taken.stamp)
        if left is None:
            return []
        self._tier.records.clear([left])
        return [End.LOST]
