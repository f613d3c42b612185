"""Starts and stops what is measured: each server in a process group of its own, pinned, its output in a file.

Only loopback, only processes that were started here: never kills by name.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from benchmarks.errors import BenchmarkError

HOST = "127.0.0.1"
READY_S_MAX = 20.0
STOP_S_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core does what. The server's core does nothing else, as far as the machine lets us."""

    servers: tuple[int, ...]
    load: tuple[int, ...]
    origin: tuple[int, ...]

    @classmethod
    def choose(cls, allowed: Sequence[int], server_count: int = 1) -> "Cores":
        """The first for the servers, then load, then origin.

        Where cores run out, roles share: load and origin the last one, or all of them if the servers take all.
        """
        cores = tuple(sorted(allowed))
        servers, others = cores[:server_count], cores[server_count:]
        if not others:
            return cls(servers, cores, cores)
        return cls(servers, others[:1], others[1:2] or others[:1])


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, with which environment beside our own."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


class Process:
    """A running command, stopped with its whole group when the `with` block ends."""

    def __init__(self, name: str, command: Command, directory: Path, cores: Sequence[int]) -> None:
        self.name = name
        self.output = directory / "output.log"
        with self.output.open("wb") as output:
            self._child = subprocess.Popen(
                [*_pinned(cores), *command.argv],
                cwd=directory,
                env={**os.environ, **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The root of the tree: taskset replaces itself by the command."""
        return self._child.pid

    def await_answer(self, port: int) -> float:
        """Seconds until the first answer, of whatever status. BenchmarkError, with what the server said, if none comes.

        A port that takes connections is not enough: it may be open before there is a worker behind it.
        """
        begun = time.monotonic()
        while time.monotonic() - begun < READY_S_MAX:
            if self._child.poll() is not None:
                raise BenchmarkError(f"{self.name} ended with status {self._child.returncode}: {self.tail()}")
            if _answers(port):
                return time.monotonic() - begun
            time.sleep(0.005)
        raise BenchmarkError(f"{self.name} did not answer on port {port} within {READY_S_MAX:.0f} s: {self.tail()}")

    def tail(self) -> str:
        """The last lines that it printed."""
        lines = self.output.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-5:]) or "it printed nothing"

    def stop(self) -> None:
        """Asks the group to end, then makes it."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._child.pid, sign)
            except ProcessLookupError:
                break
            try:
                self._child.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                continue
        self._child.wait()


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=READY_S_MAX) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            return connection.recv(16).startswith(b"HTTP/1.")
    except OSError:
        return False


def _pinned(cores: Sequence[int]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores))]
