"""Buckets are a contract with every origin: their bytes, their spread, and what keeps still when a weight moves."""

import re
from pathlib import Path

import pytest
import xxhash

from fastedge._core.bucket import Buckets, LayerRange
from fastedge.routing import Layer, address_key, assign
from fastedge.routing.experiments import buckets_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "stages" / "experiment.md"
HALVES = {"a": 1, "b": 1}


def test_bucket_is_xxh3_64_of_salt_nul_and_key():
    for key in (b"", b"visitor-1", bytes(range(256)), b"x" * 8192):
        assert buckets_of("salt", HALVES).bucket_of(key) == xxhash.xxh3_64_intdigest(b"salt\0" + key) % 10_000


def vectors():
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| `([0-9a-f ]+)` \| (\d+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return [(salt, shown, bytes.fromhex(key), int(bucket)) for salt, shown, key, bucket in rows]


def test_documented_vectors_hold():
    found = vectors()
    assert len(found) == 10
    for salt, shown, key, bucket in found:
        assert buckets_of(salt, HALVES).bucket_of(key) == bucket
        text = shown.strip().split("`")[1]
        assert key == (address_key(text) if "address" in shown else text.encode())


@pytest.mark.parametrize("salt", ["checkout", "a", "Ünï"])
def test_buckets_of_many_keys_are_uniform(salt):
    buckets = buckets_of(salt, HALVES)
    counts = [0] * 100
    for i in range(50_000):
        counts[buckets.bucket_of(b"visitor-%d" % i) // 100] += 1
    chi_squared = sum((count - 500) ** 2 / 500 for count in counts)
    assert chi_squared < 148.2  # 99 degrees of freedom, one in a thousand; the keys are fixed, so it never flakes
    assert min(counts) > 0


def test_two_salts_are_independent():
    one, other = buckets_of("one", HALVES), buckets_of("other", HALVES)
    both = sum(one.variant_of(b"%d" % i) == other.variant_of(b"%d" % i) for i in range(20_000))
    assert abs(both - 10_000) < 4 * 70.7  # four standard deviations of 20,000 coins


def test_variants_take_their_buckets_in_order():
    buckets = buckets_of("s", {"a": 25, "none": 0, "b": 75})
    variants = {buckets.bucket_of(key): buckets.variant_of(key) for key in (b"%d" % i for i in range(100_000))}
    assert {0, 2_499, 2_500, 9_999} <= set(variants)
    assert all(variant == ("a" if bucket < 2_500 else "b") for bucket, variant in variants.items())


def test_growing_the_first_share_moves_nobody_out_of_it():
    small, large = buckets_of("s", {"new": 10, "old": 90}), buckets_of("s", {"new": 20, "old": 80})
    moved = 0
    for i in range(5_000):
        key = b"%d" % i
        if small.variant_of(key) == "new":
            assert large.variant_of(key) == "new"
        moved += small.variant_of(key) != large.variant_of(key)
    assert 400 < moved < 600


@pytest.mark.parametrize(
    "ranges", [[(0, 0, 9_999)], [(0, 1, 10_000)], [(0, 0, 6_000), (0, 5_999, 10_000)], [(1, 0, 10_000)], [(0, 5, 5)]]
)
def test_buckets_refuse_ranges_that_are_no_partition(ranges):
    with pytest.raises(AssertionError):
        Buckets("s", ("a",), ranges)


def test_ranges_of_a_variant_may_lie_apart():
    buckets = Buckets("s", ("a", "b"), [(0, 0, 10), (1, 10, 9_990), (0, 9_990, 10_000)])
    variants = {buckets.bucket_of(key): buckets.variant_of(key) for key in (b"%d" % i for i in range(100_000))}
    assert {variant for bucket, variant in variants.items() if 10 <= bucket < 9_990} == {"b"}
    assert {variant for bucket, variant in variants.items() if not 10 <= bucket < 9_990} == {"a"}


def test_range_of_a_layer_has_its_buckets_alone():
    part = LayerRange("layer:l", 100, 200)
    for key in (b"%d" % i for i in range(2_000)):
        assert part.bucket_of(key) == xxhash.xxh3_64_intdigest(b"layer:l\0" + key) % 10_000
        assert part.has(key) == (100 <= part.bucket_of(key) < 200)


def test_documented_vectors_of_a_layer_hold():
    text = DOCUMENT.read_text().partition("| layer | key |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (\d+) \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) == 4
    for layer, key, bucket, experiment in rows:
        assert LayerRange(f"layer:{layer}", 0, 10_000).bucket_of(key.encode()) == int(bucket)
        found = Layer(layer, {"hero": (0, 2_000), "price": (2_000, 5_000)}).experiment_of(key)
        assert experiment == ("none" if found is None else f"`{found}`")


def test_documented_example_of_assign_holds():
    assert assign("checkout", "visitor-1", {"new": 10, "old": 90}) == "old"
    assert assign("checkout", address_key("192.0.2.1"), {"new": 10, "old": 90}) == "old"
