"""Going over to a new configuration: read, check, ask every worker, and only if all can, have all do it. Whatever goes
wrong leaves the old one serving. One reload at a time, bounded in time."""

import asyncio
from collections.abc import Callable
from enum import Enum

from msgspec import Struct

from fastedge.config import ConfigErrors, EdgeConfig, Sources, load, needs_restart
from fastedge.config.geosource import geo_source
from fastedge.config.keysources import key_sources
from fastedge.config.problems import Problem
from fastedge.handover import SealedSources
from fastedge.limits import reload_timeout_ms
from fastedge.revocation_list import for_workers
from fastedge.supervisor.supervisor import Say, Supervisor
from fastedge.supervisor.table import State


class Result(Enum):
    DONE = "done"
    REFUSED = "refused"
    BUSY = "busy"  # another reload is on its way


class Outcome(Struct, frozen=True):
    result: Result
    generation: int  # the one that serves now
    problems: tuple[Problem, ...] = ()


class Reloader:
    """`read` reads the sources anew; it is called in a thread."""

    def __init__(self, supervisor: Supervisor, read: Callable[[], Sources], say: Say) -> None:
        self._supervisor = supervisor
        self._read = read
        self._say = say
        self._generation = supervisor.sealed.generation  # of the latest attempt: a module name is never used twice
        self._is_busy = False
        self._is_asked_again = False
        self._task: asyncio.Task[None] | None = None

    def signalled(self) -> None:
        """SIGHUP. One that comes during a reload may mean files that it has read too early: once more then."""
        if self._is_busy:
            self._is_asked_again = True
        else:
            self._task = asyncio.get_running_loop().create_task(self._reload_as_signalled())

    async def reload(self) -> Outcome:
        """Everything, from reading the files to the last worker's word."""
        supervisor = self._supervisor
        if self._is_busy or supervisor.table.stopping or not supervisor.has_started:
            return Outcome(Result.BUSY, supervisor.sealed.generation)
        self._is_busy = True
        try:
            problems = await self._attempt()
        finally:
            self._is_busy = False
        result = Result.REFUSED if problems else Result.DONE
        supervisor.count(f"reloads_{result.value}")
        self._report(result, problems)
        if self._is_asked_again:
            self._is_asked_again = False
            self.signalled()
        return Outcome(result, supervisor.sealed.generation, problems)

    async def _reload_as_signalled(self) -> None:
        await self.reload()

    async def _attempt(self) -> tuple[Problem, ...]:
        loop = asyncio.get_running_loop()
        sources = await loop.run_in_executor(None, self._read)
        try:
            config = await loop.run_in_executor(None, load, sources)
            revoked = await loop.run_in_executor(None, self._supervisor.revoker.read_file, config, sources)
        except ConfigErrors as errors:
            return errors.problems
        changes = needs_restart(self._supervisor.config, config)
        if changes:
            return tuple(Problem(sources.file, "", f"needs restart: {change}") for change in changes)
        problems = await self._supervisor.providers.propose(key_sources(config, sources), sources.file)
        if not problems:
            problems = await self._supervisor.geography.propose(geo_source(config))
        if problems:
            self._supervisor.providers.reject()
            return problems
        self._generation += 1
        sealed = SealedSources(for_workers(config, sources), self._generation)
        problems = await self._two_phases(sealed, config, revoked)
        if problems:
            sealed.close()
            self._supervisor.providers.reject()
            self._supervisor.geography.reject()
        return problems

    async def _two_phases(self, sealed: SealedSources, config: EdgeConfig, revoked: bytes) -> tuple[Problem, ...]:
        supervisor = self._supervisor
        if not await self._wait(lambda: bool(supervisor.table.of_state(State.READY))):
            return (Problem("", "", "no worker is ready to try the new configuration"),)
        vote = supervisor.propose(sealed, config)
        if not await self._wait(lambda: vote.is_decided):
            vote.timed_out()
        if vote.problems or supervisor.table.stopping:
            supervisor.reject(vote)
            return vote.problems or (Problem("", "", "fastedge is stopping"),)
        try:
            supervisor.revoker.take_file(revoked, sealed.sources)
        except ConfigErrors as errors:
            supervisor.reject(vote)
            return errors.problems
        supervisor.adopt(vote, sealed, config)
        # Whoever does not get round to it is stuck, and its successor begins with the new generation.
        await self._wait(lambda: not supervisor.uncommitted)
        return ()

    async def _wait(self, condition: Callable[[], bool]) -> bool:
        """Whether it came true in time."""
        changed = self._supervisor.changed
        try:
            async with asyncio.timeout(reload_timeout_ms / 1000):
                while not condition():
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return False
        return True

    def _report(self, result: Result, problems: tuple[Problem, ...]) -> None:
        if result is Result.DONE:
            self._say(f"reloaded: generation {self._supervisor.sealed.generation} serves")
            return
        self._say(f"reload refused, generation {self._supervisor.sealed.generation} keeps serving:")
        for problem in problems:
            self._say(str(problem))
