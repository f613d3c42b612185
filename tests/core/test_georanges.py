"""Ranges: joined ones answer for every address as the two do."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.georanges import Ranges
from fastedge.errors import ConfigError

ROWS = st.dictionaries(st.integers(0, 40) | st.integers(2**64 - 3, 2**64 + 3), st.integers(0, 4), max_size=12)


def ranges(rows: dict[int, int]) -> Ranges:
    made = Ranges()
    for start in sorted(rows):
        made.add(start, rows[start])
    return made


def owner_at(rows: dict[int, int], address: int) -> int:
    return next((owner for start, owner in sorted(rows.items(), reverse=True) if start <= address), 0)


@given(ROWS, ROWS)
def test_joined_ranges_answer_as_both_do(one: dict[int, int], other: dict[int, int]) -> None:
    both, pairs = ranges(one).joined(ranges(other))
    joined = dict(both)
    assert pairs[0] == (0, 0)
    for address in (*range(45), *range(2**64 - 4, 2**64 + 5)):
        assert pairs[owner_at(joined, address)] == (owner_at(one, address), owner_at(other, address))


@given(ROWS)
def test_neighbours_of_one_owner_are_one_range(rows: dict[int, int]) -> None:
    owners = [owner for _, owner in ranges(rows)]
    assert all(one != other for one, other in pairwise(owners))
    merged = ranges(rows).renumbered([0, 1, 1, 1, 0])
    assert {owner for _, owner in merged} <= {0, 1}
    assert merged.count <= ranges(rows).count


def test_ranges_begin_at_the_first_address() -> None:
    assert list(ranges({5: 1})) == [(0, 0), (5, 1)]
    assert list(ranges({5: 0})) == []
    assert list(ranges({0: 1})) == [(0, 1)]


@pytest.mark.parametrize("start", [4, 5])
def test_start_that_does_not_ascend_is_refused(start: int) -> None:
    made = ranges({5: 1})
    with pytest.raises(ConfigError, match="expected one behind"):
        made.add(start, 2)


def test_bytes_are_little_endian_arrays() -> None:
    made = ranges({1: 7, 2**64 + 3: 300})
    assert made.starts_high() == bytes(16) + b"\1" + bytes(7)
    assert made.starts_low() == bytes(8) + b"\1" + bytes(7) + b"\3" + bytes(7)
    assert ranges({1 << 64: 7}).starts_low() == b""
    assert made.starts_32()[4:8] == b"\1\0\0\0"
    assert made.owners_as(4) == b"\0\0\0\0\7\0\0\0\x2c\1\0\0"
    assert ranges({0: 7}).owners_as(1) == b"\7"
