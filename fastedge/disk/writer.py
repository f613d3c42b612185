"""A response on its way to the disk, as the loop sees it: it gives, and never waits. A disk that is too slow, or fails,
costs the store this response, and the client nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastedge._core.diskindex import Taken
from fastedge._core.stored import Stored
from fastedge.disk.body import DiskBody
from fastedge.disk.growing import GrowingFile
from fastedge.limits import disk_write_bytes_max, disk_write_full_bytes

if TYPE_CHECKING:
    from fastedge.disk.tier import DiskTier

OnDone = Callable[[DiskBody | bool], None]


class Writer:
    """`write` the body's bytes, then `finish` or `abort`. Made by DiskTier.begin or Claim.begin; whatever happens, it
    ends its slot of the index."""

    def __init__(self, tier: DiskTier, stored: Stored, taken: Taken, is_claimed: bool) -> None:
        self._tier = tier
        self._taken = taken
        self._file = GrowingFile(tier.records, stored, taken, is_claimed)
        self._pieces: list[bytes] = []
        self._pending_bytes = 0  # taken, and not yet written
        self._length = 0
        self._final: Stored | None = None
        self._on_done: OnDone | None = None
        self._is_working = False  # a thread is at it
        self._has_begun = False
        self._is_open = True
        self._unshareable = False
        self.on_drained: Callable[[], None] | None = None  # called once, when it is no longer full
        tier.loop.call_soon(self._go_on)  # a small response is whole by then, and takes one turn of a thread

    @property
    def is_open(self) -> bool:
        """Whether it takes more."""
        return self._is_open and self._final is None

    @property
    def is_full(self) -> bool:
        """Whether the disk should be waited for, a while, before it is given more."""
        return self._pending_bytes > disk_write_full_bytes

    def write(self, data: bytes) -> bool:
        """The next bytes of the body. False: this response is not going to be stored."""
        if not self.is_open:
            return False
        self._length += len(data)
        self._pending_bytes += len(data)
        if self._pending_bytes > disk_write_bytes_max or self._length > self._tier.body_bytes_max:
            self.abort(unshareable=True)
            return False
        self._pieces.append(data)
        self._tier.loop.call_soon(self._go_on)
        return True

    def finish(self, stored: Stored, on_done: OnDone | None = None) -> None:
        """The body is whole, and this is the response. `on_done` gets its body on disk, True for a small one, or False
        where it was not stored."""
        self._on_done = on_done
        if not self.is_open or stored.length != self._length:
            self.abort()
            if not self._is_working:
                self._report(False)
            return
        self._final = stored
        self._tier.loop.call_soon(self._go_on)

    def abort(self, *, unshareable: bool = False) -> None:
        """Nothing is stored. With `unshareable`, those who follow are told to go on alone, each for itself."""
        if not self._is_open:
            return
        self._is_open = False
        self._unshareable = unshareable
        self._pieces.clear()
        if not self._is_working:
            self._give_up()

    def _go_on(self) -> None:
        if self._is_working or not self._is_open:
            return
        if self._has_begun and not self._pieces and self._final is None:
            return
        pieces, self._pieces, final = self._pieces, [], self._final
        written = self._pending_bytes

        def advanced(result: DiskBody | bool | Exception) -> None:
            self._pending_bytes -= written
            self._advanced(final, result)
            self._tell_drained()

        self._is_working = self._tier.threads.run(lambda: self._file.advance(pieces, final), advanced)
        self._has_begun = True
        if not self._is_working:
            self.abort(unshareable=True)

    def _advanced(self, final: Stored | None, result: DiskBody | bool | Exception) -> None:
        self._is_working = False
        if isinstance(result, Exception):
            self._tier.failed(result)
            self._is_open, self._unshareable, result = False, True, False
        if final is not None:
            self._is_open = False
            if result is False:
                self._give_up()
            else:
                self._tier.ended(self)
                self._report(result)
        elif not self._is_open:
            self._give_up()
        else:
            self._go_on()

    def _tell_drained(self) -> None:
        if self.on_drained is not None and not self.is_full:
            drained, self.on_drained = self.on_drained, None
            drained()

    def _give_up(self) -> None:
        self._pieces.clear()
        self._pending_bytes = 0  # it takes nothing any more, and nobody is to wait for that
        self._tier.index.release(self._taken.position, self._taken.stamp, self._unshareable)
        self._tier.threads.run(self._file.discard, _nothing, is_urgent=True)
        self._tier.ended(self)
        self._tell_drained()
        self._report(False)

    def _report(self, result: DiskBody | bool) -> None:
        on_done, self._on_done = self._on_done, None
        if on_done is not None:
            on_done(result)


def _nothing(_: object) -> None:
    pass
