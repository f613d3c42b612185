"""The parent process: keeps the sockets, the shared counters and the last good sources; carries out what the table of
workers asks for. Never executes a policy, never touches a client's byte."""

import asyncio
import contextlib
import itertools
import os
import random
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fastedge._core.diskindex import DiskIndex
from fastedge._core.metrics import Metrics, extend_origins
from fastedge.clock import monotonic, now
from fastedge.config import EdgeConfig, Sources
from fastedge.config.geosource import geo_source
from fastedge.config.keysources import key_sources
from fastedge.config.problems import Problem
from fastedge.config.schema import Cache
from fastedge.config.sizes import workers_of
from fastedge.control import (
    Abort,
    Commit,
    Committed,
    Drain,
    ExperimentsSet,
    Failed,
    FromWorker,
    Inspect,
    Inspected,
    KeysWanted,
    Prepare,
    Prepared,
    Ready,
    Reopen,
    Start,
)
from fastedge.disk.directory import DirectoryLock, SharedIndex
from fastedge.handover import SealedSources, SharedMetrics, SharedPurges, seal_keys
from fastedge.inspection import Inspection
from fastedge.limits import (
    cache_inspection_ms_max,
    keys_start_timeout_ms,
    supervisor_gap_ms_max,
    supervisor_tick_ms,
)
from fastedge.purge_file import PurgeFile, open_purges
from fastedge.revocation_list import for_workers
from fastedge.server.prometheus import render
from fastedge.supervisor.experiments import Experiments
from fastedge.supervisor.fetching import fetch_keys
from fastedge.supervisor.geography import Geography, compile_apart
from fastedge.supervisor.listeners import Listeners
from fastedge.supervisor.providers import Providers
from fastedge.supervisor.revoking import Revoker
from fastedge.supervisor.table import Kill, Reason, Spawn, State, WorkerTable
from fastedge.supervisor.vote import Vote
from fastedge.supervisor.workers import WorkerProcess, exit_text

EXIT_OK, EXIT_FAILED, EXIT_CONFIG = 0, 1, 2

Say = Callable[[str], None]


class Supervisor:
    """Made on a running loop; `serve` gives the exit status. `say` takes lines for the operator.

    Raises ConfigError for an address that cannot be listened on, or a directory that cannot be had.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sources: Sources, config: EdgeConfig, say: Say) -> None:
        count = workers_of(config, len(os.sched_getaffinity(0)))
        self.disk = DiskDirectory(config.cache) if config.cache.disk_path else None
        self.listeners = Listeners("server.listen", config.server.listen, count)
        self.config = config
        self.revoker = Revoker(config, sources, say)
        self.sealed = SealedSources(for_workers(config, sources), 1)
        self.experiments = Experiments(
            config, sources, tell=lambda settings: self.tell(self._workers, ExperimentsSet(settings)), say=say
        )
        self.table = WorkerTable(count)
        self.metrics = SharedMetrics(count)
        self._own_metrics = Metrics(self.metrics.buffer, count)
        self.count = self._own_metrics.count
        self.providers = Providers(
            fetch_keys,
            tell=lambda message: self.tell(self._workers, message),
            count=self.count,
            say=say,
            now_s=lambda: monotonic() / 1_000_000,
            chance=random.random,
        )
        self.geography = Geography(
            compile_apart,
            file=sources.file,
            base=sources.base,
            tell=lambda message, descriptor: self.tell(self._workers, message, descriptor),
            count=self.count,
            say=say,
            now_ms=_now_ms,
            now_s=now,
        )
        self.purges = SharedPurges()
        self.purge_file = _open_purge_file(config, self.purges, say)
        self.metric_origins = extend_origins((), config.origins)
        self.started_ms = _now_ms()
        self.changed = asyncio.Event()  # something came from a worker: for a reload that waits
        self.uncommitted: set[int] = set()
        self.vote: Vote | None = None
        self._voters: dict[int, WorkerProcess] = {}
        self._inspections: dict[int, Inspection] = {}
        self._inspection_numbers = itertools.count()
        self.has_started = False
        self.on_start: Callable[[], None] = lambda: None
        self.on_tick: Callable[[int], None] = lambda now_us: None
        self._say = say
        self._loop = loop
        self._workers: dict[int, WorkerProcess] = {}
        self._kills: dict[int, Reason] = {}
        self._exit: asyncio.Future[int] = loop.create_future()
        self._exit_status = EXIT_OK
        self._ticked_ms = self.started_ms

    async def serve(self) -> int:
        """Runs the workers until told to stop, and until the last of them is gone."""
        try:
            await self._compile_first()
            await self._fetch_first()
            self._tick()
            return await self._exit
        finally:
            self.providers.close()
            self.geography.close()
            self.listeners.close()
            self.sealed.close()
            self.metrics.close()
            self.purges.close()
            self.revoker.close()
            self.experiments.close()
            if self.purge_file is not None:
                self.purge_file.close()
            if self.disk is not None:
                self.disk.close()

    async def _compile_first(self) -> None:
        """The geo table, without which no worker starts; whoever is told to stop meanwhile need not wait for it."""
        beginning = self._loop.create_task(self.geography.begin(geo_source(self.config)))
        ends: set[asyncio.Future[Any]] = {beginning, self._exit}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if self._exit.done():
            beginning.cancel()
        await asyncio.gather(beginning, return_exceptions=self._exit.done())

    async def _fetch_first(self) -> None:
        """So that the first request finds keys; a provider that is down is waited for a while, and not longer."""
        fetches = self.providers.begin(key_sources(self.config, self.sealed.sources))
        if fetches:
            ends: set[asyncio.Future[Any]] = {asyncio.gather(*fetches, return_exceptions=True), self._exit}
            timeout_s = keys_start_timeout_ms / 1000
            await asyncio.wait(ends, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)

    # --- what the outside asks for ------------------------------------------------------------------------------

    def stop(self) -> None:
        """The first time: end what is in flight, within server.drain_timeout_ms. The second time: end."""
        if self.table.stopping:
            self._say("told to stop again: connections are cut")
            self._exit_status = max(self._exit_status, EXIT_FAILED)
            self._kill_all()
            return
        self._say("stopping: requests in flight may finish")
        self.table.stopping = True
        self.listeners.close()
        for slot in self.table.of_state(State.STARTING):
            self._workers[slot].kill()
        self.replace(self.table.of_state(State.READY))
        self._end_if_empty()

    def reopen_logs(self) -> None:
        self.tell(self._workers, Reopen())

    def render_metrics(self) -> bytes:
        figures = {**self.revoker.figures(), **self.providers.figures(), **self.geography.figures()}
        if self.disk is not None:
            figures.update(self.disk.figures())
        for name, value in figures.items():
            self._own_metrics.set(name, value)
        return render(self.metrics.buffer, self.metric_origins, self.experiments.figures())

    def status(self) -> dict[str, Any]:
        """What /v1/status shows."""
        now_ms = _now_ms()
        return {
            "generation": self.sealed.generation,
            "uptime_s": (now_ms - self.started_ms) // 1000,
            "listeners": self.listeners.names,
            "draining": self.table.stopping,
            "reloading": self.vote is not None,
            "keys": self.providers.status(),
            "geo": self.geography.status(),
            "workers": [
                {
                    "worker": slot,
                    "pid": row.pid or None,
                    "state": row.state.value,
                    "generation": row.generation,
                    "in_state_s": (now_ms - row.since_ms) // 1000,
                    "restarts": row.restarts,
                }
                for slot, row in enumerate(self.table.rows)
            ],
        }

    async def inspect(self, url: str) -> list[Mapping[str, Any]]:
        """What each worker that serves has stored for this URL, and the disk; bounded in time."""
        number = next(self._inspection_numbers)
        inspection = self._inspections[number] = Inspection(self.table.of_state(State.READY))
        for slot in inspection.slots:
            self.tell([slot], Inspect(number, url, with_disk=slot == inspection.slots[0]))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(inspection.done.wait(), cache_inspection_ms_max / 1000)
        del self._inspections[number]
        return inspection.workers()

    # --- what a reload needs ------------------------------------------------------------------------------------

    def propose(self, sealed: SealedSources, config: EdgeConfig) -> Vote:
        """Asks every worker that serves whether it can go over to this generation."""
        self.metric_origins = extend_origins(self.metric_origins, config.origins)
        self._voters = {slot: self._workers[slot] for slot in self.table.of_state(State.READY)}
        self.vote = Vote(sealed.generation, self._voters)
        self.tell(self._voters, Prepare(sealed.generation, self.metric_origins), sealed.descriptor)
        return self.vote

    def adopt(self, vote: Vote, sealed: SealedSources, config: EdgeConfig) -> None:
        """All could: from here on the new generation is the one, for these workers and for all that come after them."""
        before, self.sealed, self.config, self.vote = self.sealed, sealed, config, None
        before.close()
        self.providers.adopt()
        self.experiments.adopt()
        self.geography.adopt()
        # A worker that has ended since it voted is not told, nor is another one in its slot.
        voters = [slot for slot, worker in self._voters.items() if self._workers.get(slot) is worker]
        self.uncommitted = set(voters)
        for slot in voters:
            self._commit(slot, vote.generation, vote.hooks[slot])
        for slot in self.table.of_state(State.READY):
            if slot not in self.uncommitted:
                self._catch_up(slot)

    def reject(self, vote: Vote) -> None:
        self.vote = None
        self.tell([slot for slot in vote.slots if slot in self._workers], Abort(vote.generation))

    def tell(self, slots: Iterable[int], message: Any, descriptor: int | None = None) -> None:
        for slot in slots:
            self._workers[slot].channel.send(message, descriptor)

    def replace(self, slots: Iterable[int]) -> None:
        """Has workers end in peace; unless everything stops, others take their slots."""
        for slot in list(slots):
            self.table.draining(slot, _now_ms(), self.config.server.drain_timeout_ms)
            self.tell([slot], Drain())

    # --- the workers --------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._loop.call_later(supervisor_tick_ms / 1000, self._tick)
        now_ms = _now_ms()
        if now_ms - self._ticked_ms > supervisor_gap_ms_max:
            self.table.slept(now_ms)
        self._ticked_ms = now_ms
        self._act()
        self.providers.tick()
        self.experiments.tick(now_ms, self.config, self.sealed.sources)
        self.geography.tick()
        self.on_tick(now_ms * 1000)

    def _act(self) -> None:
        """Does what the table of workers asks for."""
        heartbeats = [self.metrics.worker(slot).heartbeat_ns // 1_000_000 for slot in range(len(self.table.rows))]
        for action in list(self.table.actions(_now_ms(), heartbeats)):
            match action:
                case Spawn(slot):
                    self._spawn(slot)
                case Kill(slot, pid, reason):
                    self._say(f"worker {slot} (pid {pid}) is killed: {reason.value}{self._culprit(slot, reason)}")
                    self._kills[slot] = reason
                    self._workers[slot].kill()

    def _spawn(self, slot: int) -> None:
        sealed, keys = self.sealed, seal_keys(self.providers.sets())
        start = partial(
            Start,
            slot,
            sealed.generation,
            sources=sealed.descriptor,
            keys=keys,
            geo=self.geography.held.compiled.descriptor,
            geo_id=self.geography.held.source.id,
            metrics=self.metrics.descriptor,
            purges=self.purges.descriptor,
            revocations=self.revoker.descriptor,
            exposures=self.experiments.descriptor,
            disk=self.disk.descriptor if self.disk else None,
            purge_file=self.purge_file.descriptor if self.purge_file else None,
            listeners=self.listeners.descriptors(slot),
            metric_origins=self.metric_origins,
        )
        try:
            worker = WorkerProcess(self._loop, start, partial(self._heard, slot), partial(self._ended, slot))
        except OSError as error:
            self._say(f"worker {slot} cannot be started: {(error.strerror or str(error)).lower()}")
            self.table.spawned(slot, 0, sealed.generation, _now_ms())
            self.table.ended(slot, _now_ms(), is_success=False)
            return
        finally:
            os.close(keys)
        self._workers[slot] = worker
        if self.experiments.told is not None:
            self.tell([slot], ExperimentsSet(self.experiments.told))
        self.table.spawned(slot, worker.pid, sealed.generation, _now_ms())

    def _heard(self, slot: int, message: FromWorker) -> None:
        match message:
            case Ready(generation, hooks):
                self._workers[slot].hooks[generation] = hooks
                self._ready(slot, generation)
            case Failed(problems):
                self._failed(slot, problems)
            case Prepared(generation, problems, hooks):
                if self.vote is not None:
                    self.vote.answered(slot, generation, problems, hooks)
                elif generation == self.sealed.generation:
                    self._caught_up(slot, generation, problems, hooks)
            case Committed(generation):
                worker = self._workers[slot]
                worker.hooks = {generation: worker.hooks[generation]}
                self.table.committed(slot, generation)
                self.uncommitted.discard(slot)
            case Inspected(number, objects, is_complete):
                if number in self._inspections:
                    self._inspections[number].answered(slot, objects, is_complete)
            case KeysWanted(source):
                self.providers.ask(source, lambda answer: self.tell([slot], answer))
        self.changed.set()

    def _ready(self, slot: int, generation: int) -> None:
        self.table.ready(slot, _now_ms())
        if self.table.stopping:
            self.replace([slot])
        elif generation != self.sealed.generation:
            self._catch_up(slot)
        elif not self.has_started and self.table.is_complete:
            self.has_started = True
            self.on_start()

    def _catch_up(self, slot: int) -> None:
        """A worker that came up during a reload has not voted: it goes over to what the others serve already."""
        self.uncommitted.add(slot)
        self.geography.hand_to(lambda message, descriptor: self.tell([slot], message, descriptor))
        self.tell([slot], Prepare(self.sealed.generation, self.metric_origins), self.sealed.descriptor)

    def _caught_up(self, slot: int, generation: int, problems: tuple[Problem, ...], hooks: tuple[str, ...]) -> None:
        if problems:  # what the others could, it cannot: another may
            self._failed(slot, problems)
            self._workers[slot].kill()
        else:
            self._commit(slot, generation, hooks)

    def _commit(self, slot: int, generation: int, hooks: tuple[str, ...]) -> None:
        self._workers[slot].hooks[generation] = hooks
        self.tell([slot], Commit(generation))

    def _failed(self, slot: int, problems: tuple[Problem, ...]) -> None:
        if self.has_started:
            self._say(f"worker {slot} cannot start:")
        elif self._exit_status:
            return  # another worker has said the same
        for problem in problems:
            self._say(str(problem))
        if not self.has_started:
            self._give_up(EXIT_CONFIG)

    def _ended(self, slot: int, status: int) -> None:
        worker, reason = self._workers.pop(slot), self._kills.pop(slot, None)
        Metrics(self.metrics.buffer, slot).retire()
        was = self.table.rows[slot].state
        pause_ms = self.table.ended(slot, _now_ms(), is_success=status == 0)
        self.uncommitted.discard(slot)
        if self.vote is not None:
            self.vote.lost(slot)
        for inspection in self._inspections.values():
            inspection.lost(slot)
        self.changed.set()
        if self.table.stopping:
            if was is State.DRAINING and status != 0:
                self._exit_status = max(self._exit_status, EXIT_FAILED)
            self._end_if_empty()
            return
        if was is not State.DRAINING:
            again = f"again in {pause_ms} ms" if pause_ms else "another takes its place"
            self._say(f"worker {slot} (pid {worker.pid}) ended: {exit_text(status)}; {again}")
            self.count("restarts_stuck" if reason is Reason.STUCK else "restarts_exited")
        if not self.has_started:
            self._give_up(EXIT_FAILED)
            return
        self._act()

    def _culprit(self, slot: int, reason: Reason) -> str:
        """What a worker was at when it stopped: the marker is the number of the hook that was running."""
        state = self.metrics.worker(slot)
        if reason is not Reason.STUCK:
            return ""
        names = self._workers[slot].hooks.get(state.generation, ())
        if not 0 < state.marker < len(names):
            return ", no hook was running"
        return f", in {names[state.marker]}"

    # --- the end ------------------------------------------------------------------------------------------------

    def _give_up(self, status: int) -> None:
        self._exit_status = max(self._exit_status, status)
        self.table.stopping = True
        self._kill_all()
        self._end_if_empty()

    def _kill_all(self) -> None:
        for worker in self._workers.values():
            worker.kill()

    def _end_if_empty(self) -> None:
        if self.table.is_empty and not self._exit.done():
            self._exit.set_result(self._exit_status)


def _open_purge_file(config: EdgeConfig, purges: SharedPurges, say: Say) -> PurgeFile | None:
    if config.cache.disk_path is None:
        return None
    return open_purges(Path(config.cache.disk_path), purges.table, now(), say)


class DiskDirectory:
    """The directory of the disk tier, this instance's alone, and the index of it that all workers share."""

    def __init__(self, cache: Cache) -> None:
        self._lock = DirectoryLock(str(cache.disk_path))
        self._index = SharedIndex(cache.disk_mb)
        self.descriptor = self._index.descriptor
        self._view = DiskIndex(self._index.buffer, os.getpid(), lambda owner: True)

    def figures(self) -> Mapping[str, int]:
        """For /metrics."""
        view = self._view
        return {
            "disk_bytes": view.bytes_used,
            "disk_objects": view.entries,
            "disk_evictions": view.evicted,
            "disk_damaged": view.damaged,
        }

    def close(self) -> None:
        self._index.close()
        self._lock.close()


def _now_ms() -> int:
    return monotonic() // 1000
