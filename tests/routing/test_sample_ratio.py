"""The chi-squared test against values that tables print, and against what chance does."""

import math
import random

import pytest

from fastedge.limits import experiment_srm_exposures_min
from fastedge.routing.sample_ratio import chi_squared_sf, sample_ratio_p


# Critical values as every table of the distribution prints them.
@pytest.mark.parametrize(
    ("x", "degrees", "p"),
    [
        (3.841, 1, 0.05),
        (6.635, 1, 0.01),
        (10.828, 1, 0.001),
        (5.991, 2, 0.05),
        (13.816, 2, 0.001),
        (0.711, 4, 0.95),
        (18.307, 10, 0.05),
        (29.588, 10, 0.001),
        (43.773, 30, 0.05),
        (67.505, 50, 0.05),
        (124.342, 100, 0.05),
    ],
)
def test_critical_values_of_tables(x, degrees, p):
    assert chi_squared_sf(x, degrees) == pytest.approx(p, rel=2e-3)


@pytest.mark.parametrize("x", [0.001, 0.5, 1, 1.9, 2.1, 5, 30, 200, 1_000])
def test_closed_forms_of_one_and_two_degrees(x):
    assert chi_squared_sf(x, 1) == pytest.approx(math.erfc(math.sqrt(x / 2)), rel=1e-12, abs=1e-300)
    assert chi_squared_sf(x, 2) == pytest.approx(math.exp(-x / 2), rel=1e-12)
    assert chi_squared_sf(x, 4) == pytest.approx(math.exp(-x / 2) * (1 + x / 2), rel=1e-12)


def test_ends_of_the_distribution():
    assert chi_squared_sf(0, 3) == 1
    assert chi_squared_sf(1e6, 3) == 0
    for x, degrees in ((-1, 1), (1, 0), (math.nan, 1)):
        with pytest.raises(ValueError, match="chi-squared"):
            chi_squared_sf(x, degrees)


def test_split_of_known_experiments():
    # (5200 - 5000)² / 5000 twice is 16: p = erfc(√8)
    assert sample_ratio_p([5_200, 4_800], [5_000, 5_000]) == pytest.approx(math.erfc(math.sqrt(8)))
    assert sample_ratio_p([5_000, 5_000], [5_000, 5_000]) == 1


def test_too_little_says_nothing():
    half = experiment_srm_exposures_min / 2
    assert sample_ratio_p([experiment_srm_exposures_min - 1, 0], [half, half]) is None
    assert sample_ratio_p([experiment_srm_exposures_min, 0], [half, half]) is not None
    assert sample_ratio_p([5_000, 2], [4_998, 4]) is None
    assert sample_ratio_p([5_000], [5_000]) is None
    assert sample_ratio_p([5_000, 0], [5_000, 0]) is None
    assert sample_ratio_p([], []) is None


def test_fair_splits_are_called_off_as_seldom_as_p_says():
    source = random.Random(7)
    below = 0
    for _ in range(2_000):
        first = source.binomialvariate(2_000, 0.3) if hasattr(source, "binomialvariate") else _binomial(source)
        p = sample_ratio_p([first, 2_000 - first], [600, 1_400])
        assert p is not None
        below += p < 0.05
    assert 60 < below < 140  # 100 ± four standard deviations


def _binomial(source):
    return sum(source.random() < 0.3 for _ in range(2_000))
