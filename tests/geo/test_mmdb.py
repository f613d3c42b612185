"""Invariant: whatever address is asked, a compiled MMDB answers as maxminddb does, its aliases of IPv4 aside."""

import io
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import maxminddb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.errors import ConfigError
from fastedge.geo import COUNTRIES, GeoTable, load
from fastedge.geo.mmdb import is_mmdb, read_mmdb

from .mmdb_writer import Writer

NETWORKS = {
    "1.0.0.0/8": "US",
    "1.2.0.0/16": "DE",
    "1.2.3.0/24": "FR",
    "1.2.3.4/32": "JP",
    "1.2.3.5/32": "JP",
    "255.255.255.255/32": "AU",
    "128.0.0.0/1": "GB",
    "0.0.0.0/32": "IT",
    "2001:db8::/32": "DE",
    "2001:db8:8000::/33": "NL",
    "2001:db8:0:1::/64": "FR",
    "fe80::/10": "CH",
    "ffff:ffff:ffff:ffff::/64": "BR",
}
NESTED = {"country": {"iso_code": "DE", "names": {"en": "Germany"}}, "continent": {"code": "XX"}}


def written(networks: dict[str, str], *, aliases: tuple[str, ...] = (), ip_version: int = 6, bits: int = 24) -> bytes:
    writer = Writer(ip_version=ip_version, record_bits=bits)
    for network in sorted(networks, key=lambda text: ip_network(text).prefixlen):
        if ip_version == 6 or ip_network(network).version == 4:
            writer.insert(network, {"country_code": networks[network]})
    for alias in aliases:
        writer.alias(alias)
    return writer.to_bytes()


def only(record: Any) -> bytes:
    writer = Writer(ip_version=4)
    writer.insert("10.0.0.0/8", record)
    return writer.to_bytes()


def oracle(data: bytes) -> maxminddb.Reader:
    return maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD)


def assert_same(table: GeoTable, reader: maxminddb.Reader, address: IPv4Address | IPv6Address) -> None:
    record = reader.get(address)
    assert isinstance(record, dict | None)
    expected = record["country_code"] if record else ""
    assert table.lookup(str(address)) is COUNTRIES[str(expected)], address


def around(networks: dict[str, str]) -> list[IPv4Address | IPv6Address]:
    """Both ends of every network, and their neighbours."""
    addresses: list[IPv4Address | IPv6Address] = []
    for network in map(ip_network, networks):
        family = IPv4Address if network.version == 4 else IPv6Address
        for end in (int(network.network_address), int(network.broadcast_address)):
            addresses += [family(n) for n in (end - 1, end, end + 1) if 0 <= n < 1 << family(0).max_prefixlen]
    return addresses


def is_read_otherwise(address: IPv4Address | IPv6Address) -> bool:
    """An MMDB keeps IPv4 at ::/96 and answers for that; we take such an address as it is, and ::ffff:0:0/96 as IPv4."""
    return address.version == 6 and int(address) >> 32 in (0, 0xFFFF)


@pytest.mark.parametrize("bits", [24, 28, 32])
def test_every_boundary_agrees_with_maxminddb_in_each_record_size(bits: int) -> None:
    data = written(NETWORKS, bits=bits)
    table, reader = load(data), oracle(data)
    for address in around(NETWORKS):
        if not is_read_otherwise(address):
            assert_same(table, reader, address)


@pytest.mark.parametrize("bits", [24, 28, 32])
def test_ipv4_only_database_knows_ipv4_and_nothing_of_ipv6(bits: int) -> None:
    data = written(NETWORKS, ip_version=4, bits=bits)
    table, reader = load(data), oracle(data)
    for address in around({network: "" for network in NETWORKS if ":" not in network}):
        assert_same(table, reader, address)
    assert table.lookup("2001:db8::1").country == ""
    assert table.ranges_v6 == 1


def test_ranges_within_a_64_agree_with_maxminddb() -> None:
    networks = NETWORKS | {
        "2001:db8:0:2::1/128": "US",
        "2001:db8:0:2::2/127": "JP",
        "2001:db8:0:2:8000::/65": "IT",
        "2001:db8:0:2:ffff:ffff:ffff:ffff/128": "SE",
    }
    data = written(networks)
    table, reader = load(data), oracle(data)
    for address in around(networks):
        if not is_read_otherwise(address):
            assert_same(table, reader, address)


@given(
    networks=st.dictionaries(
        st.tuples(st.sampled_from((4, 6)), st.integers(0, 2**128 - 1), st.integers(1, 128)),
        st.sampled_from(("DE", "US", "FR", "JP")),
        min_size=1,
        max_size=12,
    ),
    bits=st.sampled_from((24, 28, 32)),
    extra=st.lists(st.integers(0, 2**128 - 1), max_size=8),
)
def test_any_networks_agree_with_maxminddb(
    networks: dict[tuple[int, int, int], str], bits: int, extra: list[int]
) -> None:
    texts = {}
    for (version, address, length), country in networks.items():
        width = 32 if version == 4 else 128
        family = IPv4Address if version == 4 else IPv6Address
        network = ip_network((family(address % (1 << width)), min(length, width)), strict=False)
        # Whatever covers ::/96 or lies in it would be IPv4 as well: the writer keeps the two apart.
        if version == 4 or int(network.network_address) >= 1 << 32:
            texts[str(network)] = country
    data = written({"10.0.0.0/8": "GB"} | texts, bits=bits)
    table, reader = load(data), oracle(data)
    for asked in around(texts) + [IPv6Address(n) for n in extra] + [IPv4Address(n % 2**32) for n in extra]:
        if not is_read_otherwise(asked):
            assert_same(table, reader, asked)


def test_aliases_of_ipv4_are_left_out() -> None:
    data = written(NETWORKS, aliases=("2002::/16", "2001::/32"))
    plain = written(NETWORKS)
    assert oracle(data).get("2002:102:304::") == {"country_code": "JP"}, "the writer made the alias"
    assert list(read_mmdb(data).v6) == list(read_mmdb(plain).v6)
    assert load(data).lookup("2002:102:304::").country == ""
    assert load(data).lookup("1.2.3.4").country == "JP"


def test_mapped_address_is_looked_up_as_ipv4() -> None:
    table = load(written(NETWORKS))
    assert table.lookup("::ffff:1.2.3.4").country == "JP"
    assert table.lookup("::1.2.3.4").country == "", "IPv4-compatible addresses (RFC 4291 §2.5.5.1) are no IPv4"


def test_record_above_all_of_ipv4_counts_for_all_of_it() -> None:
    writer = Writer()
    writer.insert("::/64", {"country_code": "DE"})
    table = load(writer.to_bytes())
    assert (table.lookup("1.2.3.4").country, table.ranges_v4) == ("DE", 1)
    assert table.lookup("::1").country == "DE"


def test_empty_tree_beside_one_record_leaves_the_rest_unknown() -> None:
    table = load(only({"country_code": "DE"}))
    assert [table.lookup(a).country for a in ("9.255.255.255", "10.0.0.0", "11.0.0.0")] == ["", "DE", ""]


@pytest.mark.parametrize("record", [NESTED, {"country_code": "DE"}, {"country": "Germany", "country_code": "DE"}])
def test_both_schemas_give_the_country(record: dict[str, Any]) -> None:
    facts = load(only(record)).lookup("10.1.1.1")
    assert (facts.country, facts.continent, facts.is_eu) == ("DE", "EU", True)


@pytest.mark.parametrize(
    "record",
    [{"asn": 1}, {"country": {}}, {"country": {"iso_code": 7}}, {"country_code": ""}, {"country_code": "ZZ"}, "DE", []],
)
def test_database_without_any_country_is_refused(record: Any) -> None:
    with pytest.raises(ConfigError, match="is it a country database"):
        load(only(record))


def test_code_that_is_no_country_is_unknown_and_reported() -> None:
    writer = Writer(ip_version=4)
    writer.insert("10.0.0.0/8", {"country_code": "DE"})
    writer.insert("11.0.0.0/8", {"country_code": "AP"})
    database = read_mmdb(writer.to_bytes())
    assert database.unlisted == ("AP",)
    assert load(writer.to_bytes()).lookup("11.1.1.1").country == ""


def test_date_and_name_come_from_the_metadata() -> None:
    table = load(written(NETWORKS))
    assert (table.built, table.source) == (1_700_000_000, "Test-Country")


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"ip_version": 5}, "ip_version is neither 4 nor 6"),
        ({"node_count": 10**6}, "cannot hold a tree of 1000000 nodes"),
        ({"node_count": "many"}, "its node_count is no number"),
        ({"record_size": 25}, "records of 25 bits"),
        ({"record_size": None}, "its record_size is no number"),
        ({"binary_format_major_version": 3}, "its format is not version 2"),
        ({"build_epoch": "today"}, "its build_epoch is no number"),
        ({"build_epoch": None}, "its build_epoch is no number"),
        ({"database_type": 7}, "its database_type is no text"),
        ({"database_type": ""}, "0 bytes"),
    ],
)
def test_damaged_metadata_is_named(metadata: dict[str, Any], problem: str) -> None:
    writer = Writer(ip_version=4)
    writer.insert("10.0.0.0/8", {"country_code": "DE"})
    with pytest.raises(ConfigError, match=problem):
        load(writer.to_bytes(**metadata))


def test_tree_that_loops_is_refused() -> None:
    writer = Writer(ip_version=4)
    writer.insert("10.0.0.0/8", {"country_code": "DE"})
    writer.nodes[1] = [0, 0]
    with pytest.raises(ConfigError, match="deeper than the 32 bits"):
        load(writer.to_bytes())


def test_tree_that_branches_without_end_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastedge._core.mmdbtree.geo_tree_visits_max", 10_000)
    writer = Writer()
    writer.nodes = [[i + 1, i + 1] for i in range(128)]  # 2^128 leaves
    writer.nodes[127] = [None, ("data", {"country_code": "DE"})]
    with pytest.raises(ConfigError, match="10000 steps"):
        load(writer.to_bytes())


@given(data=st.data())
def test_damaged_bytes_give_a_table_or_a_config_error_and_nothing_else(data: st.DataObject) -> None:
    damaged = bytearray(written(NETWORKS, bits=data.draw(st.sampled_from((24, 28, 32)))))
    tail = st.integers(max(0, len(damaged) - 400), len(damaged) - 1)
    places = data.draw(st.lists(st.integers(0, len(damaged) - 1) | tail, min_size=1, max_size=6))
    for place in places:
        damaged[place] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[data.draw(st.sampled_from((0, 0, 1, 7))) :])
    try:
        table = load(cut)
    except ConfigError:
        return
    facts = table.lookup("1.2.3.4")
    assert COUNTRIES[facts.country].continent == facts.continent
    assert str(facts)  # every text of it can be read


def test_truncated_database_is_refused() -> None:
    data = written(NETWORKS)
    with pytest.raises(ConfigError, match=r"damaged|truncated"):
        load(data[len(data) // 3 :])


def test_what_is_no_mmdb_is_recognised() -> None:
    assert is_mmdb(written(NETWORKS))
    assert not is_mmdb(b"")
    assert not is_mmdb(b"\x1f\x8b" * 100)
