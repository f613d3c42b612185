"""The histogram's buckets are gapless, monotone and exact to 1 %, whatever the values."""

import math

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.histogram import Histogram, bucket_index, bucket_top

values_ns = st.integers(min_value=0, max_value=2**40)


@given(values_ns)
def test_bucket_holds_its_value_to_one_percent(value: int) -> None:
    top = bucket_top(bucket_index(value))
    assert value <= top <= value * 1.01


@given(values_ns)
def test_buckets_lie_side_by_side(value: int) -> None:
    index = bucket_index(value)
    assert bucket_index(bucket_top(index)) == index
    assert bucket_index(bucket_top(index) + 1) == index + 1


@given(st.lists(values_ns, min_size=1), st.sampled_from([0.1, 50.0, 90.0, 99.0, 99.9, 100.0]))
def test_percentile_is_the_sorted_list_s_to_one_percent(values: list[int], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[math.ceil(len(values) * percent / 100) - 1]
    assert exact <= histogram.percentile_us(percent) * 1000 + 1e-3
    assert histogram.percentile_us(percent) * 1000 <= exact * 1.01 + 1e-3


@given(st.lists(values_ns), st.lists(values_ns))
def test_sum_of_two_is_the_histogram_of_both(some: list[int], more: list[int]) -> None:
    first, second, both = Histogram(), Histogram(), Histogram()
    for value in some:
        first.add(value)
    for value in more:
        second.add(value)
    for value in some + more:
        both.add(value)
    assert (first + second).counts == both.counts


def test_percentile_of_nothing_is_zero() -> None:
    assert Histogram().percentile_us(99) == 0.0
