"""The geo table of the host: compiled beside the traffic, mapped by all workers, made anew when its files change.

A file that is missing, half-written or broken changes nothing: the table that there is stays, and a line says why.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from fastedge.config.geosource import GeoSource
from fastedge.config.problems import ConfigErrors, Problem
from fastedge.control import GeoCompiled
from fastedge.geo.data import shipped_table
from fastedge.geo_process import Order, Report
from fastedge.geofiles import Signature, signature
from fastedge.handover import new_memory, seal, write_all
from fastedge.limits import geo_compile_timeout_ms, geo_look_ms
from fastedge.supervisor.workers import python_process


class Compiled(Struct, frozen=True):
    """A table in sealed memory, and what it is."""

    descriptor: int
    facts: frozenset[str]
    name: str
    built: int


Compile = Callable[[GeoSource, str, str], Awaitable[Compiled]]


class Held:
    """One source: its table, the state of its files when that was made, and when they were looked at last."""

    def __init__(self, source: GeoSource, found: Signature, compiled: Compiled) -> None:
        self.source = source
        self.made_of = self.found = found
        self.compiled = compiled
        self.problem: str | None = None

    def close(self) -> None:
        os.close(self.compiled.descriptor)


class Geography:
    """`tell(message, descriptor)` sends to every worker, `count` counts, `say` takes lines for the operator.

    `file` is edge.toml and `base` its directory, for messages.
    """

    def __init__(
        self,
        compile: Compile,
        *,
        file: str,
        base: str,
        tell: Callable[[Any, int], None],
        count: Callable[[str], None],
        say: Callable[[str], None],
        now_ms: Callable[[], int],
        now_s: Callable[[], float],
    ) -> None:
        self._compile = partial(_compiled, compile, file, base)
        self._tell = tell
        self._count = count
        self._say = say
        self._now_ms = now_ms
        self._now_s = now_s
        self._held: Held | None = None
        self._proposed: Held | None = None
        self._task: asyncio.Task[None] | None = None
        self._due_ms = 0

    @property
    def held(self) -> Held:
        assert self._held is not None, "`begin` comes first"
        return self._held

    # --- life ---------------------------------------------------------------------------------------------------

    async def begin(self, source: GeoSource) -> None:
        """The first configuration's. Raises ConfigErrors."""
        self._held = await self._make(source)

    def tick(self) -> None:
        """Looks after the files now and then; to be called often."""
        now_ms = self._now_ms()
        held = self._held
        if held is not None and held.source.files and self._task is None and now_ms >= self._due_ms:
            self._due_ms = now_ms + geo_look_ms
            self._task = asyncio.get_running_loop().create_task(self._look(held))

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        for held in (self._proposed, self._held):
            if held is not None:
                held.close()
        self._proposed = self._held = None

    # --- a reload -----------------------------------------------------------------------------------------------

    async def propose(self, source: GeoSource) -> tuple[Problem, ...]:
        """Compiles what a new configuration has and this one has not, and hands it out; or says why it cannot.

        Changed files of an unchanged one are taken too: this is when a table may come to know less than before."""
        if source == self.held.source and signature(source) == self.held.made_of:
            return ()
        try:
            self._proposed = await self._make(source)
        except ConfigErrors as errors:
            if source == self.held.source:  # it is no fault of the new configuration, and was said already or will be
                return ()
            return errors.problems
        self._hand_out(self._proposed)
        return ()

    def adopt(self) -> None:
        """The configuration that was proposed serves."""
        if self._proposed is not None:
            before, self._held, self._proposed = self.held, self._proposed, None
            before.close()

    def reject(self) -> None:
        proposed, self._proposed = self._proposed, None
        if proposed is not None:
            proposed.close()
            if proposed.source == self.held.source:
                self._hand_out(self.held)

    # --- what the operator sees ---------------------------------------------------------------------------------

    def figures(self) -> Mapping[str, int]:
        """For /metrics."""
        return {} if self._held is None else {"geo_age_s": self._age_s(self._held)}

    def status(self) -> Mapping[str, Any] | None:
        """For /v1/status; None while the first table is being made."""
        held = self._held
        if held is None:
            return None
        return {
            "source": held.compiled.name,
            "age_s": self._age_s(held),
            "knows": ["country", *sorted(held.compiled.facts)],
            "problem": held.problem,
        }

    def _age_s(self, held: Held) -> int:
        return max(0, int(self._now_s() - held.compiled.built))

    # --- one look -----------------------------------------------------------------------------------------------

    async def _look(self, held: Held) -> None:
        try:
            found = await asyncio.get_running_loop().run_in_executor(None, signature, held.source)
            is_settled, held.found = found == held.found, found
            if not is_settled or found == held.made_of:
                return  # who writes it may not be done
            await self._remake(held, found)
        finally:
            self._task = None

    async def _remake(self, held: Held, found: Signature) -> None:
        """A broken file is not tried again before it is another one."""
        held.made_of = found
        try:
            fresh = await self._compile(held.source)
        except ConfigErrors as errors:
            self._stays(held, "; ".join(problem.text for problem in errors.problems))
            return
        lost = held.compiled.facts - fresh.facts
        if held is not self._held or lost:
            os.close(fresh.descriptor)
            if lost:
                self._stays(held, f"the new one knows no {', '.join(sorted(lost))}: reload if that is meant")
            return
        os.close(held.compiled.descriptor)
        held.compiled, held.problem = fresh, None
        self._hand_out(held)
        self._count("geo_swaps_done")
        self._say(f"geo: {fresh.name!r} has changed: the new table is in use")

    def _stays(self, held: Held, problem: str) -> None:
        held.problem = problem
        self._count("geo_swaps_failed")
        self._say(f"geo: the table in use stays: {problem}")

    async def _make(self, source: GeoSource) -> Held:
        found = signature(source)
        return Held(source, found, await self._compile(source))

    def hand_to(self, send: Callable[[Any, int], None]) -> None:
        """For a worker that goes over to a configuration later than the others."""
        send(GeoCompiled(self.held.source.id), self.held.compiled.descriptor)

    def _hand_out(self, held: Held) -> None:
        self._tell(GeoCompiled(held.source.id), held.compiled.descriptor)


async def _compiled(compile: Compile, file: str, base: str, source: GeoSource) -> Compiled:
    if source.files:
        return await compile(source, file, base)
    table = shipped_table()
    descriptor = new_memory("fastedge-geo")
    write_all(descriptor, table.shared_form())
    seal(descriptor)
    return Compiled(descriptor, table.facts, table.source, table.built)


async def compile_apart(source: GeoSource, file: str, base: str) -> Compiled:
    """In a process of its own, which has the lowest priority and a bound in time. Raises ConfigErrors."""
    descriptor = new_memory("fastedge-geo")
    try:
        report = await _run(Order(source, file, base.rstrip("/") + "/", descriptor))
        if report.problems:
            raise ConfigErrors(report.problems)
        seal(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return Compiled(descriptor, frozenset(report.facts), report.name, report.built)


async def _run(order: Order) -> Report:
    command, environment = python_process("fastedge.geo_process", order)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        pass_fds=[order.descriptor],
        start_new_session=True,  # a Ctrl-C is the supervisor's to hear
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), geo_compile_timeout_ms / 1000)
        return msgspec.json.decode(said, type=Report)
    except TimeoutError:
        problem = f"not compiled within {geo_compile_timeout_ms // 1000} s"
    except msgspec.DecodeError:
        problem = f"compiling it ended with exit status {process.returncode}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            if process.returncode is None:
                process.kill()
                await process.wait()
    return Report((Problem(order.file, "geo", problem),))
