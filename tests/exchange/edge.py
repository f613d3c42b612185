"""The edge between the two ends: one real Worker on uvloop, in a thread of the test's process."""

import asyncio
import contextlib
import gc
import itertools
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from exchange.peer import WAIT_S, Origin, Peer
from fastedge.assembly import prepare
from fastedge.config.sources import Sources
from fastedge.disk.directory import SharedIndex
from fastedge.disk.tier import DiskTier
from fastedge.origin import fetch
from fastedge.origin.fetch import OriginConnection
from fastedge.server.connection import ClientConnection
from fastedge.server.worker import Worker

T = TypeVar("T")
_generations = itertools.count(10_000)  # a policy is loaded once in each


class Edge:
    """Started when it is made. `config` is a whole edge.toml; what `[server] listen` says is not opened."""

    def __init__(self, directory: Path, config: str, listening: list[socket.socket], disk_mb: int = 0) -> None:
        (directory / "edge.toml").write_text(config)
        self.prepared = prepare(Sources.read(directory / "edge.toml", {}), next(_generations))
        self.address = listening[0].getsockname()
        self.family = listening[0].family
        self._listening = listening
        self._cache = directory / "cache"
        self._index = SharedIndex(disk_mb) if disk_mb else None
        self.warnings: list[str] = []
        self.complaints: list[str] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(WAIT_S)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda loop, context: self.complaints.append(_told(context)))
        self._stop = asyncio.Event()
        self.worker = Worker(self.loop, self.prepared, disk=self._tier())
        await self.worker.start(self._listening)
        self._ready.set()
        await self._stop.wait()
        await self.worker.drain(0)
        await asyncio.sleep(0.02)

    def _tier(self) -> DiskTier | None:
        if self._index is None:
            return None
        self._cache.mkdir(exist_ok=True)
        return DiskTier(self._cache, self._index.buffer, self.loop, self.warnings.append)

    def call(self, function: Callable[[], T]) -> T:
        """Runs it in the edge's thread."""

        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(WAIT_S)

    def connect(self, **options: Any) -> Peer:
        sock = socket.socket(self.family)
        for option, value in options.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
        sock.settimeout(WAIT_S)
        sock.connect(self.address)
        return Peer(sock)

    def pool(self, name: str = "main") -> str:
        return self.call(lambda: repr(self.worker.pools[name]))

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits until it holds in the edge's thread."""
        deadline = time.monotonic() + WAIT_S
        while not self.call(condition):
            assert time.monotonic() < deadline, self.pool()
            time.sleep(0.01)

    def until_idle(self) -> None:
        """No client is connected, and no origin connection is busy."""
        self.until(lambda: not self.worker.front.connections)
        self.until(lambda: all(s.busy == s.connecting == 0 for p in self.worker.pools.values() for s in p.servers))

    def stop(self) -> None:
        """Stops it, and says what should not have happened or should not be left."""
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        assert not self.complaints, "\n".join(self.complaints)
        assert self.worker._timers.armed() == 0
        if self._index is not None:
            self._index.close()
        del self.worker, self._stop, self.loop


class Scene:
    """What a test starts from: one origin, an edge in front of it with short time-outs, as many clients as it asks for.

    The edge starts with the first use of `edge` or `client`; until then `server`, `origins` (TOML lines) and `policy` can
    be set, and `disk_mb` for a disk tier.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._closing = contextlib.ExitStack()
        self._edge: Edge | None = None
        self._origins: list[Origin] = []
        self.server = ""
        self.options = ""
        self.policy = ""
        self.family: int = socket.AF_INET
        self.more = ""
        self.disk_mb = 0

    @property
    def origin(self) -> Origin:
        return self._origins[0] if self._origins else self.add_origin()

    def add_origin(self, *arguments: Any, **options: Any) -> Origin:
        """One more server of the origin `main`."""
        origin = Origin(*arguments, **options)
        self._closing.callback(origin.close)
        self._origins.append(origin)
        return origin

    @property
    def edge(self) -> Edge:
        if self._edge is None:
            self._edge = Edge(self._directory, self._config(), [self.listening()], self.disk_mb)
        return self._edge

    def listening(self) -> socket.socket:
        sock = socket.socket(self.family)
        address: Any = {socket.AF_INET: ("127.0.0.1", 0), socket.AF_INET6: ("::1", 0)}.get(
            self.family, str(self._directory / "edge.sock")
        )
        sock.bind(address)
        sock.listen(256)
        self._closing.callback(sock.close)
        return sock

    def _config(self) -> str:
        urls = ", ".join(f'"{origin.url}"' for origin in self._origins or [self.origin])
        policy = ""
        if self.policy:
            (self._directory / "policy.py").write_text(self.policy)
            policy = '[policy]\nfile = "policy.py"\n'
        return (
            f"[server]\n{self.server}\n{policy}[log]\naccess = 'off'\n"
            f"[origins.main]\nservers = [{urls}]\n{self.options}\n{self.more}"
        )

    def client(self, **options: Any) -> Peer:
        return self._closing.enter_context(self.edge.connect(**options))

    def close(self) -> None:
        # The clients and the origins first: what the edge still holds then is its own fault.
        self._closing.close()
        if self._edge is not None:
            edge, self._edge = self._edge, None
            edge.until_idle()
            edge.stop()


def _told(context: dict[str, Any]) -> str:
    error = context.get("exception")
    return context["message"] + "\n" + ("".join(traceback.format_exception(error)) if error else "")


def left_behind() -> Iterator[object]:
    """Connections and fetches that outlived their edge."""
    gc.collect()
    return (one for one in gc.get_objects() if type(one) in (ClientConnection, OriginConnection, fetch.Fetch))
