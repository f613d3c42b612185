"""Weights of an experiment into shares of 10,000 buckets."""

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import accumulate

from fastedge.errors import ConfigError
from fastedge.limits import experiment_buckets, experiment_variants_max


def shares_of(weights: Mapping[str, float]) -> dict[str, int]:
    """How many of the 10,000 buckets each variant has. They add up exactly; variants stand in the given order.

    What is rounded (half up) is the running sum, so no share is off by a whole bucket and none depends on the order in
    which rests are handed out.
    """
    if not isinstance(weights, Mapping) or not 0 < len(weights) <= experiment_variants_max:
        raise ConfigError(f"weights: expected 1 to {experiment_variants_max} variants with a weight each")
    exact = [_weight(variant, weight) for variant, weight in weights.items()]
    total = sum(exact)
    if not total:
        raise ConfigError("weights: all are 0")
    edges = [math.floor(running * experiment_buckets / total + Fraction(1, 2)) for running in accumulate(exact)]
    shares = [edge - before for before, edge in zip([0, *edges], edges, strict=False)]
    for variant, weight, share in zip(weights, exact, shares, strict=True):
        if weight and not share:
            raise ConfigError(f"weights: {variant!r} has less than one of {experiment_buckets} buckets")
    return dict(zip(weights, shares, strict=True))


def _weight(variant: str, weight: float) -> Fraction:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight) or weight < 0:
        raise ConfigError(f"weights: {variant!r} has {weight!r:.80}; expected a number, 0 or more")
    return Fraction(weight)
