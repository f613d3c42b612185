"""Weights of an experiment into shares of 10,000 buckets, and the variant of a key as the edge works it out.

Never random: the same salt, key and weights give the same variant in every process, at every PoP and at an origin.
"""

import ipaddress
import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import accumulate

from fastedge._core.bucket import Buckets
from fastedge.errors import ConfigError
from fastedge.limits import experiment_buckets, experiment_name_bytes_max, experiment_variants_max


def assign(salt: str, key: str | bytes, weights: Mapping[str, float]) -> str:
    """The variant that `Experiment(name, weights=weights, salt=salt)` gives the visitor with this key.

    `salt` is the experiment's name unless it has a salt of its own. A key is the cookie's value, the claim, or
    `address_key(address)`; a text counts as its UTF-8 bytes.
    """
    return buckets_of(salt, weights).variant_of(key.encode() if isinstance(key, str) else key)


def address_key(address: str) -> bytes:
    """The key of a client address: all 4 bytes of IPv4, the first 8 of IPv6 (a /64 is one household's)."""
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped.packed if mapped else parsed.packed[:8]


def buckets_of(salt: str, weights: Mapping[str, float]) -> Buckets:
    """The buckets of an experiment. ConfigError for a salt or weights that cannot be used."""
    if not isinstance(salt, str) or not 0 < len(salt.encode()) <= experiment_name_bytes_max or not salt.isprintable():
        raise ConfigError(f"salt: expected 1 to {experiment_name_bytes_max} printable characters, found {salt!r:.80}")
    shares = shares_of(weights)
    return Buckets(salt, tuple(weights), list(accumulate(shares.values())))


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
