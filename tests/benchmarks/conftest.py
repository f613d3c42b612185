"""Servers that the measuring code is tried on: the floor itself, and one that says exactly what a test tells it to."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from benchmarks import tools
from benchmarks.harness import Bench
from benchmarks.load import Load, LoadResult, run_load, write_requests
from benchmarks.process import HOST, Command, Cores, Process, free_port

CORES = Cores.choose(sorted(os.sched_getaffinity(0)))
REQUEST = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the compiled tools are."""
    return tmp_path_factory.mktemp("tools")


@pytest.fixture
def bench(built: Path, tmp_path: Path) -> Bench:
    """Two short rounds."""
    few = Bench(tmp_path, rounds=2, count=2000, seconds=0.3, body_mb=8, idle_connections=50, objects=2000)
    few.say = lambda _: None
    return few


@pytest.fixture
def floor(built: Path, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Starts the floor with the given options and gives its port."""
    running: list[Process] = []

    def start(*options: str) -> int:
        port = free_port()
        argv = (str(tools.build("floor", built)), "--listen", f"{HOST}:{port}", *options)
        running.append(Process("floor", Command(argv, {}), tmp_path, CORES.servers))
        running[-1].await_answer(port)
        return port

    yield start
    for process in running:
        process.stop()


@pytest.fixture
def send(built: Path, tmp_path: Path) -> Callable[..., LoadResult]:
    """Runs the load generator against a port with the given options of Load."""
    requests = write_requests(tmp_path / "requests", [REQUEST, REQUEST.replace(b"GET /", b"GET /other")])

    def run(port: int, requests_file: Path = requests, **how: float | str) -> LoadResult:
        load = Load(requests_file, **how)  # type: ignore[arg-type]
        return run_load(tools.build("loadgen", built), port, load, CORES.load)

    return run


class Scripted:
    """Answers each request with the next script: pieces that are sent one by one. `None` closes the connection."""

    def __init__(self, scripts: Sequence[Sequence[bytes | None]]) -> None:
        self._scripts = scripts
        self.requests: list[bytes] = []
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Waits for the thread."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._serve(connection, iter(stream.readline, b""))

    def _serve(self, connection: socket.socket, lines: Iterator[bytes]) -> None:
        for line in lines:
            if line != b"\r\n":
                self.requests += [line] if line.startswith(b"GET") else []
                continue
            for piece in self._scripts[(len(self.requests) - 1) % len(self._scripts)]:
                if piece is None:
                    return
                connection.sendall(piece)


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Starts a server that plays scripts, one request after the other."""
    running: list[Scripted] = []

    def start(*scripts: Sequence[bytes | None]) -> Scripted:
        running.append(Scripted(scripts))
        return running[-1]

    yield start
    for server in running:
        server.stop()
