from typing import final

from fastedge._core.purges import Purges
from fastedge._core.store import MemoryStore
from fastedge._core.stored import Stored
from fastedge.disk.body import DiskBody
from fastedge.disk.tier import DiskTier
from fastedge.server.observer import Observer

@final
class Tiers:
    store: MemoryStore
    purges: Purges
    disk: DiskTier | None
    arriving: int
    def __init__(
        self,
        store: MemoryStore,
        purges: Purges,
        /,
        *,
        body_max: int,
        disk: DiskTier | None = None,
        observer: Observer | None = None,
    ) -> None: ...
    def kept_on_disk(self, stored: Stored, body: DiskBody | bool) -> None: ...
