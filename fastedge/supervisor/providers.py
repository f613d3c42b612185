"""Identity providers as the supervisor sees them: their keys are fetched beside the traffic and handed to every worker.

A provider that is down changes nothing until its last good keys are too old; then they are gone, everywhere at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastedge.config.keysources import KeySource
from fastedge.config.problems import Problem
from fastedge.config.schema import Key
from fastedge.control import KeysFetched, KeysLooked
from fastedge.errors import ConfigError
from fastedge.identity.keys import KeySet
from fastedge.limits import keys_early_s
from fastedge.supervisor.fetching import Fetched, FetchFailed
from fastedge.supervisor.schedule import KeySchedule

Fetch = Callable[..., Awaitable[Fetched]]  # as fetching.fetch_keys


class Provider:
    """One source: its schedule, the last good set, and what is going on."""

    def __init__(self, source: KeySource, options: Key, now_s: float) -> None:
        self.source = source
        self.schedule = KeySchedule(options, now_s)
        self.data: bytes | None = None  # None: there are no keys
        self.keys: KeySet | None = None
        self.problem: str | None = None  # of the last fetch
        self.task: asyncio.Task[None] | None = None
        self.is_asked = False  # a worker waits for the fetch that is going on
        self._before: Fetched | None = None

    async def fetch(self, fetch: Fetch) -> tuple[float, bool]:
        """One fetch: for how long the set is good, and whether it is another one. Raises FetchFailed."""
        options = self.schedule.options
        held, before = self.data, self._before
        fetched = await fetch(self.source, refresh_s=options.refresh_s, timeout_ms=options.timeout_ms, before=before)
        data = held if fetched.data is None else fetched.data
        assert data is not None, "nobody who has no set asks whether it has changed"
        keys = _key_set(data)
        is_new = self.keys is None or keys.fingerprint != self.keys.fingerprint
        self.data, self.keys, self._before = data, keys, fetched
        return fetched.lifetime_s, is_new

    def drop(self) -> None:
        self.data = self.keys = self._before = None


class Providers:
    """All of them. `tell` sends a message to every worker, `count` counts, `say` takes lines for the operator."""

    def __init__(
        self,
        fetch: Fetch,
        *,
        tell: Callable[[Any], None],
        count: Callable[[str], None],
        say: Callable[[str], None],
        now_s: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._tell = tell
        self._count = count
        self._say = say
        self._now_s = now_s
        self._chance = chance
        self._providers: dict[str, Provider] = {}  # by the id of their source
        self._proposed: dict[str, Provider] = {}
        self._wanted: Mapping[KeySource, Key] = {}

    # --- life ---------------------------------------------------------------------------------------------------

    def begin(self, wanted: Mapping[KeySource, Key]) -> list[asyncio.Task[None]]:
        """The first configuration; gives the fetches that have begun."""
        self._providers = {source.id: Provider(source, key, self._now_s()) for source, key in wanted.items()}
        self.tick()
        return [provider.task for provider in self._providers.values() if provider.task is not None]

    def tick(self) -> None:
        """Does what is due; to be called now and then."""
        now_s = self._now_s()
        for provider in self._providers.values():
            # While the fetch that is due goes on, nobody knows that the provider is down.
            if provider.data is not None and provider.schedule.failures and provider.schedule.is_over(now_s):
                self._drop(provider)
            if now_s >= provider.schedule.due_s:
                self._start(provider)

    def close(self) -> None:
        for provider in self._providers.values():
            if provider.task is not None:
                provider.task.cancel()
        self._providers = {}

    # --- a reload -----------------------------------------------------------------------------------------------

    async def propose(self, wanted: Mapping[KeySource, Key], file: str) -> tuple[Problem, ...]:
        """Fetches what a new configuration (of `file`) has and this one has not, and hands it to the workers; or says
        why it cannot."""
        new = {
            source.id: Provider(source, key, self._now_s())
            for source, key in wanted.items()
            if source.id not in self._providers
        }
        await asyncio.gather(*(self._attempt(provider) for provider in new.values()))
        problems = tuple(
            Problem(file, f"keys.{provider.source.name}", f"cannot be fetched: {provider.problem}")
            for provider in new.values()
            if provider.problem
        )
        if not problems:
            self._wanted, self._proposed = wanted, new
            for provider in new.values():
                self._hand_out(provider)
        return problems

    def adopt(self) -> None:
        """The configuration that was proposed serves: sources that it has not end, others go on as they are. Who is
        down is asked again at once, for the operator may have mended it; and so is who has other options, for the next
        fetch was due by the old ones."""
        providers = self._providers | self._proposed
        for source, options in self._wanted.items():
            schedule = providers[source.id].schedule
            if schedule.failures or schedule.options != options:
                schedule.due_s = self._now_s()
            schedule.options = options
        kept = {source.id for source in self._wanted}
        for id, provider in self._providers.items():
            if id not in kept and provider.task is not None:
                provider.task.cancel()
        self._providers = {id: provider for id, provider in providers.items() if id in kept}
        self._proposed = {}

    def reject(self) -> None:
        self._proposed = {}

    # --- what workers ask for -----------------------------------------------------------------------------------

    def sets(self) -> dict[str, bytes]:
        """What there is now, for a worker that starts: also what is proposed, for it may have to go over to that."""
        providers = self._providers | self._proposed
        return {id: provider.data for id, provider in providers.items() if provider.data is not None}

    def ask(self, id: str, answer: Callable[[Any], None]) -> None:
        """A worker has met a `kid` that it does not know: fetches out of turn, unless that was done lately."""
        provider = self._providers.get(id)
        if provider is None:
            answer(KeysLooked(id, keys_early_s * 1000))
        elif provider.task is not None:
            provider.is_asked = True
        elif provider.schedule.asks_early(self._now_s()):
            self._count("key_fetches_early")
            provider.is_asked = True
            self._start(provider)
        else:
            answer(self._looked(provider))

    # --- what the operator sees ---------------------------------------------------------------------------------

    def figures(self) -> Mapping[str, int]:
        """For /metrics."""
        now_s = self._now_s()
        providers = self._providers.values()
        return {
            "keys_age_s": int(max((provider.schedule.age_s(now_s) for provider in providers), default=0)),
            "keys_unavailable": sum(provider.data is None for provider in providers),
        }

    def status(self) -> list[Mapping[str, Any]]:
        """For /v1/status."""
        now_s = self._now_s()
        return [
            {
                "name": provider.source.name,
                "keys": 0 if provider.keys is None else len(provider.keys.keys),
                "age_s": int(provider.schedule.age_s(now_s)),
                "problem": provider.problem,
            }
            for provider in self._providers.values()
        ]

    # --- one fetch ----------------------------------------------------------------------------------------------

    def _start(self, provider: Provider) -> None:
        if provider.task is None:
            provider.task = asyncio.get_running_loop().create_task(self._run(provider))

    async def _run(self, provider: Provider) -> None:
        was_down = provider.problem is not None
        is_first = provider.schedule.good_s is None
        try:
            is_new = await self._attempt(provider)
        finally:
            provider.task = None
        if is_new:
            self._hand_out(provider)
        if provider.is_asked:
            provider.is_asked = False
            self._tell(self._looked(provider))
        self._report(provider, was_down=was_down, is_rotated=is_new and not is_first)

    async def _attempt(self, provider: Provider) -> bool:
        """Whether there is another set than before."""
        schedule = provider.schedule
        try:
            lifetime_s, is_new = await provider.fetch(self._fetch)
        except FetchFailed as failure:
            provider.problem = str(failure)
            schedule.failed(self._now_s(), self._chance())
            self._count("key_fetches_failed")
            return False
        provider.problem = None
        schedule.fetched(self._now_s(), lifetime_s, self._chance())
        self._count("key_fetches_changed" if is_new else "key_fetches_unchanged")
        return is_new

    def _drop(self, provider: Provider) -> None:
        provider.drop()
        provider.schedule.due_s = self._now_s()
        self._hand_out(provider)
        self._say_of(provider, f"not fetched for {provider.schedule.options.keep_s} s and therefore gone; {_NOBODY}")

    def _hand_out(self, provider: Provider) -> None:
        self._tell(KeysFetched(provider.source.id, provider.data))

    def _looked(self, provider: Provider) -> KeysLooked:
        return KeysLooked(provider.source.id, int(provider.schedule.early_pause_s(self._now_s()) * 1000))

    def _report(self, provider: Provider, *, was_down: bool, is_rotated: bool) -> None:
        """A line when it goes down, when it is back, when its keys are others; none while nothing changes."""
        if provider.problem is not None:
            if not was_down:
                rest = _NOBODY if provider.data is None else "the last good ones are kept for now"
                self._say_of(provider, f"cannot be fetched: {provider.problem}; {rest}")
        elif was_down:
            self._say_of(provider, "fetched again")
        elif is_rotated:
            self._say_of(provider, "others than before")

    def _say_of(self, provider: Provider, text: str) -> None:
        self._say(f"keys.{provider.source.name}: {text}")


_NOBODY = "there are none: nobody who needs them is let in (503)"


def _key_set(data: bytes) -> KeySet:
    """The set as workers will read it."""
    try:
        return KeySet.from_jwks(data, name="its answer", fetched=True)
    except ConfigError as error:
        raise FetchFailed(str(error)) from None
