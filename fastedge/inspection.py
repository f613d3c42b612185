"""What is stored for one URL, asked of all workers at once: a row of an answer, and how the answers are gathered."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from fastedge.limits import cache_inspected_bytes_max


class StoredObject(Struct, frozen=True, kw_only=True):
    """One stored response, for people."""

    key: str
    status: int
    age_s: float
    ttl_s: float  # what is left of its freshness lifetime; below 0: stale for so long
    state: Literal["fresh", "stale", "purged"]
    vary: Mapping[str, str]
    tags: tuple[str, ...]
    bytes: int
    tier: Literal["memory", "disk"]
    etag: str | None


def bounded(objects: Iterable[StoredObject]) -> tuple[tuple[StoredObject, ...], bool]:
    """As many as one message may hold, and whether these are all."""
    kept: list[StoredObject] = []
    room = cache_inspected_bytes_max
    for stored in objects:
        room -= len(msgspec.json.encode(stored))
        if room < 0:
            return tuple(kept), False
        kept.append(stored)
    return tuple(kept), True


class Inspection:
    """The answers of these workers. `done` is set when each has answered or ended."""

    def __init__(self, slots: Iterable[int]) -> None:
        self.slots = tuple(slots)
        self.done = asyncio.Event()
        self._missing = set(self.slots)
        self._rows: dict[int, Mapping[str, Any]] = {}
        self._tell()

    def answered(self, slot: int, objects: tuple[StoredObject, ...], is_complete: bool) -> None:
        rows = [msgspec.to_builtins(stored) for stored in objects]
        self._rows[slot] = {"worker": slot, "objects": rows, "complete": is_complete}
        self._missing.discard(slot)
        self._tell()

    def lost(self, slot: int) -> None:
        """A worker has ended before it could answer, and what it stored with it."""
        self._missing.discard(slot)
        self._tell()

    def workers(self) -> list[Mapping[str, Any]]:
        """A row for each worker that was asked; one without an answer is named too."""
        return [self._rows.get(slot, {"worker": slot, "error": "no answer"}) for slot in self.slots]

    def _tell(self) -> None:
        if not self._missing:
            self.done.set()
