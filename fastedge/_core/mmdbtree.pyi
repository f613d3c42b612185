from fastedge._core.georanges import Ranges

def flatten(
    tree: bytes,
    node_count: int,
    record_bits: int,
    address_bits: int,
    root: int,
    alias: int,
    records: dict[int, int],
) -> Ranges: ...
def leftmost(tree: bytes, node_count: int, record_bits: int, depth: int) -> int: ...
