"""Geo tables in a worker: one place for each source, whatever generation uses it. The supervisor compiles them."""

import mmap
import os
from collections.abc import Iterable

from fastedge._core.geotable import GeoSlot, GeoTable
from fastedge.config.geosource import GeoSource
from fastedge.geo.countries import COUNTRIES


class GeoDesk:
    """`slot` may be called in any thread, all else on the loop."""

    def __init__(self, id: str, descriptor: int) -> None:
        self._slots: dict[str, GeoSlot] = {}
        self.compiled(id, descriptor)

    def slot(self, source: GeoSource) -> GeoSlot:
        """The place of a source's table, which the supervisor has sent before any configuration that needs it."""
        return self._slots[source.id]

    def compiled(self, id: str, descriptor: int) -> None:
        """A source's table is another one now; requests that are under way keep theirs. Takes the descriptor."""
        table = GeoTable(mmap.mmap(descriptor, 0, mmap.MAP_SHARED, mmap.PROT_READ), COUNTRIES, is_shared=True)
        os.close(descriptor)
        slot = self._slots.get(id)
        if slot is None:
            self._slots[id] = GeoSlot(table)
        else:
            slot.swap(table)

    def keep(self, ids: Iterable[str]) -> None:
        """Only these are in use from now on."""
        for id in self._slots.keys() - set(ids):
            del self._slots[id]
