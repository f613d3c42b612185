from collections.abc import Callable
from typing import final

from fastedge._core.purges import Purges
from fastedge._core.store import MemoryStore
from fastedge._core.stored import Stored
from fastedge.disk.body import DiskBody
from fastedge.disk.follow import End
from fastedge.disk.tier import DiskTier
from fastedge.origin.fetch import FetchListener
from fastedge.server.observer import Observer

class FlightListener(FetchListener): ...

@final
class Flight(FetchListener):
    def followed_head(self, stored: Stored, /) -> None: ...
    def followed_data(self, data: bytes, /) -> None: ...
    def followed_end(self, end: End, /) -> None: ...

@final
class Reader: ...

@final
class Flights:
    def __init__(
        self,
        store: MemoryStore,
        purges: Purges,
        /,
        *,
        report: Callable[[Exception], None],
        observer: Observer | None = None,
        body_max: int,
        tier: DiskTier | None = None,
    ) -> None: ...
    tier: DiskTier | None
    held: int
    unkeyed: str
    def kept_on_disk(self, key: bytes, stored: Stored, body: DiskBody | bool) -> None: ...
    def stored_bytes_max(self) -> int: ...
    def freshen(self, old: Stored, fresh: Stored) -> None: ...
    def abandon(self) -> None: ...
    def __len__(self) -> int: ...
