"""The data plane of one process: listening sockets, client connections, pools of origin connections, the tick.

It obeys: `start`, `commit` a prepared generation, `drain`. Who tells it so is not its business.
"""

import asyncio
import inspect
import logging
import os
import socket
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from fastedge._core.metrics import Metrics, extend_origins
from fastedge._core.purges import Purges
from fastedge._core.store import MemoryStore
from fastedge.assembly import Prepared
from fastedge.clock import monotonic, steady
from fastedge.config.schema import Cache
from fastedge.disk.tier import DiskTier
from fastedge.handover import private_purges
from fastedge.inspection import StoredObject
from fastedge.limits import (
    cache_heads_bytes_min,
    cache_memory_share,
    listen_backlog,
    metrics_origins_max,
    stage_error_chars_max,
    stage_errors_logged_a_second_max,
    step_niceness,
    step_threads,
    tick_ms,
)
from fastedge.origin.connector import Connector, make_pool
from fastedge.origin.pool import Pool
from fastedge.server.connection import ClientConnection
from fastedge.server.flight import Flights
from fastedge.server.front import Front
from fastedge.server.inspector import objects_on_disk, stored_objects
from fastedge.server.observer import Observer
from fastedge.server.tiers import Tiers
from fastedge.server.timers import Timers

log = logging.getLogger("fastedge")


class Worker:
    """`observer` counts and logs finished requests, and its slot of the shared mapping is where a running hook leaves
    its mark; `on_tick` is called every `tick_ms`. `origins` are the names that have counters
    already, by their index. `purges` is the host's table; left out, one of its own.
    `disk` is the tier that all workers share, if there is one."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        prepared: Prepared,
        *,
        observer: Observer | None = None,
        on_tick: Callable[[int], None] | None = None,
        origins: tuple[str, ...] = (),
        purges: Purges | None = None,
        disk: DiskTier | None = None,
    ) -> None:
        self._loop = loop
        self._observer = observer
        self._on_tick = on_tick
        self.origins = origins
        self._timers = Timers()
        self._connector = Connector(loop, self._timers)
        self._servers: list[asyncio.AbstractServer] = []
        self._evictions = 0  # counted already
        self._steps: set[asyncio.Future[Any]] = set()  # what stages wait for
        self._errors = _StageErrors()
        # On Linux a thread is nice by itself: where processors are short, the loop's requests come first.
        self._threads = ThreadPoolExecutor(step_threads, "fastedge-step", os.nice, (step_niceness,))
        purges = private_purges() if purges is None else purges
        store = _make_store(prepared.config.cache, disk)
        self.disk = disk
        self.front = Front(
            self._connector.side,
            self._timers,
            server=prepared.config.server,
            perform=self._perform,
            report=self._errors.report,
            observer=observer,
            store=store,
            purges=purges,
            flights=None if store is None else self._flights(store, purges, prepared.config.cache),
        )
        self.front.pools = {}
        self.commit(prepared)

    def _flights(self, store: MemoryStore, purges: Purges, cache: Cache) -> Flights:
        body_max = (cache.memory_mb << 20) // cache_memory_share
        tiers = Tiers(store, purges, body_max=body_max, disk=self.disk, observer=self._observer)
        return Flights(tiers, report=self._errors.report, observer=self._observer)

    # --- a generation -------------------------------------------------------------------------------------------

    def commit(self, prepared: Prepared) -> None:
        """From the next request on `prepared` decides. Unchanged origins keep their connections; nothing is closed
        under a request in flight."""
        kept, made = {}, {}
        for name, origin in prepared.config.origins.items():
            pool = self.front.pools.get(name)
            if pool is not None and pool.options == origin:
                kept[name] = pool
            else:
                authorities = prepared.sources.files.get(origin.tls_ca_file) if origin.tls_ca_file else None
                made[name] = make_pool(name, origin, authorities)
        self.origins = extend_origins(self.origins, prepared.config.origins)
        for name, pool in (kept | made).items():
            pool.index = self.origins.index(name)
        gone = {name: pool for name, pool in self.front.pools.items() if name not in kept}
        if self._observer is not None:
            prepared.set_marker(self._observer.metrics.address_of("marker"))
        self.prepared = prepared
        self.front.configure(prepared.config.server)
        self.front.trust = prepared.trust
        self.front.take_geo_from(prepared.config.geo.ip_override)
        self.front.pools = {**kept, **made}
        self.front.engine = prepared.engine
        if self.front.flights is not None:
            self.front.flights.unkeyed = prepared.config.cache.unkeyed
        self._connector.retire(gone)

    @property
    def pools(self) -> dict[str, Pool]:
        return self.front.pools

    # --- life ---------------------------------------------------------------------------------------------------

    async def start(self, sockets: Iterable[socket.socket]) -> None:
        """Accepts on listening sockets that someone else has opened and keeps."""
        self._tick()
        for listening in sockets:
            serve = self._loop.create_unix_server if listening.family == socket.AF_UNIX else self._loop.create_server
            server = await serve(lambda: ClientConnection(self.front), sock=listening, backlog=listen_backlog)
            self._servers.append(server)

    async def drain(self, timeout_s: float) -> bool:
        """Accepts no more, lets what is in flight end. False when the time ran out and connections were cut."""
        for server in self._servers:
            server.close()
        self.front.drain()
        deadline = self._loop.time() + timeout_s
        while self.front.connections and self._loop.time() < deadline:
            await asyncio.sleep(tick_ms / 1000)
        drained = not self.front.connections
        if self.front.flights is not None:
            self.front.flights.abandon()
        if self.disk is not None:
            self.disk.close()
        for connection in list(self.front.connections):
            connection.abort()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for step in self._steps:
            step.cancel()
        await self._connector.close(self.front.pools)
        await asyncio.sleep(0)
        return drained

    async def inspect(self, url: str, *, with_disk: bool) -> list[StoredObject]:
        """What is stored for this URL, which is in its normal form."""
        if self.front.store is None:
            return []
        found = await stored_objects(self.front.store, self.front.purges, url, steady())
        if with_disk and self.disk is not None:
            found += await objects_on_disk(self.disk, self.front.engine, self.front.purges, url, steady())
        return found

    # --- what the front asks for --------------------------------------------------------------------------------

    def _perform(self, step: Callable[[], Any], callback: Callable[[Any], None]) -> None:
        """A Wait's step: an `async def` on the loop, any other in a thread. Its answer, or the exception that it
        raised, goes to `callback`; when the worker ends it is cut off."""
        future: asyncio.Future[Any]
        if inspect.iscoroutinefunction(step):
            future = self._loop.create_task(step())
        else:
            future = self._loop.run_in_executor(self._threads, step)
        self._steps.add(future)
        future.add_done_callback(partial(self._performed, callback))

    def _performed(self, callback: Callable[[Any], None], done: asyncio.Future[Any]) -> None:
        self._steps.discard(done)
        if not done.cancelled():
            callback(done.exception() or done.result())

    def _tick(self) -> None:
        self._loop.call_later(tick_ms / 1000, self._tick)
        now_us = monotonic()
        if self._on_tick is not None:
            self._on_tick(now_us)
        self._timers.tick(now_us)
        if self._observer is not None:
            self._count_connections(self._observer.metrics)
            self._count_stored(self._observer.metrics)
            self._observer.flush()

    def _count_connections(self, metrics: Metrics) -> None:
        """Open connections to each origin; the origins beyond metrics_origins_max share the last cell."""
        counts = [0] * min(len(self.origins), metrics_origins_max + 1)
        for pool in self.front.pools.values():
            counts[min(pool.index, metrics_origins_max)] += sum(server.connections for server in pool.servers)
        for index, count in enumerate(counts):
            metrics.set("origin_connections_open", count, origin=index)

    def _count_stored(self, metrics: Metrics) -> None:
        store = self.front.store
        if store is not None:
            metrics.set("cache_bytes", store.bytes_used)
            metrics.set("cache_objects", store.entries)
            metrics.count("cache_evictions", store.evictions - self._evictions)
            self._evictions = store.evictions


def _make_store(cache: Cache, disk: DiskTier | None) -> MemoryStore | None:
    """A worker's own tier, which also holds the heads of what is on disk; without either nothing is stored."""
    bytes_max = cache.memory_mb << 20
    if disk is not None:
        bytes_max = max(bytes_max, cache_heads_bytes_min)
    return MemoryStore(bytes_max, os.urandom(16)) if bytes_max else None


class _StageErrors:
    """A stage's errors in the error log, with the policy's traceback; bounded, since a broken stage breaks often."""

    def __init__(self) -> None:
        self._second = 0
        self._logged = 0
        self._hidden = 0

    def report(self, failure: Exception) -> None:
        second = monotonic() // 1_000_000
        if second != self._second:
            if self._hidden:
                log.error("%d more stage errors in that second", self._hidden)
            self._second, self._logged, self._hidden = second, 0, 0
        if self._logged >= stage_errors_logged_a_second_max:
            self._hidden += 1
            return
        self._logged += 1
        frames = traceback.format_tb(failure.__cause__.__traceback__) if failure.__cause__ is not None else []
        log.error("%s", "\n".join([_printable(str(failure)), *(frame.rstrip() for frame in frames)]))


def _printable(text: str) -> str:
    """An exception may repeat what a client said: one line, no control characters, bounded."""
    shown = text[:stage_error_chars_max].encode("unicode_escape").decode("ascii")
    return shown if len(text) <= stage_error_chars_max else f"{shown}…"
