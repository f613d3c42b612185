"""Reads what is known of every address out of an MMDB's bytes. Never opens a file, never trusts what stands in one."""

from collections.abc import Iterator
from typing import Any, Final

from fastedge._core.georanges import Ranges
from fastedge._core.mmdbdata import Extractor, decode, read_text
from fastedge._core.mmdbtree import flatten, leftmost
from fastedge.errors import ConfigError
from fastedge.geo.layer import Layer
from fastedge.geo.places import NOWHERE, SCHEMAS, Facts, read_country

# The metadata begins behind the last of these, within the last 128 KiB (MaxMind DB format 2.0, "Database Metadata").
MARKER: Final = b"\xab\xcd\xefMaxMind.com"
METADATA_BYTES_MAX: Final = 128 * 1024
GAP_BYTES: Final = 16  # zeros between the tree and the data
_CODE_CHARS: Final = 3  # what is longer names a country in words


def is_mmdb(data: bytes) -> bool:
    return _marker(data) >= 0


def read_mmdb(data: bytes) -> Layer:
    """Its ranges and places (which facts it has: geo/places.py). ConfigError if it is damaged.

    Aliases of IPv4 (6to4, Teredo) are left out: those addresses are unknown.
    """
    tree = _Tree(data)
    records: dict[int, int] = {0: 0}
    v4, v6 = tree.ranges(32, records), tree.ranges(128, records)
    numbers: dict[Facts, int] = {NOWHERE: 0}
    # Few records serve many ranges, and records that differ in what is not asked for are one place.
    owners = [numbers.setdefault(place, len(numbers)) for place in tree.places(records)]
    renumbered = v4.renumbered(owners), v6.renumbered(owners)
    return Layer(*renumbered, list(numbers), tree.built, tree.source, tuple(sorted(tree.unlisted)))


class _Tree:
    """One database being read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.end = marker = _marker(data)
        self.unlisted: set[str] = set()
        metadata = decode(data, marker + len(MARKER), len(data))
        if not isinstance(metadata, dict):
            raise ConfigError("MMDB: damaged: its metadata are no map")
        self.node_count = _number(metadata, "node_count", 2**32)
        self.record_bits = _number(metadata, "record_size", 2**8)
        self.built = _number(metadata, "build_epoch", 2**64)
        self.is_v6 = _number(metadata, "ip_version", 2**8) == 6
        if metadata["ip_version"] not in (4, 6):
            raise ConfigError("MMDB: damaged: its ip_version is neither 4 nor 6")
        if _number(metadata, "binary_format_major_version", 2**16) != 2:
            raise ConfigError("MMDB: its format is not version 2")
        source = metadata.get("database_type")
        if not isinstance(source, str):
            raise ConfigError("MMDB: damaged: its database_type is no text")
        self.source = source

    def ranges(self, bits: int, records: dict[int, int]) -> Ranges:
        root, alias = 0, self.node_count  # the number after the last node is the empty record, and as an alias none
        if self.is_v6:
            root_v4 = leftmost(self.data, self.node_count, self.record_bits, 96)
            root, alias = (root_v4, alias) if bits == 32 else (0, min(root_v4, alias))
        elif bits == 128:
            root = self.node_count
        return flatten(self.data, self.node_count, self.record_bits, bits, root, alias, records)

    def places(self, records: dict[int, int]) -> Iterator[Facts]:
        start = self.node_count * self.record_bits // 4 + GAP_BYTES
        facts = [
            (paths, self._country if read is read_country else read, read is not read_text, blank)
            for (paths, read), blank in zip(SCHEMAS, NOWHERE, strict=True)
        ]
        extractor = Extractor(self.data, start, self.end, facts)
        first = self.node_count + GAP_BYTES
        for record in records:
            yield extractor.extract(record - first) if record else NOWHERE

    def _country(self, value: object, _: str) -> str:
        country = read_country(value)
        if not country and isinstance(value, str) and 0 < len(value) <= _CODE_CHARS:
            self.unlisted.add(value)
        return country


def _marker(data: bytes) -> int:
    return data.rfind(MARKER, max(0, len(data) - METADATA_BYTES_MAX))


def _number(metadata: dict[str, Any], name: str, below: int) -> int:
    value = metadata.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < below:
        raise ConfigError(f"MMDB: damaged: its {name} is no number that can be")
    return value
