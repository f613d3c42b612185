"""A made-up country table of a real one's size, the same for every peer: blocks of IPv4 addresses, each with a country.

Deterministic, so that rounds of different days look up the same addresses. It says nothing about the real world.
"""

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

SEED = 9110
# By weight, as the world's addresses are: a few countries hold most of them.
COUNTRIES = ("US", "US", "US", "CN", "JP", "DE", "GB", "KR", "BR", "FR", "CA", "IT", "NL", "AU", "IN", "ES", "CH", "ZA")
FIRST, LAST = 1 << 24, 224 << 24
# A block of this size is cut in halves, and those again with this chance: 180,000 blocks or so, from /12
# to /24, as in the public tables.
PREFIX_MIN, PREFIX_MAX, SPLIT = 12, 24, 0.65


@dataclass(frozen=True, slots=True)
class CountryTable:
    """Sorted blocks: the n-th begins at `firsts[n]`, is `prefixes[n]` bits long and lies in `countries[n]`."""

    firsts: tuple[int, ...]
    prefixes: tuple[int, ...]
    countries: tuple[str, ...]

    def lookup(self, address: str) -> str:
        """The truth that every peer's answer is compared with; "" where no block is."""
        number = int(IPv4Address(address))
        at = bisect_right(self.firsts, number) - 1
        if at < 0 or number >= self.firsts[at] + (1 << (32 - self.prefixes[at])):
            return ""
        return self.countries[at]

    def blocks(self) -> Iterator[tuple[str, str]]:
        """(CIDR, country), as nginx and HAProxy read them."""
        for first, prefix, country in zip(self.firsts, self.prefixes, self.countries, strict=True):
            yield f"{IPv4Address(first)}/{prefix}", country

    def ranges(self) -> Iterator[tuple[int, str]]:
        """(first address, country), each until the next, as fastedge compiles them."""
        yield from zip(self.firsts, self.countries, strict=True)
        yield LAST, ""

    def addresses(self, count: int) -> list[str]:
        """Addresses of clients, spread over the blocks."""
        chance = random.Random(SEED)
        return [str(IPv4Address(chance.randrange(FIRST, LAST))) for _ in range(count)]


def make_countries() -> CountryTable:
    """The table. Blocks lie side by side, each aligned to its size."""
    chance = random.Random(SEED)
    firsts, prefixes, countries = [], [], []
    step = 1 << (32 - PREFIX_MIN)
    todo = [(first, PREFIX_MIN) for first in range(LAST - step, FIRST - 1, -step)]
    while todo:
        first, prefix = todo.pop()
        if prefix < PREFIX_MAX and chance.random() < SPLIT:
            todo += [(first + (1 << (31 - prefix)), prefix + 1), (first, prefix + 1)]
            continue
        firsts.append(first)
        prefixes.append(prefix)
        countries.append(chance.choice(COUNTRIES))
    return CountryTable(tuple(firsts), tuple(prefixes), tuple(countries))
