"""The requests and the country table: what is sent is what the job says."""

import random
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

import pytest

from benchmarks import traffic
from benchmarks.countries import CountryTable, make_countries

NOW = 1_800_000_000


@pytest.fixture(scope="module")
def countries() -> CountryTable:
    return make_countries()


def test_blocks_lie_side_by_side_and_aligned(countries: CountryTable) -> None:
    blocks = [IPv4Network(block) for block, _ in random.Random(1).sample(list(countries.blocks()), 1000)]
    assert all(block.is_global or block.prefixlen >= 12 for block in blocks)  # IPv4Network refuses unaligned ones
    ends = [first + (1 << (32 - prefix)) for first, prefix in zip(countries.firsts, countries.prefixes, strict=True)]
    assert all(end == first for end, first in zip(ends, countries.firsts[1:], strict=False))
    assert all(one < two for one, two in pairwise(countries.firsts))
    assert 100_000 < len(countries.firsts) < 300_000


def test_lookup_is_the_block_s_country_at_both_ends(countries: CountryTable) -> None:
    for block, country in random.Random(2).sample(list(countries.blocks()), 1000):
        network = IPv4Network(block)
        assert countries.lookup(str(network[0])) == country
        assert countries.lookup(str(network[-1])) == country


@pytest.mark.parametrize("address", ["0.255.255.255", "224.0.0.0", "255.255.255.255"])
def test_lookup_is_empty_where_no_block_is(countries: CountryTable, address: str) -> None:
    assert countries.lookup(address) == ""


def test_addresses_are_unicast_and_mostly_different(countries: CountryTable) -> None:
    addresses = countries.addresses(10_000)
    assert len(set(addresses)) > 9_900
    assert not any(IPv4Address(address).is_multicast for address in addresses)
    assert addresses == countries.addresses(10_000)


def test_visitors_have_an_address_each_and_tokens_of_their_own(countries: CountryTable) -> None:
    addresses = countries.addresses(50)
    visitors = traffic.make_visitors(addresses, NOW)
    assert [visitor.address for visitor in visitors] == addresses
    assert len({visitor.token for visitor in visitors}) == len({visitor.uid for visitor in visitors}) == 50
    assert visitors == traffic.make_visitors(addresses, NOW)


def test_proxy_requests_have_ten_fields_and_different_targets(countries: CountryTable) -> None:
    requests = traffic.proxy_requests(countries.addresses(traffic.TARGET_POOL))
    assert len({request.split(b" ")[1] for request in requests}) == traffic.TARGET_POOL
    for request in requests:
        head, _, rest = request.partition(b"\r\n\r\n")
        assert (head.count(b"\r\n"), rest) == (10, b"")


def test_answer_request_carries_token_visitor_and_address() -> None:
    request = traffic.answer_request(traffic.Visitor("a.b.c", "0f", "192.0.2.7")).decode()
    lines = request.split("\r\n")
    assert len(lines) == 1 + 11 + 2
    assert "Authorization: Bearer a.b.c" in lines
    assert "Cookie: theme=dark; uid=0f" in lines
    assert "X-Forwarded-For: 192.0.2.7" in lines


def test_page_is_a_kilobyte() -> None:
    assert len(traffic.PAGE) == traffic.BODY_BYTES == 1024
