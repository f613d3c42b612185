"""Which buckets each variant has, where that has a history: a ramp moves as few visitors as it must.

Plain weights deal out the buckets in the order of the variants (`shares_of`), so that a change in the middle moves
visitors between variants that have not changed. An allocation keeps what was dealt out, and moves the difference alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from typing import Any

from fastedge.errors import ConfigError
from fastedge.limits import experiment_buckets, experiment_variants_max
from fastedge.routing.shares import shares_of


@dataclass(frozen=True, slots=True)
class Allocation:
    """Ranges of buckets: (variant, the first bucket, the first that is no longer in it), in the order of the buckets.

    `variants` stand in their order, those included that have no bucket.
    """

    variants: tuple[str, ...]
    ranges: tuple[tuple[str, int, int], ...]

    def shares(self) -> dict[str, int]:
        """How many buckets each variant has."""
        shares = dict.fromkeys(self.variants, 0)
        for variant, first, end in self.ranges:
            shares[variant] += end - first
        return shares

    def as_table(self) -> dict[str, list[list[int]]]:
        """variant → its ranges, as JSON has it and `read_allocation` reads it."""
        return {
            variant: [[first, end] for owner, first, end in self.ranges if owner == variant]
            for variant in self.variants
        }

    def owners(self) -> list[str]:
        """Each bucket's variant."""
        return [variant for variant, first, end in self.ranges for _ in range(first, end)]


def allocation_of(weights: Mapping[str, float]) -> Allocation:
    """What plain weights mean: buckets dealt out in the order of the variants."""
    shares = shares_of(weights)
    edges = pairwise([0, *accumulate(shares.values())])
    ranges = ((variant, first, end) for variant, (first, end) in zip(shares, edges, strict=True) if first < end)
    return Allocation(tuple(shares), tuple(ranges))


def allocate(previous: Allocation | Mapping[str, float], weights: Mapping[str, float]) -> Allocation:
    """`weights` in force with as few buckets as possible changing hands; `previous` is what there is, or plain weights.

    Who has too many gives up its last ones; who has too few gets of these the first, in the order of `weights`.
    """
    before = previous if isinstance(previous, Allocation) else allocation_of(previous)
    wanted = shares_of(weights)
    room = dict(wanted)
    owners: list[str | None] = []
    for owner in before.owners():
        keeps = room.get(owner, 0) > 0
        owners.append(owner if keeps else None)
        if keeps:
            room[owner] -= 1
    newcomers = (variant for variant, count in room.items() for _ in range(count))
    return _allocation(tuple(wanted), [next(newcomers) if owner is None else owner for owner in owners])


def read_allocation(table: Any) -> Allocation:
    """An allocation of variant → ranges `[first, end]`, in any order. ConfigError unless they are a partition."""
    if not isinstance(table, Mapping) or not 0 < len(table) <= experiment_variants_max:
        raise ConfigError(f"allocation: expected 1 to {experiment_variants_max} variants with a list of ranges each")
    ranges = sorted((first, end, variant) for variant, found in table.items() for first, end in _ranges(variant, found))
    at = 0
    for first, end, variant in ranges:
        if first != at:
            what = "no variant has" if first > at else "two variants have"
            raise ConfigError(f"allocation: {what} bucket {min(first, at)}, before {variant!r}")
        at = end
    if at != experiment_buckets:
        raise ConfigError(f"allocation: no variant has bucket {at}")
    return Allocation(tuple(table), tuple((variant, first, end) for first, end, variant in ranges))


def _ranges(variant: Any, found: Any) -> Iterator[tuple[int, int]]:
    for one in found if isinstance(found, Sequence) else [None]:
        match one:
            case [first, end] if type(first) is type(end) is int and 0 <= first < end <= experiment_buckets:
                yield first, end
            case _:
                raise ConfigError(
                    f"allocation: {variant!r} has {one!r:.80}; expected a list of [first, end],"
                    f" 0 to {experiment_buckets}, the end not in it"
                )


def _allocation(variants: tuple[str, ...], owners: Sequence[str]) -> Allocation:
    ranges, at = [], 0
    for variant, run in groupby(owners):
        end = at + sum(1 for _ in run)
        ranges.append((variant, at, end))
        at = end
    return Allocation(variants, tuple(ranges))
