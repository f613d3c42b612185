"""The load generator's histogram, read back: 128 buckets an octave of nanoseconds, as in tools/histogram.h.

Histograms of rounds can be added up; percentiles cannot, and nothing here averages them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

SUB_BITS = 7
SUB_BUCKETS = 1 << SUB_BITS


def bucket_index(value_ns: int) -> int:
    """The bucket of a value."""
    if value_ns < SUB_BUCKETS:
        return value_ns
    shift = value_ns.bit_length() - 1 - SUB_BITS
    return shift * SUB_BUCKETS + (value_ns >> shift)


def bucket_top(index: int) -> int:
    """The largest value that falls into the bucket."""
    if index < 2 * SUB_BUCKETS:
        return index
    shift = index // SUB_BUCKETS - 1
    return ((index - shift * SUB_BUCKETS + 1) << shift) - 1


@dataclass(slots=True)
class Histogram:
    """Counts by bucket."""

    counts: Counter[int] = field(default_factory=Counter)

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[int, int]]) -> "Histogram":
        """From (bucket, count) pairs, as the load generator prints them."""
        return cls(Counter(dict(pairs)))

    def __add__(self, other: "Histogram") -> "Histogram":
        return Histogram(self.counts + other.counts)

    def add(self, value_ns: int) -> None:
        """Counts one value."""
        self.counts[bucket_index(value_ns)] += 1

    @property
    def total(self) -> int:
        """How many values were counted."""
        return self.counts.total()

    def percentile_us(self, percent: float) -> float:
        """Microseconds that `percent` of the values do not exceed: the top of a bucket. 0.0 if there are no values."""
        wanted, seen = self.total * percent / 100, 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= wanted:
                return bucket_top(index) / 1000
        return 0.0
