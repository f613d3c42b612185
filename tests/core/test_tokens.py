"""Invariant: a value comes back only for exactly the bytes it was kept for and only in its time; the bounds hold."""

import gc
import random
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fastedge._core.tokens import VerifiedTokens

SEED = bytes(range(48))
TOKEN = bytes(random.Random(1).choices(b"ABCDEFGHabcdefgh0123456789-_.", k=400))


def table(entries_max: int = 100, bytes_max: int = 1 << 20) -> VerifiedTokens:
    return VerifiedTokens(entries_max, bytes_max, SEED)


def numbered(number: int, length: int = 60) -> bytes:
    return b"%0*d" % (length, number)


def test_get_gives_what_was_put() -> None:
    tokens = table()
    assert tokens.put(TOKEN, "claims", 10.0, 20.0, 1000)
    assert tokens.get(bytes(bytearray(TOKEN)), 15.0) == "claims"
    assert (len(tokens), tokens.bytes_used, tokens.hits, tokens.misses) == (1, 1000, 1, 0)


@pytest.mark.parametrize(
    ("now", "found"), [(9.99, None), (10.0, "claims"), (19.99, "claims"), (20.0, None), (1e18, None)]
)
def test_get_keeps_to_the_token_s_time(now: float, found: str | None) -> None:
    tokens = table()
    tokens.put(TOKEN, "claims", 10.0, 20.0, 1000)
    assert tokens.get(TOKEN, now) == found


def test_get_accepts_no_near_equal_token() -> None:
    tokens = table()
    tokens.put(TOKEN, "claims", 0.0, 1e9, 1000)
    for position in range(len(TOKEN)):
        for flip in (1, 0x20, 0x80):
            near = TOKEN[:position] + bytes((TOKEN[position] ^ flip,)) + TOKEN[position + 1 :]
            assert tokens.get(near, 1.0) is None
    for near in (TOKEN[1:], TOKEN[:-1], TOKEN + b"A", b"A" + TOKEN, TOKEN[-48:], b""):
        assert tokens.get(near, 1.0) is None
    assert tokens.get(TOKEN, 1.0) == "claims"


@given(st.binary(max_size=80), st.integers(0, 500), st.integers(0, 500))
def test_get_accepts_no_spliced_token(middle: bytes, start: int, end: int) -> None:
    tokens = table()
    tokens.put(TOKEN, "claims", 0.0, 1e9, 1000)
    other = TOKEN[:start] + middle + TOKEN[end:]
    assert (tokens.get(other, 1.0) is not None) == (other == TOKEN)


def test_put_of_tokens_with_one_end_keeps_them_apart() -> None:
    tokens = table()
    for number in range(50):
        tokens.put(b"%d" % number + TOKEN[2:], number, 0.0, 1e9, 1000)
    found = [tokens.get(b"%d" % number + TOKEN[2:], 1.0) for number in range(50)]
    assert found == list(range(50))


@pytest.mark.parametrize("length", [48, 49, 63, 64, 65, 80, 300])
def test_forgeable_tokens_are_told_apart_by_every_byte(length: int) -> None:
    table = VerifiedTokens(1_000, 1 << 20, SEED, True)
    token = bytes(range(40, 40 + 200))[:length].ljust(length, b"z")
    assert table.put(token, "first", 0.0, 10.0, 1000)
    for position in range(length):
        near = token[:position] + b"!" + token[position + 1 :]
        assert table.get(near, 5.0) is None
        assert table.put(near, position, 0.0, 10.0, 1000)
    assert [table.get(token[:at] + b"!" + token[at + 1 :], 5.0) for at in range(length)] == list(range(length))
    assert table.get(token, 5.0) == "first"


def test_put_again_replaces() -> None:
    tokens = table()
    tokens.put(TOKEN, "old", 0.0, 10.0, 1000)
    tokens.put(TOKEN, "new", 20.0, 30.0, 2000)
    assert (len(tokens), tokens.bytes_used, tokens.evictions) == (1, 2000, 0)
    assert tokens.get(TOKEN, 5.0) is None
    assert tokens.get(TOKEN, 25.0) == "new"


def test_put_refuses_what_is_too_dear_or_no_token() -> None:
    tokens = table(bytes_max=5000)
    assert not tokens.put(TOKEN, "x", 0.0, 1.0, 5001)
    assert not tokens.put(TOKEN, "x", 0.0, 1.0, 399)  # less than the token's own bytes
    assert not tokens.put(TOKEN[:47], "x", 0.0, 1.0, 1000)
    assert len(tokens) == 0


def test_bounds_hold_under_a_flood() -> None:
    tokens = table(entries_max=100, bytes_max=50_000)
    for number in range(20_000):
        tokens.put(numbered(number), number, 0.0, 1e9, 400 + number % 700)
        assert len(tokens) <= 100 and tokens.bytes_used <= 50_000
    assert tokens.evictions == 20_000 - len(tokens)
    assert sum(tokens.get(numbered(number), 1.0) == number for number in range(20_000)) == len(tokens)


def test_flood_of_new_tokens_leaves_those_in_use() -> None:
    tokens = table(entries_max=200)
    for number in range(50):
        tokens.put(numbered(number), number, 0.0, 1e9, 100)
    lost = 0
    for flood in range(20_000):
        tokens.put(numbered(1000 + flood), flood, 0.0, 1e9, 100)
        if flood % 2 == 0:  # each token in use comes by every 100 new ones
            lost += tokens.get(numbered(flood // 2 % 50), 1.0) is None
    assert lost == 0


def test_all_tokens_stay_when_there_is_room_for_all() -> None:
    tokens = table(entries_max=10_000, bytes_max=1 << 30)
    for number in range(10_000):
        tokens.put(numbered(number), number, 0.0, 1e9, 100)
    assert all(tokens.get(numbered(number), 1.0) == number for number in range(10_000))
    assert tokens.evictions == 0


def test_eviction_when_every_entry_is_in_use_ends_early() -> None:
    tokens = table(entries_max=1000)
    for number in range(1000):
        tokens.put(numbered(number), number, 0.0, 1e9, 100)
    assert all(tokens.get(numbered(number), 1.0) == number for number in range(1000))
    tokens.put(numbered(5000), 5000, 0.0, 1e9, 100)
    assert (len(tokens), tokens.evictions, tokens.get(numbered(5000), 1.0)) == (1000, 1, 5000)


def test_values_are_let_go_of() -> None:
    value = object()
    before = sys.getrefcount(value)
    tokens = table(entries_max=10)
    for number in range(100):
        tokens.put(numbered(number), value, 0.0, 1e9, 100)
    assert sys.getrefcount(value) == before + 10
    tokens.clear()
    assert (len(tokens), tokens.bytes_used, sys.getrefcount(value)) == (0, 0, before)
    tokens.put(TOKEN, value, 0.0, 1e9, 1000)
    del tokens
    gc.collect()
    assert sys.getrefcount(value) == before


def test_memory_is_steady_under_a_flood() -> None:
    tokens = table(entries_max=100)
    for number in range(1000):
        tokens.put(numbered(number), str(number), 0.0, 1e9, 100)
    tracemalloc.start()
    try:
        for number in range(20_000):
            tokens.put(numbered(number), str(number), 0.0, 1e9, 100)
        assert tracemalloc.get_traced_memory()[0] < 100 * 400
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("arguments", [(0, 1, SEED), (1, 0, SEED), (-1, 1, SEED), (1, 1, SEED[:47]), (1, 1, b"")])
def test_table_refuses_wrong_arguments(arguments: tuple[int, int, bytes]) -> None:
    with pytest.raises(ValueError, match="48 bytes"):
        VerifiedTokens(*arguments)


class AgainstADictionary(RuleBasedStateMachine):
    """Whatever is found is what a dictionary has; in a tiny table probing, gaps and eviction meet all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = VerifiedTokens(40, 6000, SEED)
        self.model: dict[bytes, tuple[int, float, float]] = {}

    @rule(
        number=st.integers(0, 120),
        value=st.integers(),
        start=st.integers(0, 5),
        span=st.integers(0, 5),
        cost=st.integers(60, 400),
    )
    def put(self, number: int, value: int, start: int, span: int, cost: int) -> None:
        assert self.tokens.put(numbered(number), value, float(start), float(start + span), cost)
        self.model[numbered(number)] = (value, start, start + span)

    @rule(number=st.integers(0, 120), now=st.integers(0, 10))
    def get(self, number: int, now: int) -> None:
        found = self.tokens.get(numbered(number), float(now))
        if found is not None:
            value, start, end = self.model[numbered(number)]
            assert found == value and start <= now < end

    @rule()
    def flood(self) -> None:
        for number in range(200, 260):
            self.tokens.put(numbered(number), number, 0.0, 1e9, 60)
            self.model[numbered(number)] = (number, 0, 1e9)
            assert self.tokens.get(numbered(number), 1.0) == number

    @rule()
    def clear(self) -> None:
        self.tokens.clear()
        assert len(self.tokens) == 0

    @invariant()
    def bounds_hold(self) -> None:
        assert len(self.tokens) <= 40 and 0 <= self.tokens.bytes_used <= 6000


TestAgainstADictionary = AgainstADictionary.TestCase
