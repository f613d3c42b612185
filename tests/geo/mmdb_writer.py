"""Writes small MMDBs (MaxMind DB format 2.0) for tests: any record size, IPv4 in IPv6, aliases of IPv4, any records."""

import struct
import sys
from array import array
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"


class Writer:
    """`insert` networks, the most general first; then `to_bytes`."""

    def __init__(self, *, ip_version: int = 6, record_bits: int = 24) -> None:
        self.ip_version = ip_version
        self.record_bits = record_bits
        self.nodes: list[list[Any]] = [[None, None]]  # a child is None, an index, or ("data", record)
        self.bits = 128 if ip_version == 6 else 32

    def insert(self, network: str, record: Any) -> None:
        self._hang(*self._path(ip_network(network)), ("data", record))

    def alias(self, network: str) -> None:
        """Hangs the IPv4 tree a second time at `network`, as MaxMind does for 6to4 and others."""
        node: Any = 0
        for _ in range(96):
            node = self.nodes[node][0]
        assert isinstance(node, int), "insert IPv4 networks first"
        self._hang(*self._path(ip_network(network)), node)

    def _path(self, network: IPv4Network | IPv6Network) -> tuple[int, int]:
        address, length = int(network.network_address), network.prefixlen
        if network.version == 4 and self.ip_version == 6:
            length += 96
        return address, length

    def _hang(self, address: int, length: int, leaf: Any) -> None:
        node = 0
        for depth in range(length - 1):
            bit = address >> (self.bits - 1 - depth) & 1
            child = self.nodes[node][bit]
            if not isinstance(child, int):
                self.nodes.append([child, child])  # a more general record is handed down to both halves
                child = self.nodes[node][bit] = len(self.nodes) - 1
            node = child
        self.nodes[node][address >> (self.bits - length) & 1] = leaf

    def to_bytes(self, **metadata: Any) -> bytes:
        """`metadata` replaces fields of the metadata map; a field that is None is left out."""
        data = bytearray()
        offsets: dict[bytes, int] = {}
        tree = b"".join(self._node([self._record(child, data, offsets) for child in node]) for node in self.nodes)
        about = {"ip_version": self.ip_version, "node_count": len(self.nodes), "record_size": self.record_bits}
        return tree + bytes(16) + bytes(data) + _metadata(about | metadata)

    def _record(self, child: Any, data: bytearray, offsets: dict[bytes, int]) -> int:
        if child is None:
            return len(self.nodes)
        if isinstance(child, int):
            return child
        encoded = encode(child[1])
        if encoded not in offsets:
            offsets[encoded] = len(data)
            data += encoded
        return len(self.nodes) + 16 + offsets[encoded]

    def _node(self, records: list[int]) -> bytes:
        left, right = records
        if self.record_bits == 28:
            middle = (left >> 24) << 4 | right >> 24
            return (left & 0xFFFFFF).to_bytes(3, "big") + bytes([middle]) + (right & 0xFFFFFF).to_bytes(3, "big")
        size = self.record_bits // 8
        return left.to_bytes(size, "big") + right.to_bytes(size, "big")


def even_database(records: list[bytes], *, bits: int) -> bytes:
    """IPv4 cut into 2^bits networks of one size, which have the encoded records in turn; made in no time."""
    leaves = 1 << bits
    offsets, at = [], leaves - 1 + 16
    for record in records:
        offsets.append(at)
        at += len(record)
    tree = array("I", range(1, leaves - 1))  # node i has the children 2i + 1 and 2i + 2
    tree.extend(offsets[i % len(records)] for i in range(leaves))
    if sys.byteorder == "little":
        tree.byteswap()
    about = {"ip_version": 4, "node_count": leaves - 1, "record_size": 32, "database_type": "Test-City"}
    return tree.tobytes() + bytes(16) + b"".join(records) + _metadata(about)


def _metadata(fields: dict[str, Any]) -> bytes:
    filled = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_700_000_000,
        "database_type": "Test-Country",
        "description": {"en": "a test"},
        "languages": ["en"],
    } | fields
    return MARKER + encode({key: value for key, value in filled.items() if value is not None})


def encode(value: Any) -> bytes:
    """A value of an MMDB's data section."""
    if isinstance(value, bool):
        return _control(14, int(value))
    if isinstance(value, str):
        text = value.encode()
        return _control(2, len(text)) + text
    if isinstance(value, float):
        return _control(3, 8) + struct.pack(">d", value)
    if isinstance(value, int):
        raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return _control(9, len(raw)) + raw
    if isinstance(value, dict):
        return _control(7, len(value)) + b"".join(encode(part) for item in value.items() for part in item)
    assert isinstance(value, list)
    return _control(11, len(value)) + b"".join(encode(item) for item in value)


def _control(kind: int, size: int) -> bytes:
    long = b"" if size < 29 else bytes([size - 29]) if size < 285 else (size - 285).to_bytes(2, "big")
    short = min(size, 29 if size < 285 else 30)
    return (bytes([kind << 5 | short]) if kind <= 7 else bytes([short, kind - 7])) + long
