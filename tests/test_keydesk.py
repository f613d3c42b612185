"""Fetched keys in a worker: slots that outlive generations, and one question for however many unknown keys."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from provider import SigningKey

from fastedge.config.keysources import KeySource
from fastedge.keydesk import KeyDesk
from fastedge.limits import keys_waiters_max

SHOP = KeySource("shop", "https://id.example/jwks", False, False, None)
OTHER = KeySource("shop", "https://id.example/other", False, False, None)
ONE, TWO = (b'{"keys": [%s]}' % str(SigningKey(kid).jwk).replace("'", '"').encode() for kid in ("one", "two"))


def kids(slot: Any) -> list[str]:
    return [key.kid for key in slot.keys.keys]


def test_slot_is_one_for_all_generations() -> None:
    desk = KeyDesk({SHOP.id: ONE})
    slot = desk.slot(SHOP)
    assert kids(slot) == ["one"]
    desk.fetched(SHOP.id, TWO)
    assert kids(slot) == ["two"]
    assert desk.slot(KeySource("shop", "https://id.example/jwks", False, False, None)) is slot
    assert desk.slot(OTHER) is not slot
    assert desk.slot(OTHER).keys is None


def test_keys_that_come_before_the_generation_that_needs_them_are_there() -> None:
    desk = KeyDesk({})
    desk.fetched(SHOP.id, ONE)
    assert kids(desk.slot(SHOP)) == ["one"]


def test_equal_keys_are_not_swapped_and_none_takes_them_away() -> None:
    desk = KeyDesk({SHOP.id: ONE})
    slot = desk.slot(SHOP)
    version = slot.version
    desk.fetched(SHOP.id, ONE)
    assert slot.version == version
    desk.fetched(SHOP.id, None)
    assert (slot.keys, slot.version) == (None, version + 1)
    desk.fetched(SHOP.id, ONE)
    assert kids(slot) == ["one"]


def test_set_that_cannot_be_read_leaves_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    desk = KeyDesk({SHOP.id: ONE})
    desk.fetched(SHOP.id, b"nonsense")
    assert kids(desk.slot(SHOP)) == ["one"]
    assert "fetched keys cannot be read" in caplog.text


def test_what_no_generation_uses_is_forgotten() -> None:
    desk = KeyDesk({SHOP.id: ONE, OTHER.id: ONE})
    slot = desk.slot(SHOP)
    desk.keep([SHOP.id])
    assert desk.slot(SHOP) is slot
    assert desk.slot(OTHER).keys is None


# --- unknown keys --------------------------------------------------------------------------------------------------


class Asking:
    """A desk that is asked for newer keys, and all that it has asked of the supervisor."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now_us = 1_000_000_000
        self.desk = KeyDesk({SHOP.id: ONE})
        self.desk.ask = self.asked.append

    def waiting(self, count: int) -> list["asyncio.Task[None]"]:
        """So many requests meet an unknown key; those of them that may wait."""
        steps = [self.desk.slot(SHOP).renew() for _ in range(count)]
        return [asyncio.ensure_future(step()) for step in steps if step is not None]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Asking], Coroutine[Any, Any, None]]], None]:
    def run(life: Callable[[Asking], Coroutine[Any, Any, None]]) -> None:
        asking = Asking()
        monkeypatch.setattr("fastedge.keydesk.monotonic", lambda: asking.now_us)
        asyncio.run(asyncio.wait_for(life(asking), 5))

    return run


def test_all_who_wait_are_woken_by_one_answer(run):
    async def life(asking):
        tasks = asking.waiting(50)
        await asyncio.sleep(0)
        assert asking.asked == [SHOP.id]
        assert not any(task.done() for task in tasks)
        asking.desk.looked(SHOP.id, 30_000)
        await asyncio.gather(*tasks)
        assert asking.waiting(50) == []
        asking.now_us += 30_000_000
        assert len(asking.waiting(1)) == 1
        assert len(asking.asked) == 2

    run(life)


def test_flood_during_the_question_is_bounded(run):
    async def life(asking):
        tasks = asking.waiting(keys_waiters_max)
        assert len(tasks) == keys_waiters_max
        await asyncio.sleep(0)
        assert asking.waiting(10) == []
        assert asking.asked == [SHOP.id]
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        assert len(asking.waiting(1)) == 1  # who has left makes room

    run(life)


def test_no_answer_ends_the_wait_and_nobody_waits_for_it_again(run, monkeypatch):
    monkeypatch.setattr("fastedge.keydesk.keys_wait_ms", 20)

    async def life(asking):
        await asyncio.gather(*asking.waiting(3))
        asking.now_us += 20_000
        assert asking.waiting(3) == []
        asking.now_us += 30_000_000
        assert len(asking.waiting(1)) == 1

    run(life)


def test_pause_of_nothing_lets_the_next_one_ask(run):
    async def life(asking):
        asking.waiting(1)
        asking.desk.looked(SHOP.id, 0)
        assert len(asking.waiting(1)) == 1
        assert len(asking.asked) == 2

    run(life)
