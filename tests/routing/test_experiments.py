"""Shares of 10,000 buckets, and the public `assign`."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.errors import ConfigError
from fastedge.routing import address_key, assign, shares_of


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ({"a": 1}, {"a": 10_000}),
        ({"new": 10, "old": 90}, {"new": 1_000, "old": 9_000}),
        ({"a": 1, "b": 1, "c": 1}, {"a": 3_333, "b": 3_334, "c": 3_333}),
        ({"a": 0, "b": 2.5, "c": 7.5}, {"a": 0, "b": 2_500, "c": 7_500}),
        ({"a": 0.1, "b": 0.2}, {"a": 3_333, "b": 6_667}),
        ({"a": 1e300, "b": 1e300}, {"a": 5_000, "b": 5_000}),
    ],
)
def test_shares_of_examples(weights, shares):
    assert shares_of(weights) == shares
    assert list(shares_of(weights)) == list(weights)


@given(st.lists(st.floats(0, 1e6) | st.integers(0, 10**6), min_size=1, max_size=64))
def test_shares_add_up_and_none_is_off_by_a_bucket(weights):
    total = sum(weights)
    try:
        shares = shares_of({str(i): weight for i, weight in enumerate(weights)})
    except ConfigError:
        assert total == 0 or any(0 < weight < total * 1.01 / 10_000 for weight in weights)
    else:
        assert sum(shares.values()) == 10_000
        for share, weight in zip(shares.values(), weights, strict=True):
            assert abs(share - weight / total * 10_000) < 1.000001


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({}, "expected 1 to 64 variants"),
        ([("a", 1)], "expected 1 to 64 variants"),
        ({str(i): 1 for i in range(65)}, "expected 1 to 64 variants"),
        ({"a": 0}, "all are 0"),
        ({"a": -1}, "'a' has -1; expected a number"),
        ({"a": "1"}, "'a' has '1'; expected a number"),
        ({"a": True}, "'a' has True; expected a number"),
        ({"a": float("nan")}, "'a' has nan; expected a number"),
        ({"a": float("inf")}, "'a' has inf; expected a number"),
        ({"a": 1, "b": 1e9}, "'a' has less than one of 10000 buckets"),
    ],
)
def test_shares_refuse_weights(weights, told):
    with pytest.raises(ConfigError) as caught:
        shares_of(weights)
    assert str(caught.value).startswith("weights: " + told)


@pytest.mark.parametrize("salt", ["", "a\0b", "a\nb", "x" * 65, None, 7])
def test_assign_refuses_a_salt(salt):
    with pytest.raises(ConfigError, match=r"^salt: expected 1 to 64 printable characters"):
        assign(salt, "key", {"a": 1})


def test_assign_takes_text_as_utf8():
    weights = {"a": 1, "b": 1}
    assert assign("s", "Grüße", weights) == assign("s", "Grüße".encode(), weights)
    assert {assign("s", str(i), weights) for i in range(20)} == {"a", "b"}


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "c0000201"),
        ("::ffff:192.0.2.1", "c0000201"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002"),
        ("::1", "0000000000000000"),
    ],
)
def test_address_key_is_v4_whole_and_v6_network(address, key):
    assert address_key(address).hex() == key
    assert ipaddress.ip_address(address).packed.startswith(bytes.fromhex(key)) or address.startswith("::ffff")
