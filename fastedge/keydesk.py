"""Fetched keys in a worker: one place for each source, whatever generation uses it. The supervisor fetches, this asks.

A flood of tokens with unknown `kid`s costs one question in a set time; all who wait are woken by its answer.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

from fastedge._core.keyslot import KeySlot
from fastedge.clock import monotonic
from fastedge.config.keysources import KeySource
from fastedge.errors import ConfigError
from fastedge.identity.keys import KeySet
from fastedge.limits import keys_early_s, keys_wait_ms, keys_waiters_max

log = logging.getLogger("fastedge")

Step = Callable[[], Coroutine[Any, Any, None]]


class Place:
    """The slot of one source, and who waits for newer keys in it. Times are monotonic microseconds."""

    def __init__(self, renew: Callable[["Place"], Step | None]) -> None:
        self.slot = KeySlot(renew=lambda: renew(self))
        self.looked = asyncio.Event()  # the answer to the last question is there
        self.asked_us = 0
        self.quiet_us = 0  # nobody asks before
        self.waiting = 0

    def put(self, data: bytes | None) -> None:
        """Equal keys are not swapped: what was verified by them stays remembered."""
        try:
            keys = None if data is None else KeySet.from_jwks(data, fetched=True)
        except ConfigError as error:  # the supervisor has read the same
            log.error("fetched keys cannot be read: %s", error)
            return
        now = self.slot.keys
        if keys is None or now is None or keys.fingerprint != now.fingerprint:
            self.slot.swap(keys)


class KeyDesk:
    """`sets` are those that there were when this process was started, by the id of their source. `ask` is called to
    have the supervisor look for newer ones.

    `slot` may be called in any thread, all else on the loop.
    """

    def __init__(self, sets: Mapping[str, bytes]) -> None:
        self.ask: Callable[[str], None] = lambda id: None
        self._places: dict[str, Place] = {}
        for id, data in sets.items():
            self.fetched(id, data)

    def slot(self, source: KeySource) -> KeySlot:
        """The place of a source's keys, also where there are none yet."""
        return self._place(source.id).slot

    def keep(self, ids: Iterable[str]) -> None:
        """Only these are in use from now on."""
        for id in self._places.keys() - set(ids):
            del self._places[id]

    # --- what the supervisor says -------------------------------------------------------------------------------

    def fetched(self, id: str, data: bytes | None) -> None:
        """What a source's keys are now; None: there are none any more."""
        self._place(id).put(data)

    def looked(self, id: str, pause_ms: int) -> None:
        """Newer keys are there by now, or there are none; nobody need ask again before the pause is over."""
        place = self._places.get(id)
        if place is not None:
            place.quiet_us = monotonic() + pause_ms * 1000
            place.looked.set()

    # --- unknown keys -------------------------------------------------------------------------------------------

    def _place(self, id: str) -> Place:
        return self._places.setdefault(id, Place(partial(self._renew, id)))

    def _renew(self, id: str, place: Place) -> Step | None:
        """As KeySlot.renew: a step that ends when the supervisor has looked, or None where it need not be asked."""
        now_us = monotonic()
        if now_us >= place.quiet_us:
            place.asked_us, place.quiet_us = now_us, now_us + keys_early_s * 1_000_000
            place.looked = asyncio.Event()
            self.ask(id)
        elif place.looked.is_set() or now_us >= place.asked_us + keys_wait_ms * 1000:
            return None
        return partial(_wait, place, place.looked) if place.waiting < keys_waiters_max else None


async def _wait(place: Place, looked: asyncio.Event) -> None:
    place.waiting += 1
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(looked.wait(), keys_wait_ms / 1000)
    finally:
        place.waiting -= 1
