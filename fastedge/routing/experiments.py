"""The variant of a key, as the edge works it out and as an origin can.

Never random: the same salt, key and weights give the same variant in every process, at every PoP and at an origin.
"""

import ipaddress
from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType

from fastedge._core.bucket import Buckets, LayerRange
from fastedge.errors import ConfigError
from fastedge.limits import experiment_buckets, experiment_layer_ranges_max, experiment_name_bytes_max
from fastedge.routing.allocation import Allocation, allocation_of


def assign(salt: str, key: str | bytes, weights: Mapping[str, float] | Allocation) -> str:
    """The variant that `Experiment(name, weights=weights, salt=salt)` gives the visitor with this key.

    `salt` is the experiment's name unless it has a salt of its own. A key is the cookie's value, the claim, or
    `address_key(address)`; a text counts as its UTF-8 bytes. An experiment in a layer is for those alone whom
    `Layer.experiment_of` says it is for.
    """
    return buckets_of(salt, weights).variant_of(_bytes(key))


def address_key(address: str) -> bytes:
    """The key of a client address: all 4 bytes of IPv4, the first 8 of IPv6 (a /64 is one household's)."""
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped.packed if mapped else parsed.packed[:8]


class Layer:
    """Experiments of which a visitor is in one at most: each has a range of the layer's own 10,000 buckets.

    `ranges`: experiment → (the first bucket, the first that is no longer in it). ConfigError for overlaps.
    Experiments in a layer know their visitors by the same things, which the layer says (`sticky_by`, `cookie`): two
    keys of one visitor would be in two of them.
    """

    __slots__ = ("_ranges", "cookie", "name", "sticky_by")

    def __init__(
        self,
        name: str,
        ranges: Mapping[str, tuple[int, int]],
        *,
        sticky_by: str | list[str] | tuple[str, ...] = "cookie",
        cookie: str | None = None,
    ) -> None:
        self.name = _checked_salt(name, "Layer: name")
        self.sticky_by = sticky_by
        self.cookie = f"edge_{name}" if cookie is None else cookie
        if not isinstance(ranges, Mapping) or not 0 < len(ranges) <= experiment_layer_ranges_max:
            raise ConfigError(
                f"Layer {name!r}: expected 1 to {experiment_layer_ranges_max} experiments with a range each"
            )
        self._ranges = MappingProxyType(
            {one: LayerRange(f"layer:{name}", *_range(name, one, ranges[one])) for one in ranges}
        )
        self._check_disjoint()

    def range_of(self, experiment: str) -> LayerRange | None:
        """What the experiment has of the layer's buckets; None where it is not in the layer."""
        return self._ranges.get(experiment)

    def experiment_of(self, key: str | bytes) -> str | None:
        """The one experiment that the visitor with this key may be in; None: none."""
        return next((name for name, one in self._ranges.items() if one.has(_bytes(key))), None)

    def _check_disjoint(self) -> None:
        rows = sorted((one.first, one.end, name) for name, one in self._ranges.items())
        for (_, end, name), (first, _, other) in pairwise(rows):
            if first < end:
                raise ConfigError(f"Layer {self.name!r}: {name!r} and {other!r} both have bucket {first}")


def buckets_of(
    salt: str, weights: Mapping[str, float] | Allocation, variants: tuple[str, ...] | None = None
) -> Buckets:
    """The buckets of an experiment. ConfigError for a salt or weights that cannot be used.

    `variants` are those that it may have, in their order; left out: those that it has.
    """
    _checked_salt(salt, "salt")
    allocation = weights if isinstance(weights, Allocation) else allocation_of(weights)
    known = allocation.variants if variants is None else variants
    for variant in allocation.variants:
        if variant not in known:
            raise ConfigError(f"{variant!r} is no variant of it; there are {', '.join(known)}")
    return Buckets(salt, known, [(known.index(variant), first, end) for variant, first, end in allocation.ranges])


def _checked_salt(salt: str, what: str) -> str:
    if not isinstance(salt, str) or not 0 < len(salt.encode()) <= experiment_name_bytes_max or not salt.isprintable():
        raise ConfigError(f"{what}: expected 1 to {experiment_name_bytes_max} printable characters, found {salt!r:.80}")
    return salt


def _range(layer: str, experiment: str, found: object) -> tuple[int, int]:
    match found:
        case (int(first), int(end)) if 0 <= first < end <= experiment_buckets:
            return first, end
    raise ConfigError(
        f"Layer {layer!r}: {experiment!r} has {found!r:.80}; expected (first, end), 0 to {experiment_buckets}"
    )


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key
