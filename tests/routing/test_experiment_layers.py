"""Layers: a visitor is in one of a layer's experiments at most, and the layer says nothing about the variant."""

from collections import Counter

import pytest

from fastedge.errors import ConfigError
from fastedge.routing import Layer, assign

RANGES = {"hero": (0, 2_000), "price": (2_000, 5_000), "copy": (9_000, 10_000)}


def test_visitors_are_in_one_experiment_at_most_and_as_many_as_its_range_says():
    layer = Layer("shop", RANGES)
    found = Counter(layer.experiment_of(f"visitor-{i}") for i in range(20_000))
    for name, share in {"hero": 0.2, "price": 0.3, "copy": 0.1, None: 0.4}.items():
        assert abs(found[name] - 20_000 * share) < 4 * (20_000 * share * (1 - share)) ** 0.5
    for i in range(1_000):
        key = b"visitor-%d" % i
        assert sum(layer.range_of(name).has(key) for name in RANGES) <= 1


def test_variant_is_independent_of_the_layer():
    layer = Layer("shop", {"shop": (0, 5_000)})  # the experiment has the layer's name, and so its salt but for "layer:"
    keys = [str(i) for i in range(20_000) if layer.experiment_of(str(i))]
    count = sum(assign("shop", key, {"a": 1, "b": 1}) == "a" for key in keys)
    assert abs(count - len(keys) / 2) < 4 * (len(keys) / 4) ** 0.5


def test_layers_are_independent_of_each_other():
    one, other = Layer("one", {"a": (0, 5_000)}), Layer("other", {"b": (0, 5_000)})
    both = sum(one.experiment_of(str(i)) is not None and other.experiment_of(str(i)) is not None for i in range(20_000))
    assert abs(both - 5_000) < 4 * (20_000 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize(
    ("name", "ranges", "told"),
    [
        ("", RANGES, "Layer: name: expected 1 to 64 printable characters"),
        ("l", {}, "Layer 'l': expected 1 to 256 experiments"),
        ("l", {"a": (0, 10), "b": (9, 20)}, "Layer 'l': 'a' and 'b' both have bucket 9"),
        ("l", {"a": (0, 10_001)}, r"Layer 'l': 'a' has \(0, 10001\); expected \(first, end\)"),
        ("l", {"a": (10, 10)}, r"Layer 'l': 'a' has \(10, 10\)"),
        ("l", {"a": 10}, "Layer 'l': 'a' has 10"),
        ("l", {"a": (0, "10")}, "Layer 'l': 'a' has"),
    ],
)
def test_layer_that_cannot_be_is_refused(name, ranges, told):
    with pytest.raises(ConfigError, match=f"^{told}"):
        Layer(name, ranges)
