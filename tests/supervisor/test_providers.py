"""Providers that rotate, die and come back, with a clock and a fetch of the test's own: what workers and operators hear."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from provider import SigningKey

from fastedge.config.keysources import KeySource
from fastedge.config.schema import Key
from fastedge.control import KeysFetched, KeysLooked
from fastedge.supervisor.fetching import Fetched, FetchFailed
from fastedge.supervisor.providers import Providers

SHOP = KeySource("shop", "https://id.example/jwks", False, False, None)
OTHER = KeySource("other", "https://other.example/jwks", False, False, None)
KEY = Key(jwks_url="https://id.example/jwks", keep_s=1000)  # type: ignore[arg-type]
ONE, TWO = (b'{"keys": [%s]}' % str(SigningKey(kid).jwk).replace("'", '"').encode() for kid in ("one", "two"))
NOBODY = "there are none: nobody who needs them is let in (503)"


class Stand:
    """Providers with all that is around them: time, what is fetched, and what comes out."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.data: bytes | None = ONE  # None: it is down
        self.lifetime_s = 100
        self.fetches: list[str] = []
        self.holding: asyncio.Event | None = None  # a fetch that takes its time
        self.told: list[Any] = []
        self.said: list[str] = []
        self.counted: list[str] = []
        self.providers = Providers(
            self.fetch,
            tell=self.told.append,
            count=self.counted.append,
            say=self.said.append,
            now_s=lambda: self.now_s,
            chance=lambda: 0.0,
        )

    async def fetch(self, source: KeySource, *, refresh_s: int, timeout_ms: int, before: Fetched | None) -> Fetched:
        self.fetches.append(source.name)
        data = self.data
        if self.holding is not None:
            await self.holding.wait()
        if data is None:
            raise FetchFailed("connection refused")
        is_same = before is not None and before.etag == str(hash(data))
        return Fetched(None if is_same else data, self.lifetime_s, source.url, str(hash(data)))

    async def pass_time(self, seconds: float) -> None:
        self.now_s += seconds
        self.providers.tick()
        await settle()

    def heard(self) -> tuple[list[Any], list[str]]:
        """What workers and operators have heard since the last call."""
        heard = self.told[:], self.said[:]
        self.told.clear()
        self.said.clear()
        return heard


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def run() -> Callable[[Callable[[Stand], Any]], None]:
    """Runs a life that begins with one provider that answers."""

    def run(life: Callable[[Stand], Any], *, data: bytes | None = ONE) -> None:
        async def lives() -> None:
            stand = Stand()
            stand.data = data
            await asyncio.gather(*stand.providers.begin({SHOP: KEY}))
            await life(stand)
            stand.providers.close()

        asyncio.run(lives())

    return run


def test_first_set_is_there_when_it_has_begun(run):
    async def life(stand):
        assert stand.providers.sets() == {SHOP.id: ONE}
        assert stand.heard() == ([KeysFetched(SHOP.id, ONE)], [])
        assert stand.counted == ["key_fetches_changed"]

    run(life)


def test_same_keys_are_not_handed_out_again_whatever_the_answer(run):
    async def life(stand):
        stand.heard()
        await stand.pass_time(74)
        assert len(stand.fetches) == 1
        await stand.pass_time(1)
        assert stand.counted[-1] == "key_fetches_unchanged"
        stand.data = ONE + b" "  # other bytes, the same keys
        await stand.pass_time(75)
        assert stand.counted[-1] == "key_fetches_unchanged"
        assert stand.heard() == ([], [])

    run(life)


def test_rotation_is_handed_out_and_said(run):
    async def life(stand):
        stand.heard()
        stand.data = TWO
        await stand.pass_time(75)
        assert stand.heard() == ([KeysFetched(SHOP.id, TWO)], ["keys.shop: others than before"])

    run(life)


def test_provider_that_is_down_is_said_once_and_its_last_keys_are_kept_for_a_time(run):
    async def life(stand):
        stand.heard()
        stand.data = None
        await stand.pass_time(75)
        down = "keys.shop: cannot be fetched: connection refused; the last good ones are kept for now"
        assert stand.heard() == ([], [down])
        for _ in range(30):
            await stand.pass_time(30)
        assert stand.heard() == ([], [])
        assert stand.providers.figures() == {"keys_age_s": 975, "keys_unavailable": 0}
        await stand.pass_time(25)
        gone = f"keys.shop: not fetched for 1000 s and therefore gone; {NOBODY}"
        assert stand.heard() == ([KeysFetched(SHOP.id, None)], [gone])
        assert stand.providers.figures() == {"keys_age_s": 1000, "keys_unavailable": 1}
        assert stand.providers.sets() == {}
        stand.data = ONE
        await stand.pass_time(30)
        assert stand.heard() == ([KeysFetched(SHOP.id, ONE)], ["keys.shop: fetched again"])
        assert stand.providers.figures() == {"keys_age_s": 0, "keys_unavailable": 0}

    run(life)


def test_provider_down_at_the_start_is_said_and_asked_again(run):
    async def life(stand):
        assert stand.heard() == ([], [f"keys.shop: cannot be fetched: connection refused; {NOBODY}"])
        assert stand.providers.status() == [
            {"name": "shop", "keys": 0, "age_s": 0, "problem": "connection refused"},
        ]
        stand.data = ONE
        await stand.pass_time(5)
        assert stand.heard() == ([KeysFetched(SHOP.id, ONE)], ["keys.shop: fetched again"])
        assert stand.providers.status() == [{"name": "shop", "keys": 1, "age_s": 0, "problem": None}]

    run(life, data=None)


@pytest.mark.parametrize(
    "data",
    [
        b"<html>not here</html>",
        b"{}",
        b'{"keys": []}',
        b'{"keys": [{"kty": "oct", "k": "%s"}]}' % (b"QUJD" * 20),
        b'{"keys": [], "keys": []}',
        ONE[:-1],
    ],
)
def test_set_without_a_usable_key_is_a_failure_and_the_last_good_one_stays(run, data):
    async def life(stand):
        stand.heard()
        stand.data = data
        await stand.pass_time(75)
        told, (said,) = stand.heard()
        assert told == []
        assert said.startswith("keys.shop: cannot be fetched: its answer: ")
        assert "QUJD" not in said
        assert stand.providers.sets() == {SHOP.id: ONE}
        assert stand.counted[-1] == "key_fetches_failed"

    run(life)


def test_drop_during_a_fetch_that_finds_nothing_new_leaves_that(run):
    async def life(stand):
        stand.data = None
        await stand.pass_time(75)
        stand.heard()
        stand.data, stand.holding = ONE, asyncio.Event()
        await stand.pass_time(10)
        await stand.pass_time(915)
        stand.holding.set()
        await settle()
        told, _ = stand.heard()
        assert told == [KeysFetched(SHOP.id, None), KeysFetched(SHOP.id, ONE)]

    run(life)


# --- an unknown kid ------------------------------------------------------------------------------------------------


def test_unknown_key_is_looked_for_once_and_all_hear_of_it(run):
    async def life(stand):
        stand.heard()
        stand.data = TWO
        answers = []
        for _ in range(3):
            stand.providers.ask(SHOP.id, answers.append)
        await settle()
        told, said = stand.heard()
        assert told == [KeysFetched(SHOP.id, TWO), KeysLooked(SHOP.id, 30_000)]
        assert said == ["keys.shop: others than before"]
        stand.now_s += 10
        for _ in range(100):
            stand.providers.ask(SHOP.id, answers.append)
        await settle()
        assert answers == [KeysLooked(SHOP.id, 20_000)] * 100
        assert stand.fetches == ["shop", "shop"]
        assert stand.counted.count("key_fetches_early") == 1
        stand.now_s += 20
        stand.providers.ask(SHOP.id, answers.append)
        await settle()
        assert len(stand.fetches) == 3

    run(life)


def test_who_asks_during_a_fetch_waits_for_that_one(run):
    async def life(stand):
        stand.heard()
        stand.holding = asyncio.Event()
        await stand.pass_time(75)
        stand.providers.ask(SHOP.id, stand.told.append)
        assert stand.heard() == ([], [])
        stand.holding.set()
        await settle()
        assert stand.heard() == ([KeysLooked(SHOP.id, 0)], [])  # that one was not out of turn
        assert len(stand.fetches) == 2

    run(life)


def test_failed_look_is_an_answer_too(run):
    async def life(stand):
        stand.heard()
        stand.data = None
        stand.providers.ask(SHOP.id, stand.told.append)
        await settle()
        assert stand.heard()[0] == [KeysLooked(SHOP.id, 30_000)]

    run(life)


def test_source_that_is_gone_is_not_looked_for(run):
    async def life(stand):
        stand.heard()
        stand.providers.ask(OTHER.id, stand.told.append)
        await settle()
        assert stand.heard()[0] == [KeysLooked(OTHER.id, 30_000)]
        assert stand.fetches == ["shop"]

    run(life)


# --- a reload ------------------------------------------------------------------------------------------------------


def test_reload_fetches_what_is_new_and_leaves_the_rest_alone(run):
    async def life(stand):
        stand.heard()
        assert await stand.providers.propose({SHOP: KEY, OTHER: KEY}, "edge.toml") == ()
        assert stand.fetches == ["shop", "other"]
        assert stand.heard()[0] == [KeysFetched(OTHER.id, ONE)]
        assert stand.providers.sets() == {SHOP.id: ONE, OTHER.id: ONE}  # for a worker that starts just now
        stand.providers.adopt()
        await stand.pass_time(75)
        assert stand.fetches == ["shop", "other", "shop", "other"]

    run(life)


def test_reload_with_a_new_source_that_is_down_is_refused_and_forgotten(run):
    async def life(stand):
        stand.heard()
        stand.data = None
        (problem,) = await stand.providers.propose({SHOP: KEY, OTHER: KEY}, "edge.toml")
        assert str(problem) == "edge.toml: keys.other: cannot be fetched: connection refused"
        assert stand.heard() == ([], [])
        assert stand.providers.sets() == {SHOP.id: ONE}

    run(life)


def test_reload_asks_at_once_who_was_down(run):
    async def life(stand):
        stand.data = ONE
        assert await stand.providers.propose({SHOP: KEY}, "edge.toml") == ()
        stand.providers.adopt()
        await stand.pass_time(0)
        assert stand.providers.sets() == {SHOP.id: ONE}

    run(life, data=None)


def test_rejected_reload_leaves_nothing(run):
    async def life(stand):
        await stand.providers.propose({OTHER: KEY}, "edge.toml")
        stand.providers.reject()
        assert stand.providers.sets() == {SHOP.id: ONE}

    run(life)


def test_removed_source_ends(run):
    async def life(stand):
        stand.holding = asyncio.Event()
        await stand.pass_time(75)
        assert await stand.providers.propose({}, "edge.toml") == ()
        stand.providers.adopt()
        stand.heard()
        stand.holding.set()
        await settle()
        assert stand.providers.sets() == {}
        assert stand.heard() == ([], [])

    run(life)


def test_reload_that_keeps_keys_for_a_shorter_time_asks_before_it_drops_them(run):
    async def life(stand):
        stand.lifetime_s = 900
        await stand.pass_time(90)
        await stand.pass_time(600)
        stand.heard()
        shorter = Key(jwks_url=KEY.jwks_url, keep_s=60)
        assert await stand.providers.propose({SHOP: shorter}, "edge.toml") == ()
        stand.providers.adopt()
        await stand.pass_time(0)
        assert stand.providers.sets() == {SHOP.id: ONE} and stand.heard() == ([], [])
        stand.data = None
        await stand.pass_time(59)
        await stand.pass_time(1)
        assert stand.providers.sets() == {}

    run(life)


def test_set_that_became_too_old_in_sleep_is_used_until_its_provider_was_asked(run):
    async def life(stand):
        stand.holding = asyncio.Event()
        await stand.pass_time(5000)
        assert stand.providers.sets() == {SHOP.id: ONE}
        stand.data = None
        stand.holding.set()
        await stand.pass_time(0)
        assert stand.providers.sets() == {SHOP.id: ONE}  # what was asked before it went down was answered
        await stand.pass_time(5000)
        await stand.pass_time(0)
        assert stand.providers.sets() == {}

    run(life)


def test_reload_while_a_provider_is_down_can_keep_its_keys_for_longer(run):
    async def life(stand):
        stand.data = None
        await stand.pass_time(900)
        longer = Key(jwks_url=KEY.jwks_url, keep_s=5000)
        assert await stand.providers.propose({SHOP: longer}, "edge.toml") == ()
        stand.providers.adopt()
        await stand.pass_time(3000)
        assert stand.providers.sets() == {SHOP.id: ONE}

    run(life)
