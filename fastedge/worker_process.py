"""The main program of a worker process: a Worker, and the end of the control channel that tells it what to do.

python -m fastedge.worker_process '{"slot": 0, ...}'        started by the supervisor, never by people
"""

import asyncio
import gc
import logging
import mmap
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterable

import msgspec
import uvloop

from fastedge import control
from fastedge._core.exposures import Exposures
from fastedge._core.metrics import Metrics
from fastedge._core.purges import Purges
from fastedge._core.revocations import Revocations
from fastedge.assembly import Prepared, prepare
from fastedge.clock import monotonic
from fastedge.config import ConfigErrors
from fastedge.config.geosource import geo_source
from fastedge.config.keysources import key_sources
from fastedge.config.problems import Problem
from fastedge.control import (
    Abort,
    Channel,
    Commit,
    Committed,
    Drain,
    ExperimentsSet,
    Failed,
    GeoCompiled,
    Inspect,
    Inspected,
    KeysFetched,
    KeysLooked,
    KeysWanted,
    Prepare,
    Ready,
    Reopen,
    Start,
    ToWorker,
)
from fastedge.disk.tier import DiskTier
from fastedge.errors import ConfigError
from fastedge.geodesk import GeoDesk
from fastedge.handover import map_exposures, map_purges, map_revocations, read_keys, read_sources
from fastedge.inspection import bounded
from fastedge.keydesk import KeyDesk
from fastedge.limits import tidy_delay_ms, worker_kill_grace_ms
from fastedge.preparation import Preparation
from fastedge.purge_file import PurgeFile
from fastedge.routing.experiment_settings import read_settings
from fastedge.server.log_writer import LogWriter
from fastedge.server.observer import Observer
from fastedge.server.worker import Worker


def main() -> None:
    start = msgspec.json.decode(sys.argv[1], type=Start)
    # The supervisor speaks over the channel; a terminal's signals are meant for it alone.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(format=f"fastedge: worker {start.slot}: %(message)s", level=logging.INFO)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(_run(start)))


async def _run(start: Start) -> int:
    sock = socket.socket(fileno=start.control)
    try:
        desk = KeyDesk(read_keys(start.keys))
        os.close(start.keys)
        revocations = map_revocations(start.revocations)
        os.close(start.revocations)
        exposures = map_exposures(start.exposures)
        os.close(start.exposures)
        tables = GeoDesk(start.geo_id, start.geo)
        sources = read_sources(start.sources)
        prepared = prepare(
            sources, start.generation, revocations, exposures=exposures, fetched=desk.slot, geo=tables.slot
        )
        os.close(start.sources)
        size = os.fstat(start.metrics).st_size
        metrics = Metrics(mmap.mmap(start.metrics, size), start.slot)
        os.close(start.metrics)
        target = prepared.config.log.access
        log = None if target == "off" else LogWriter(target, metrics.count)
        path = prepared.config.experiments.exposures
        exposure_log = None if path is None else LogWriter(path, metrics.count, key="experiments.exposures")
    except ConfigErrors as errors:
        return _fail(sock, errors.problems)
    except ConfigError as error:
        return _fail(sock, [Problem("", "", str(error))])
    exposures.is_written = exposure_log is not None
    return await Agent(start, prepared, desk, tables, revocations, exposures, metrics, log, exposure_log).serve(sock)


def _fail(sock: socket.socket, problems: Iterable[Problem]) -> int:
    sock.sendall(msgspec.json.encode(Failed(tuple(problems))) + b"\n")
    return 2


class Agent:
    """Does in this process what the supervisor says."""

    def __init__(
        self,
        start: Start,
        prepared: Prepared,
        desk: KeyDesk,
        tables: GeoDesk,
        revocations: Revocations,
        exposures: Exposures,
        metrics: Metrics,
        log: LogWriter | None,
        exposure_log: LogWriter | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._start = start
        self._desk = desk
        self._tables = tables
        self._metrics = metrics
        self._revocations = revocations
        self._exposures = exposures
        self._logs = [one for one in (log, exposure_log) if one is not None]
        self._observer = Observer(
            metrics,
            worker=start.slot,
            write=log.put if log else None,
            expose=exposure_log.put if exposure_log else None,
        )
        self._preparation: Preparation | None = None
        self._inspections: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()
        metrics.begin(os.getpid(), start.generation, monotonic() * 1000)
        self._worker = Worker(
            self._loop,
            prepared,
            observer=self._observer,
            on_tick=lambda now_us: metrics.beat(now_us * 1000),
            origins=start.metric_origins,
            purges=_purges(start),
            disk=_disk(start, prepared, self._loop),
        )

    async def serve(self, sock: socket.socket) -> int:
        """Until the supervisor says drain, or is gone."""
        _watch_supervisor(sock, self._worker)
        self._channel: Channel[ToWorker] = Channel(self._loop, sock, ToWorker, self._heard, self._ending.set)
        self._desk.ask = lambda source: self._channel.send(KeysWanted(source))
        await self._worker.start([socket.socket(fileno=number) for number in self._start.listeners])
        self._loop.add_signal_handler(signal.SIGTERM, self._ending.set)
        _tidy()
        self._channel.send(Ready(self._start.generation, self._worker.prepared.hook_names()))
        await self._ending.wait()
        drained = await self._worker.drain(self._worker.prepared.config.server.drain_timeout_ms / 1000)
        self._channel.close()
        self._observer.flush()
        for log in self._logs:
            log.close()
        return 0 if drained else 1

    def _heard(self, message: ToWorker, descriptor: int | None) -> None:
        match message:
            case Prepare(generation, metric_origins):
                assert descriptor is not None, "the sources come with the message"
                self._prepare(generation, metric_origins, descriptor)
            case Commit(generation):
                self._commit(generation)
            case Abort():
                self._abort()
                self._keep_used()
            case Drain():
                self._ending.set()
            case Reopen():
                self._observer.flush()
                for log in self._logs:
                    log.reopen()
            case Inspect(number, url, with_disk):
                task = self._loop.create_task(self._inspect(number, url, with_disk))
                self._inspections.add(task)
                task.add_done_callback(self._inspections.discard)
            case KeysFetched(source, jwks):
                self._desk.fetched(source, jwks)
            case GeoCompiled(source):
                assert descriptor is not None, "the table comes with the message"
                self._tables.compiled(source, descriptor)
            case KeysLooked(source, pause_ms):
                self._desk.looked(source, pause_ms)
            case ExperimentsSet(settings):
                self._set_experiments(settings)

    async def _inspect(self, number: int, url: str, with_disk: bool) -> None:
        self._channel.send(Inspected(number, *bounded(await self._worker.inspect(url, with_disk=with_disk))))

    def _set_experiments(self, data: bytes) -> None:
        try:
            self._worker.prepared.snapshot.experiments.swap(read_settings("[experiments] file", data))
        except ConfigError as error:
            logging.getLogger("fastedge").warning("%s: all experiments stay as they were", error)

    def _prepare(self, generation: int, metric_origins: tuple[str, ...], descriptor: int) -> None:
        self._abort()
        self._metric_origins = metric_origins
        self._preparation = Preparation(
            self._loop,
            generation,
            descriptor,
            self._prepared,
            self._revocations,
            self._desk.slot,
            self._exposures,
            self._tables.slot,
        )

    def _prepared(self, preparation: Preparation) -> None:
        """Its thread has ended; one that was aborted meanwhile is of no interest."""
        if preparation is self._preparation:
            hooks = preparation.prepared.hook_names() if preparation.prepared else ()
            self._channel.send(control.Prepared(preparation.generation, preparation.problems, hooks))

    def _commit(self, generation: int) -> None:
        preparation, self._preparation = self._preparation, None
        assert preparation is not None and preparation.generation == generation, "committed without being prepared"
        assert preparation.prepared is not None, "committed although it failed"
        before = self._worker.prepared
        self._worker.origins = self._metric_origins
        self._worker.commit(preparation.prepared)
        self._metrics.set("generation", generation)
        before.policies.forget()
        self._keep_used()
        self._channel.send(Committed(generation))
        self._loop.call_later(tidy_delay_ms / 1000, _tidy)

    def _abort(self) -> None:
        preparation, self._preparation = self._preparation, None
        if preparation is not None:
            preparation.abort()

    def _keep_used(self) -> None:
        """What was fetched or compiled for a generation that never came, or is gone, is forgotten."""
        prepared = self._worker.prepared
        self._desk.keep(source.id for source in key_sources(prepared.config, prepared.sources))
        self._tables.keep([geo_source(prepared.config).id])


def _purges(start: Start) -> Purges:
    """The host's table, which writes what this worker purges into the file that the supervisor has made."""
    purges = map_purges(start.purges)
    os.close(start.purges)
    if start.purge_file is not None:
        purges.keep = PurgeFile(start.purge_file, logging.getLogger("fastedge").warning).keep
    return purges


def _disk(start: Start, prepared: Prepared, loop: asyncio.AbstractEventLoop) -> DiskTier | None:
    """This worker's hold on the directory that the host's workers share."""
    if start.disk is None:
        return None
    buffer = mmap.mmap(start.disk, 0)
    os.close(start.disk)
    return DiskTier(str(prepared.config.cache.disk_path), buffer, loop, logging.getLogger("fastedge").warning)


def _tidy() -> None:
    """What lives as long as the configuration is no longer looked at by the garbage collector; what does not, goes."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _watch_supervisor(sock: socket.socket, worker: Worker) -> None:
    """Ends this process some time after its supervisor is gone, even if its loop stands still in a policy."""

    def watch() -> None:
        poll = select.poll()
        poll.register(copy, select.POLLRDHUP)
        poll.poll()
        threading.Event().wait((worker.prepared.config.server.drain_timeout_ms + worker_kill_grace_ms) / 1000)
        os._exit(1)

    copy = os.dup(sock.fileno())
    threading.Thread(target=watch, name="fastedge-supervisor", daemon=True).start()


if __name__ == "__main__":
    main()
