"""Regions are named without guessing."""

import pytest

from fastedge.errors import ConfigError
from fastedge.geo import COUNTRIES, EU_MEMBERS
from fastedge.geo.regions import Kind, parse_region


@pytest.mark.parametrize("text", ["DE", "country:DE"])
def test_country_may_go_without_its_prefix(text: str) -> None:
    region = parse_region(text)
    assert (region.kind, region.code, region.members) == (Kind.COUNTRY, "DE", {"DE"})


def test_union_and_continent_of_the_same_letters_are_two_things() -> None:
    union, continent = parse_region("union:EU"), parse_region("continent:EU")
    assert union.members == EU_MEMBERS
    assert {"GB", "CH", "NO", "DE"} <= continent.members
    assert union != continent


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [("EU", "union:EU", "continent:EU"), ("NA", "country:NA", "continent:NA"), ("SA", "country:SA", "continent:SA")],
)
def test_letters_that_mean_two_things_must_be_spelt_out(text: str, one: str, other: str) -> None:
    with pytest.raises(ConfigError, match=f"write '{one}' or '{other}'"):
        parse_region(text)
    assert parse_region(other).kind is Kind.CONTINENT
    assert parse_region(one).kind is not Kind.CONTINENT


def test_no_bare_country_is_also_a_continent() -> None:
    bare = [code for code in COUNTRIES if code not in {"", "AF", "AS", "NA", "SA"}]
    assert all(parse_region(code).members == {code} for code in bare)


def test_country_sorts_behind_its_union_and_the_union_behind_its_continent() -> None:
    regions = [parse_region(text) for text in ("DE", "union:EU", "continent:EU")]
    assert sorted(regions) == regions[::-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("de", "two capital letters"),
        ("", "two capital letters"),
        ("XX", "two capital letters"),
        ("country:", "two capital letters"),
        ("country:EU", "two capital letters"),
        ("union:NATO", "one of EU"),
        ("continent:XX", "one of AF, AN, AS, EU, NA, OC, SA"),
        ("city:Berlin", "expected asn:, region:, country:, union:, continent: before"),
        (":DE", "expected asn:"),
        ("Country:DE", "expected asn:"),
        (49, "expected a string"),
        (None, "expected a string"),
    ],
)
def test_region_that_there_is_not_is_refused(text: object, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        parse_region(text)
