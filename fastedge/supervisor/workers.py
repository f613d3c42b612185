"""Worker processes as the supervisor holds them: spawned fresh (libvips and threads do not survive a fork), watched
by a descriptor, talked to over a channel. Decides nothing."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from fastedge.control import Channel, FromWorker, Start


class WorkerProcess:
    """One running worker. `on_message` gets what it says, `on_ended` its exit status, once, after its last message."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        start: Callable[[int], Start],
        on_message: Callable[[FromWorker], None],
        on_ended: Callable[[int], None],
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            argument = start(theirs.fileno())
            self._process = _spawn(argument)
        self.pid = self._process.pid
        self.hooks: dict[int, tuple[str, ...]] = {}  # by generation
        self._on_ended = on_ended
        self._loop = loop
        self._exit = os.pidfd_open(self.pid)
        self.channel: Channel[FromWorker] = Channel(
            loop, ours, FromWorker, lambda message, _: on_message(message), lambda: None
        )
        loop.add_reader(self._exit, self._ended)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._exit, signal.SIGKILL)

    def _ended(self) -> None:
        self._loop.remove_reader(self._exit)
        os.close(self._exit)
        self.channel.drain()
        self.channel.close()
        self._on_ended(self._process.wait())


def _spawn(start: Start) -> subprocess.Popen[bytes]:
    tables = (start.geo, start.purges, start.revocations, start.exposures)
    shared = (start.sources, start.keys, start.metrics, *tables, start.purge_file, start.disk)
    inherited = (start.control, *shared, *start.listeners)
    command, environment = python_process("fastedge.worker_process", start)
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        env=environment,
        pass_fds=[fd for fd in inherited if fd is not None],
        process_group=0,  # a Ctrl-C is the supervisor's to hear
    )


def python_process(module: str, argument: Any) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a module of ours as a process of its own; its one argument goes as JSON."""
    command = [sys.executable, "-P", "-m", module, msgspec.json.encode(argument).decode()]
    # The same modules as here, however this process came to find them; -P keeps the working directory's out.
    return command, {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def exit_text(status: int) -> str:
    """How a process ended, for people."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
