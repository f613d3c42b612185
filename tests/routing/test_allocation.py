"""Ramps: as few visitors move as must, whatever the variants, their order and what was before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.errors import ConfigError
from fastedge.routing import Allocation, allocate, allocation_of, assign, read_allocation, shares_of
from fastedge.routing.experiments import buckets_of

NAMES = ["a", "b", "c", "d", "e"]
WEIGHTS = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 100), min_size=1).filter(
    lambda found: any(found.values())
)


def moves(one, other):
    return sum(before != after for before, after in zip(one.owners(), other.owners(), strict=True))


@given(st.lists(WEIGHTS, min_size=2, max_size=6))
def test_each_step_of_a_ramp_moves_the_least_that_there_is(steps):
    before = allocation_of(steps[0])
    for weights in steps[1:]:
        after = allocate(before, weights)
        was, wanted = before.shares(), shares_of(weights)
        least = sum(max(0, share - was.get(variant, 0)) for variant, share in wanted.items())
        assert after.shares() == wanted
        assert moves(before, after) == least
        assert read_allocation(after.as_table()) == after
        before = after


@given(WEIGHTS)
def test_plain_weights_are_dealt_out_in_their_order(weights):
    allocation = allocation_of(weights)
    assert allocation.shares() == shares_of(weights)
    assert [variant for variant, _, _ in allocation.ranges] == [
        name for name, share in allocation.shares().items() if share
    ]
    assert allocate(weights, weights) == allocation


def test_ramp_in_the_middle_moves_a_tenth_where_plain_weights_move_more():
    before, after = {"a": 45, "new": 10, "b": 45}, {"a": 40, "new": 20, "b": 40}
    assert moves(allocation_of(before), allocation_of(after)) == 1_000
    before, after = {"old": 90, "new": 10}, {"new": 20, "old": 80}
    assert moves(allocation_of(before), allocation_of(after)) == 3_000
    assert moves(allocation_of(before), allocate(before, after)) == 1_000


def test_visitors_of_an_allocation_move_as_its_buckets_do():
    before = allocation_of({"new": 10, "old": 90})
    after = allocate(before, {"old": 80, "new": 20})
    keys = [str(i) for i in range(5_000)]
    moved = [key for key in keys if assign("s", key, before) != assign("s", key, after)]
    assert 400 < len(moved) < 600
    assert {assign("s", key, after) for key in moved} == {"new"}


def test_documented_allocation_is_what_the_ramp_gives():
    after = allocate({"new": 10, "old": 90}, {"new": 20, "old": 80})
    assert after.as_table() == {"new": [[0, 1_000], [9_000, 10_000]], "old": [[1_000, 9_000]]}


def test_variant_without_a_bucket_is_still_a_variant():
    allocation = read_allocation({"new": [], "old": [[0, 10_000]]})
    assert allocation == Allocation(("new", "old"), (("old", 0, 10_000),))
    assert buckets_of("s", allocation).variants == ("new", "old")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "expected 1 to 64 variants"),
        ([], "expected 1 to 64 variants"),
        ({"a": [[0, 9_999]]}, "no variant has bucket 9999"),
        ({"a": [[0, 10], [20, 10_000]]}, "no variant has bucket 10, before 'a'"),
        ({"a": [[0, 6_000]], "b": [[5_000, 10_000]]}, "two variants have bucket 5000, before 'b'"),
        ({"a": [[0, 10_001]]}, r"'a' has \[0, 10001\]"),
        ({"a": [[5, 5]]}, r"'a' has \[5, 5\]"),
        ({"a": [[0, True]]}, r"'a' has \[0, True\]"),
        ({"a": [[-1, 10_000]]}, r"'a' has \[-1, 10000\]"),
        ({"a": [["0", "10000"]]}, r"'a' has \['0', '10000'\]"),
        ({"a": 10_000}, "'a' has None"),
        ({"a": "[]"}, r"'a' has '\['"),
    ],
)
def test_allocation_that_is_no_partition_is_refused(table, told):
    with pytest.raises(ConfigError, match=f"^allocation: {told}"):
        read_allocation(table)
