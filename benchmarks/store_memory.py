"""What a stored response takes beside its head and body: `python -m benchmarks.store_memory [entries]`.

By the process's resident memory; and the processor time of the slowest keep(), which is one that a shard grows in.
"""

import os
import sys
from array import array
from pathlib import Path
from time import thread_time_ns

from fastedge._core.store import MemoryStore
from fastedge._core.stored import make_stored

HEAD = (
    b'content-type: text/html\r\ncache-control: max-age=3600\r\netag: "%08d"\r\ndate: Mon, 23 Nov 2026 12:00:00 GMT\r\n'
)
BODY_BYTES = 1000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def fill(entries: int) -> tuple[MemoryStore, float, "array[int]"]:
    """The store, the bytes that an object takes beside head and body, and the time of each keep in nanoseconds."""
    store, times = MemoryStore(1 << 40, bytes(16)), array("q", [1]) * entries
    before, own = resident_bytes(), 0
    for number in range(entries):
        high, low = (hash((number, half)) % 2**64 for half in (1, 2))
        key = b"4:http12:shop.example4:main17:/products/%07d" % number
        stored = make_stored(high, low, key, 200, HEAD % number, b"%*d" % (BODY_BYTES, number), names=bytes(16))
        own += len(stored.head) + stored.length
        began = thread_time_ns()
        store.put(stored)
        times[number] = thread_time_ns() - began
    return store, (resident_bytes() - before - own) / entries, times


def main() -> None:
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    store, overhead, times = fill(entries)
    ordered = sorted(times)
    counted = store.bytes_used / entries - BODY_BYTES - len(HEAD % 0)
    print(f"objects                 {len(store)}")
    print(f"overhead, bytes         {overhead:.0f}")
    print(f"overhead as counted     {counted:.0f}")
    print(f"slowest keep, µs        {ordered[-1] / 1000:.0f}")
    print(f"99.9 % of keeps, µs     {ordered[-entries // 1000] / 1000:.1f}")


if __name__ == "__main__":
    main()
