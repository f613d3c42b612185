"""Our own table of countries: complete, and of one mind about continents and the Union."""

from fastedge.geo import CONTINENTS, COUNTRIES, EU_MEMBERS, UNKNOWN


def test_all_249_countries_of_iso_3166_and_kosovo_are_there() -> None:
    assert len(COUNTRIES) == 1 + 249 + 1
    assert {"DE", "GB", "US", "XK", "SS", "BQ", "CW", "SX", "TL"} <= COUNTRIES.keys()
    assert not {"EU", "UK", "AP", "AN", "YU", "CS"} & COUNTRIES.keys()


def test_every_country_has_a_continent_and_only_the_unknown_has_none() -> None:
    assert {facts.continent for facts in COUNTRIES.values()} == CONTINENTS | {""}
    assert [code for code, facts in COUNTRIES.items() if not facts.continent] == [""]
    assert COUNTRIES[""] is UNKNOWN
    assert not UNKNOWN.is_eu


def test_the_union_has_27_members_and_neither_neighbours_nor_overseas_territories() -> None:
    assert len(EU_MEMBERS) == 27
    assert {code for code, facts in COUNTRIES.items() if facts.is_eu} == EU_MEMBERS
    assert not EU_MEMBERS & {"GB", "CH", "NO", "IS", "LI", "UA", "TR", "GP", "RE", "AX"}


def test_countries_are_where_the_map_has_them() -> None:
    expected = {"DE": "EU", "CY": "EU", "RU": "EU", "TR": "AS", "US": "NA", "MX": "NA", "GL": "NA", "BR": "SA"}
    expected |= {"NA": "AF", "RE": "AF", "AU": "OC", "TL": "OC", "AQ": "AN", "IN": "AS"}
    assert {code: COUNTRIES[code].continent for code in expected} == expected
