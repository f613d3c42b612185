"""Corrections by hand: nested networks, what each replaces, and a line for whatever is wrong."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.errors import ConfigError
from fastedge.geo import GeoTable, Place, compile_table
from fastedge.geo.layer import overridden
from fastedge.geo.overrides import read_overrides
from fastedge.geo.places import NOWHERE
from fastedge.geo.table import combined, read_locations, read_networks

BASE = Place("US", "US-CA", "Los Angeles", "America/Los_Angeles", 64496, "Old")


def laid_over(text: str, base: Place = BASE) -> GeoTable:
    below = read_locations(compile_table([(0, base)], [(0, base)], built=7, source="db"))
    return combined(below, None, read_overrides(text.encode()))


def place_at(table: GeoTable, address: str) -> Place:
    f = table.lookup(address)
    return Place(f.country, f.region, f.city, f.time_zone, f.asn, f.organization)


def test_country_replaces_the_whole_location_and_leaves_the_network() -> None:
    table = laid_over("network,country\n10.0.0.0/8,DE\n")
    assert place_at(table, "10.1.1.1") == Place("DE", asn=64496, organization="Old")
    assert place_at(table, "9.255.255.255") == place_at(table, "11.0.0.0") == BASE


def test_number_replaces_the_network_and_leaves_the_location() -> None:
    table = laid_over("network,country,region,city,time_zone,asn\n10.0.0.0/8,,,,,AS64501\n")
    assert place_at(table, "10.1.1.1") == Place("US", "US-CA", "Los Angeles", "America/Los_Angeles", 64501)


def test_all_columns_are_taken() -> None:
    text = "network,country,region,city,time_zone,asn\n2001:db8::/32,DE,DE-BY,München,Europe/Berlin,64500\n"
    assert place_at(laid_over(text), "2001:db8::1") == Place("DE", "DE-BY", "München", "Europe/Berlin", 64500)
    assert place_at(laid_over(text), "2001:db9::") == BASE


def test_more_specific_network_wins_whatever_the_order_of_rows() -> None:
    rows = ["10.0.0.0/8,DE", "10.1.0.0/16,FR", "10.1.1.1,IT", "10.1.1.0/24,ES", "10.255.0.0/16,AT", "11.0.0.0/8,PL"]
    for order in (rows, rows[::-1]):
        table = laid_over("\n".join(["network,country", *order]))
        asked = ["10.0.0.0", "10.1.0.0", "10.1.1.0", "10.1.1.1", "10.1.1.2", "10.1.2.0", "10.2.0.0"]
        assert [table.lookup(a).country for a in asked] == ["DE", "FR", "ES", "IT", "ES", "FR", "DE"]
        assert [table.lookup(a).country for a in ("10.255.255.255", "11.0.0.0", "12.0.0.0")] == ["AT", "PL", "US"]


def test_networks_that_end_with_their_address_space() -> None:
    table = laid_over("network,country\n255.255.255.255,DE\nffff::/16,FR\n0.0.0.0/1,IT\n::/128,ES\n")
    assert table.lookup("255.255.255.255").country == "DE"
    assert table.lookup("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").country == "FR"
    assert [table.lookup(a).country for a in ("0.0.0.0", "128.0.0.0", "::", "::1")] == ["IT", "US", "ES", "US"]


NETWORKS = st.dictionaries(
    st.tuples(st.integers(0, 255), st.integers(24, 32)).map(
        lambda pair: str(ip_network((IPv4Address(pair[0]), pair[1]), strict=False))
    ),
    st.sampled_from([Place("DE"), Place("FR", city="Paris"), Place(asn=5), Place("IT", asn=6)]),
    max_size=12,
)


@given(NETWORKS)
def test_every_address_has_what_its_networks_say_from_the_widest_on(rows: dict[str, Place]) -> None:
    text = "network,country,region,city,time_zone,asn\n"
    text += "".join(f"{network},{p.country},,{p.city},,{p.asn or ''}\n" for network, p in rows.items())
    table = laid_over(text)
    networks = sorted((ip_network(text), place) for text, place in rows.items())
    networks.sort(key=lambda pair: pair[0].prefixlen)
    for number in {
        int(end) + step for network, _ in networks for end in (network[0], network[-1]) for step in (-1, 0, 1)
    }:
        if number < 0:
            continue
        expected = BASE
        for network, place in networks:
            expected = overridden(expected, place) if IPv4Address(number) in network else expected
        assert place_at(table, str(IPv4Address(number))) == expected


def test_source_and_date_tell_of_all_that_is_in_the_table() -> None:
    below = read_locations(compile_table([(0, "DE")], [], built=9, source="places"))
    networks = read_networks(compile_table([(5, Place(asn=1))], [], built=8, source="networks"))
    table = combined(below, networks, read_overrides(b"network,country\n"))
    assert (table.source, table.built) == ("places + networks + overrides", 8)


def test_networks_are_joined_to_the_places_range_by_range() -> None:
    below = read_locations(compile_table([(0, "DE"), (100, "FR")], [(1 << 64, "FR")], built=9, source="a"))
    networks = read_networks(
        compile_table(
            [(50, Place(asn=1, organization="One")), (150, NOWHERE)], [(0, Place(asn=2))], built=8, source="b"
        )
    )
    table = combined(below, networks, None)
    asked = {number: place_at(table, str(IPv4Address(number))) for number in (0, 49, 50, 99, 100, 149, 150)}
    one = ("", "", "", 1, "One")
    assert asked == {
        0: Place("DE"),
        49: Place("DE"),
        50: Place("DE", *one),
        99: Place("DE", *one),
        100: Place("FR", *one),
        149: Place("FR", *one),
        150: Place("FR"),
    }
    assert place_at(table, str(IPv6Address(1))) == Place(asn=2)
    assert place_at(table, str(IPv6Address(1 << 64))) == Place("FR", asn=2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: expected the columns network,country,"),
        ("network\n10.0.0.0/8\n", "line 1: expected the columns"),
        ("network,country,city\n", "line 1: expected the columns"),
        ("network,country\n10.0.0.0/8\n", "line 2: 1 cells, expected 2"),
        ("network,country\n\n10.0.0.1/8,DE\n", "line 3: 10.0.0.1/8 has host bits set"),
        ("network,country\noffice,DE\n", "line 2: 'office' does not appear to be an IPv4 or IPv6 network"),
        ("network,country\n10.0.0.0/8,XX\n", "line 2: 'XX' is no country"),
        ("network,country\n10.0.0.0/8,\n", "line 2: 10.0.0.0/8 has neither"),
        ("network,country\n::ffff:10.0.0.0/104,DE\n", "line 2: ::ffff:.* is IPv4: write it as such"),
        ("network,country\n10.0.0.0/8,DE\n10.0.0.0/8,FR\n", "line 3: 10.0.0.0/8 stands in a line above"),
        ("network,country,region\n10.0.0.0/8,DE,AT-9\n", "line 2: 'AT-9' is no region"),
        ("network,country,region,city\n10.0.0.0/8,,,Paris\n", "line 2: .*needs its country"),
        ("network,country,region,city,time_zone,asn\n10.0.0.0/8,,,Paris,,5\n", "line 2: .* needs its country"),
        ("network,country,region,city,time_zone,asn\n10.0.0.0/8,DE,,,,no\n", "line 2: 'no' is no asn"),
        ("network,country,region,city,time_zone\n10.0.0.0/8,DE,,,+02:00\n", "line 2: '.02:00' is no time_zone"),
        ('network,country\n"10.0.0.0/8,DE\n', "line 2: unexpected end"),
        ("network,country\n1.0.0.0/8,XX\n2.0.0.0/8,YY\n", "line 2: 'XX' is no country.*\nline 3: 'YY'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_overrides(text.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_overrides(b"network,country\n10.0.0.0/8,\xff\n")


def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastedge.geo.overrides.geo_overrides_max", 1)
    with pytest.raises(ConfigError, match="more than 1 rows"):
        read_overrides(b"network,country\n1.0.0.0/8,DE\n2.0.0.0/8,DE\n")
