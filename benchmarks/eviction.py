"""How often a store's eviction finds what is asked: `python -m benchmarks.eviction [requests]` prints a table.

The real MemoryStore beside textbook rules over objects of one size, on three made traces with a fixed seed:
popularity by Zipf's law; the same with one-time scans of twice the cache's size in between, a fifth of all requests;
and one where at every tenth of the trace a fifth of the popular objects trade places with unpopular ones.
"""

import random
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator

from fastedge._core.store import MemoryStore
from fastedge._core.stored import make_stored

OBJECTS = 100_000
ALPHA = 0.9
SHARES = (0.01, 0.1)  # of the objects that the cache has room for

Ask = Callable[[int], bool]  # whether the object was there; afterwards it is, if the rule lets it in


# --- traces ------------------------------------------------------------------------------------------------------


def zipf(requests: int, chance: random.Random) -> list[int]:
    weights = [1 / rank**ALPHA for rank in range(1, OBJECTS + 1)]
    return chance.choices(range(OBJECTS), weights, k=requests)


def with_scans(requests: int, chance: random.Random, capacity: int) -> Iterator[int]:
    asked, once = iter(zipf(requests, chance)), OBJECTS
    for number in range(requests):
        if number // (2 * capacity) % 5 == 4:
            once += 1
            yield once
        else:
            yield next(asked)


def shifting(requests: int, chance: random.Random) -> Iterator[int]:
    objects = list(range(OBJECTS))
    for number, rank in enumerate(zipf(requests, chance)):
        if number % (requests // 10) == 0:
            for popular in range(0, OBJECTS // 10, 5):
                other = chance.randrange(OBJECTS)
                objects[popular], objects[other] = objects[other], objects[popular]
        yield objects[rank]


TRACES: dict[str, Callable[[int, random.Random, int], Iterator[int] | list[int]]] = {
    "Zipf": lambda requests, chance, capacity: zipf(requests, chance),
    "Zipf and scans": with_scans,
    "shifting": lambda requests, chance, capacity: shifting(requests, chance),
}


# --- rules -------------------------------------------------------------------------------------------------------


def fastedge(capacity: int) -> Ask:
    """The real store."""
    cost = make_stored(0, 0, b"%08d" % 0).memory_bytes
    store = MemoryStore(capacity * cost, bytes(range(16)))

    def ask(number: int) -> bool:
        high, low, key = hash((number, 1)) % 2**64, hash((number, 2)) % 2**64, b"%08d" % number
        stored = store.get(high, low, key)
        if stored is None:
            store.put(make_stored(high, low, key))
            return False
        store.use(stored)
        return True

    return ask


def fifo(capacity: int) -> Ask:
    kept: OrderedDict[int, None] = OrderedDict()

    def ask(number: int) -> bool:
        if number in kept:
            return True
        kept[number] = None
        if len(kept) > capacity:
            kept.popitem(last=False)
        return False

    return ask


def lru(capacity: int) -> Ask:
    kept: OrderedDict[int, None] = OrderedDict()

    def ask(number: int) -> bool:
        hit = number in kept
        kept[number] = None
        kept.move_to_end(number)
        if len(kept) > capacity:
            kept.popitem(last=False)
        return hit

    return ask


def clock(capacity: int) -> Ask:
    used: dict[int, bool] = {}
    hand: deque[int] = deque()

    def ask(number: int) -> bool:
        if number in used:
            used[number] = True
            return True
        while len(used) >= capacity:
            oldest = hand.popleft()
            if used[oldest]:
                used[oldest] = False
                hand.append(oldest)
            else:
                del used[oldest]
        used[number] = False
        hand.append(number)
        return False

    return ask


def w_tinylfu(capacity: int) -> Ask:
    """Window of 1 %, segmented LRU behind it; admission by counts, exact ones, halved every ten capacities."""
    window: OrderedDict[int, None] = OrderedDict()
    trial: OrderedDict[int, None] = OrderedDict()
    protected: OrderedDict[int, None] = OrderedDict()
    counts: Counter[int] = Counter()
    window_max = max(capacity // 100, 1)
    main_max = capacity - window_max
    asked = 0

    def admit(candidate: int) -> None:
        if len(trial) + len(protected) >= main_max:
            victim = next(iter(trial or protected))
            if counts[candidate] <= counts[victim]:
                return
            del (trial or protected)[victim]
        trial[candidate] = None

    def promote(number: int) -> None:
        del trial[number]
        protected[number] = None
        if len(protected) > main_max * 8 // 10:
            trial[protected.popitem(last=False)[0]] = None

    def ask(number: int) -> bool:
        nonlocal asked, counts
        asked += 1
        counts[number] = min(counts[number] + 1, 15)
        if asked % (10 * capacity) == 0:
            counts = Counter({other: count // 2 for other, count in counts.items() if count > 1})
        for kept in (window, protected):
            if number in kept:
                kept.move_to_end(number)
                return True
        if number in trial:
            promote(number)
            return True
        window[number] = None
        if len(window) > window_max:
            admit(window.popitem(last=False)[0])
        return False

    return ask


RULES: dict[str, Callable[[int], Ask]] = {
    "fastedge (S3-FIFO)": fastedge,
    "W-TinyLFU": w_tinylfu,
    "CLOCK": clock,
    "LRU": lru,
    "FIFO": fifo,
}


def ratios(requests: int) -> dict[str, list[float]]:
    """Percent of hits, a row for each rule, columns by trace, then by share."""
    rows: dict[str, list[float]] = {name: [] for name in RULES}
    for trace in TRACES.values():
        for share in SHARES:
            capacity = int(OBJECTS * share)
            asked = list(trace(requests, random.Random(1), capacity))
            for name, rule in RULES.items():
                rows[name].append(100 * sum(map(rule(capacity), asked)) / requests)
    return rows


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    titles = [f"{trace}, {share:.0%}" for trace in TRACES for share in SHARES]
    print("| hits, % | " + " | ".join(titles) + " |\n|---|" + "---|" * len(titles))
    for name, row in ratios(requests).items():
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |")


if __name__ == "__main__":
    main()
