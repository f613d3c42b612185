"""The binary search tree of an MMDB (MaxMind DB format 2.0), flattened into sorted ranges.

Knows nodes and record numbers only. It never reads outside the tree, and a tree that loops is refused, not followed.
"""

from libc.stdint cimport uint64_t

from fastedge._core.georanges cimport Ranges
from fastedge.errors import ConfigError
from fastedge.limits import geo_tree_visits_max

cdef enum:
    DEEPEST = 128


cdef struct Tree:
    const unsigned char* nodes
    uint64_t node_count
    int record_bits
    int depth_max
    uint64_t alias
    uint64_t visits_left
    uint64_t last


def flatten(
    bytes tree not None, uint64_t node_count, int record_bits, int address_bits, uint64_t root, uint64_t alias,
    dict records not None,
):
    """The ranges below the node `root`. An owner is what `records` has for the number that stands in the tree; what is new
    there is numbered, and 0 is 0: addresses of which nothing is known.
    The node `alias` is not entered: MaxMind's trees hang all of IPv4 a second time under 2002::/16 and the like.
    `node_count` as a root is the empty tree, as an alias none. Raises ConfigError for a tree that is damaged.
    """
    cdef Tree walk
    _check_size(tree, node_count, record_bits)
    if not 1 <= address_bits <= DEEPEST:
        raise ValueError(f"{address_bits} address bits")
    walk.nodes = tree
    walk.node_count = node_count
    walk.record_bits = record_bits
    walk.depth_max = address_bits
    walk.alias = alias
    walk.visits_left = geo_tree_visits_max
    walk.last = <uint64_t>-1
    ranges = Ranges()
    _visit(&walk, ranges, records, root, 0, 0, 0)
    return ranges


def leftmost(bytes tree not None, uint64_t node_count, int record_bits, int depth):
    """The node, or record, that `depth` zero bits lead to: where IPv4 hangs in a tree of IPv6 (depth 96)."""
    cdef Tree walk
    cdef uint64_t node = 0
    _check_size(tree, node_count, record_bits)
    walk.nodes = tree
    walk.record_bits = record_bits
    for _ in range(depth):
        if node >= node_count:
            break
        node = _child(&walk, node, False)
    return node


cdef int _check_size(bytes tree, uint64_t node_count, int record_bits) except -1:
    if record_bits not in (24, 28, 32):
        raise ConfigError(f"MMDB: records of {record_bits} bits, expected 24, 28 or 32")
    if node_count > <uint64_t>len(tree) * 4 // record_bits:
        raise ConfigError(f"MMDB: {len(tree)} bytes cannot hold a tree of {node_count} nodes: truncated?")
    return 0


cdef int _visit(Tree* walk, Ranges ranges, dict records, uint64_t node, int depth, uint64_t high, uint64_t low) except -1:
    """In order, so that starts come out sorted. The recursion is as deep as an address has bits."""
    cdef int bit
    if walk.visits_left == 0:
        raise ConfigError(f"MMDB: more than {geo_tree_visits_max} steps through its tree: damaged, or far too large")
    walk.visits_left -= 1
    if node >= walk.node_count or node == walk.alias:
        return _emit(walk, ranges, records, node if node > walk.node_count else 0, high, low)
    if depth == walk.depth_max:
        raise ConfigError(f"MMDB: its tree goes deeper than the {depth} bits of an address: damaged")
    _visit(walk, ranges, records, _child(walk, node, False), depth + 1, high, low)
    bit = walk.depth_max - 1 - depth
    if bit >= 64:
        high |= <uint64_t>1 << (bit - 64)
    else:
        low |= <uint64_t>1 << bit
    return _visit(walk, ranges, records, _child(walk, node, True), depth + 1, high, low)


cdef int _emit(Tree* walk, Ranges ranges, dict records, uint64_t record, uint64_t high, uint64_t low) except -1:
    if record == walk.last:
        return 0
    walk.last = record
    number = records.get(record)
    if number is None:
        number = records[record] = len(records)
    return ranges.put(high, low, number)


cdef inline uint64_t _child(Tree* walk, uint64_t node, bint right) noexcept:
    cdef const unsigned char* at
    if walk.record_bits == 24:
        at = walk.nodes + node * 6 + (3 if right else 0)
        return <uint64_t>at[0] << 16 | <uint64_t>at[1] << 8 | at[2]
    if walk.record_bits == 32:
        at = walk.nodes + node * 8 + (4 if right else 0)
        return <uint64_t>at[0] << 24 | <uint64_t>at[1] << 16 | <uint64_t>at[2] << 8 | at[3]
    # 28 bits: the byte in the middle lends its upper half to the left record, its lower half to the right one.
    at = walk.nodes + node * 7
    if right:
        return <uint64_t>(at[3] & 0x0F) << 24 | <uint64_t>at[4] << 16 | <uint64_t>at[5] << 8 | at[6]
    return <uint64_t>(at[3] & 0xF0) << 20 | <uint64_t>at[0] << 16 | <uint64_t>at[1] << 8 | at[2]
