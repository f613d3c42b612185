"""The supervisor: one parent process that keeps the sockets and runs the workers. Others need `supervise` alone."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable

import uvloop

from fastedge.admin import AdminListener
from fastedge.config import ConfigErrors, EdgeConfig, Sources, load
from fastedge.errors import ConfigError
from fastedge.supervisor.controls import SupervisorControls
from fastedge.supervisor.listeners import Listeners
from fastedge.supervisor.reload import Reloader
from fastedge.supervisor.supervisor import EXIT_CONFIG, Supervisor

__all__ = ["supervise"]


def supervise(file: str, overrides: Iterable[str] = ()) -> int:
    """Runs the edge of a configuration file until a signal ends it; gives the exit status."""
    overrides = tuple(overrides)

    def read() -> Sources:
        return Sources.read(file, os.environ, overrides)

    sources = read()
    try:
        config = load(sources)
        _raise_descriptor_limit()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(sources, config, read))
    except ConfigErrors as errors:
        for problem in errors.problems:
            _say(str(problem))
    except ConfigError as error:
        _say(str(error))
    return EXIT_CONFIG


async def _serve(sources: Sources, config: EdgeConfig, read: Callable[[], Sources]) -> int:
    loop = asyncio.get_running_loop()
    admin_sockets = Listeners("admin.listen", [config.admin.listen] if config.admin else [], 1)
    admin: AdminListener | None = None
    try:
        supervisor = Supervisor(loop, sources, config, _say)
        reloader = Reloader(supervisor, read, _say)
        supervisor.on_start = lambda: _say(_ready_line(supervisor, admin_sockets))
        if config.admin:
            admin = AdminListener(loop, SupervisorControls(supervisor, reloader), _report)
            supervisor.on_tick = admin.tick
            await admin.start(admin_sockets.sockets[0])
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, supervisor.stop)
        loop.add_signal_handler(signal.SIGHUP, reloader.signalled)
        loop.add_signal_handler(signal.SIGUSR1, supervisor.reopen_logs)
        return await supervisor.serve()
    finally:
        if admin is not None:
            admin.close()
        admin_sockets.close()


def _ready_line(supervisor: Supervisor, admin: Listeners) -> str:
    count = len(supervisor.table.rows)
    parts = [f"serving {', '.join(supervisor.listeners.names)}", f"{count} worker{'s' if count > 1 else ''}"]
    parts += [f"admin {name}" for name in admin.names]
    return " · ".join(parts)


def _raise_descriptor_limit() -> None:
    """As many descriptors as the system allows; the workers inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more: that must not end the edge
        print(f"fastedge: {line}", file=sys.stderr, flush=True)


def _report(failure: Exception) -> None:
    _say(f"admin: {failure}")
