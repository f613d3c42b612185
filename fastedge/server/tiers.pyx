"""The tiers of the store as one: a worker's memory, and the disk that all workers share, if there is one.

Nothing here waits: what the disk has is either had at once, or comes by a callback. What is purged never comes in.
"""

cimport cython

from functools import partial

from fastedge._core.purges cimport HARD, Purges
from fastedge._core.store cimport MemoryStore
from fastedge._core.stored cimport Stored, key_of
from fastedge.disk.body cimport DiskBody
from fastedge.engine cimport Exchange
from fastedge.limits import cache_memory_share
from fastedge.server.observer cimport Observer


@cython.final
cdef class Tiers:
    """`body_max`: bytes of the largest body that the memory tier takes."""

    def __init__(self, MemoryStore store not None, Purges purges not None, *, long long body_max, disk=None, Observer observer=None):
        self.store = store
        self.purges = purges
        self.disk = disk
        self.index = None if disk is None else disk.index
        self.loading = {}
        self.observer = observer
        self.body_max = body_max
        self.arriving_max = body_max * cache_memory_share

    # --- out ----------------------------------------------------------------------------------------------------

    cdef bint load(self, Exchange exchange, object on_loaded) except -1:
        """Has what the disk holds of this key put into the store; False where that is nothing, or not to be had now."""
        if self.index is None or exchange.disk_asked or not self.index.knows(exchange.hash.high, exchange.hash.low):
            return False
        exchange.disk_asked = True
        found = self.disk.load_now(exchange.hash.high, exchange.hash.low, exchange.key)
        if found is not None:
            self._take_in(found)
            on_loaded()
            return True
        waiting = self.loading.get(exchange.key)
        if waiting is not None:
            waiting.append(on_loaded)
            return True
        if not self.disk.load(exchange.hash.high, exchange.hash.low, exchange.key, partial(self._loaded, exchange.key)):
            return False
        self.loading[exchange.key] = [on_loaded]
        return True

    def _loaded(self, bytes key, list found):
        self._take_in(found)
        for on_loaded in self.loading.pop(key, ()):
            on_loaded()

    def _take_in(self, list found):
        """What the disk had, unless it was purged."""
        cdef Stored stored
        for stored in found:
            if self.is_purged(stored):
                self.disk.remove(stored)
            else:
                self.store.keep(stored)

    cdef object claim(self, Exchange exchange):
        """The fetch of this key for one of all workers; None where nobody can be told, or it is not for this exchange."""
        if self.disk is None or exchange.apart:
            return None
        return self.disk.claim(exchange.hash.high, exchange.hash.low)

    # --- in -----------------------------------------------------------------------------------------------------

    cdef long long stored_bytes_max(self) except -1:
        """Bytes of the largest body that either tier takes."""
        return self.body_max if self.disk is None else max(self.body_max, <long long> self.disk.body_bytes_max)

    cdef int keep(self, Stored stored) except -1:
        if self.store.keep(stored) and self.observer is not None:
            self.observer.stored()
        return 0

    def kept_on_disk(self, Stored stored, body):
        """A body too large for the memory tier has its place on the disk, or has found none."""
        if isinstance(body, DiskBody) and not self.is_purged(stored):
            stored.body = body
            self.keep(stored)

    cdef int freshen(self, Stored old, Stored fresh) except -1:
        """What a validation has renewed, on both."""
        self.keep(fresh)
        if self.disk is not None:
            self.disk.freshen(old, fresh)
        return 0

    cdef int drop(self, Stored stored) except -1:
        if stored is not None:
            self.store.drop(stored)
            if self.disk is not None:
                self.disk.remove(stored)
        return 0

    cdef bint is_purged(self, Stored stored) except -1:
        return self.purges.verdict_at(
            stored.facts, stored.names_total, key_of(stored) + stored.url_at, stored.url_size, stored.born
        ) == HARD
