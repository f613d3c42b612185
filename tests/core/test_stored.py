"""Invariant: a stored response says what it was made of, whatever the sizes of its key and names."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.stored import Stored, make_stored

FIELDS = {
    "vary": b"v", "received_us": 5_000_000, "received_s": 1e9 + 0.25, "initial_age_s": 2.5, "lifetime_s": 60.0,
    "stale_while_revalidate_s": 5.0, "stale_if_error_s": 6.0, "flags": 9, "url_at": 7, "url_size": 3, "born": 11,
    "length": 1 << 40,
}  # fmt: skip


@given(st.binary(max_size=700), st.lists(st.binary(min_size=8, max_size=8), max_size=90).map(b"".join))
def test_key_and_names_come_back(key: bytes, names: bytes) -> None:
    stored = make_stored(2**64 - 1, 2, key, 404, b"a: b\r\n", b"body", names=names)
    assert (stored.high, stored.low, stored.key, stored.key_size, stored.names) == (2**64 - 1, 2, key, len(key), names)
    assert (stored.status, stored.head, stored.body, stored.length) == (404, b"a: b\r\n", b"body", 4)
    assert stored.memory_bytes >= 176 + len(key) + len(names) + 4 + 6


def test_everything_else_comes_back() -> None:
    stored = make_stored(1, 2, b"3:key5:urlet", **FIELDS)  # type: ignore[arg-type]
    assert {name: getattr(stored, name) for name in FIELDS} == FIELDS
    assert stored.url == b"url"
    assert stored.age_s(6_500_000) == 4.0
    assert stored.variant is None


def test_refreshed_has_its_head_and_shares_the_rest() -> None:
    stored = make_stored(1, 2, b"3:key5:urlet", 203, b"a: b\r\n", bytes(2000), names=bytes(range(16)), **FIELDS)  # type: ignore[arg-type]
    fresh = stored.refreshed(b"a: c\r\n")
    assert (fresh.head, fresh.body is stored.body) == (b"a: c\r\n", True)
    for name in ("high", "low", "key", "names", "status", "url", *FIELDS):
        assert getattr(fresh, name) == getattr(stored, name)


@pytest.mark.parametrize("names", [b"1", bytes(17), bytes(8 * 65_536)])
def test_names_that_are_none_are_refused(names: bytes) -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        make_stored(1, 2, b"key", names=names)


def test_stored_is_made_whole_or_not_at_all() -> None:
    with pytest.raises(TypeError, match="make_stored"):
        Stored()


def test_file_counts_as_its_handle() -> None:
    assert make_stored(1, 2, b"key", body=object(), length=1 << 30).memory_bytes < 400


def test_collector_does_not_know_it() -> None:
    assert not gc.is_tracked(make_stored(1, 2, b"key"))
