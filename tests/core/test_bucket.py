"""Buckets are a contract with every origin: their bytes, their spread, and what keeps still when a weight moves."""

import re
from pathlib import Path

import pytest
import xxhash

from fastedge._core.bucket import Buckets
from fastedge.routing import address_key, assign
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


def test_buckets_refuse_edges_that_do_not_end_at_the_last_bucket():
    with pytest.raises(AssertionError):
        Buckets("s", ("a",), [9_999])


def test_documented_example_of_assign_holds():
    assert assign("checkout", "visitor-1", {"new": 10, "old": 90}) == "old"
    assert assign("checkout", address_key("192.0.2.1"), {"new": 10, "old": 90}) == "old"
