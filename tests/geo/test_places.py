"""Records as each maker of databases writes them, made by hand: what we take of each, and what we do not."""

from typing import Any

import pytest

from fastedge._core.mmdbdata import read_text
from fastedge.errors import ConfigError
from fastedge.geo import Place
from fastedge.geo.layer import table_of
from fastedge.geo.places import read_asn, read_region, read_time_zone
from fastedge.geo.table import read_locations, read_networks

from .mmdb_writer import Writer

MAXMIND_CITY = {
    "city": {"geoname_id": 2867714, "names": {"de": "München", "en": "Munich"}},
    "continent": {"code": "EU", "geoname_id": 1, "names": {"en": "Europe"}},
    "country": {"geoname_id": 2, "is_in_european_union": True, "iso_code": "DE", "names": {"en": "Germany"}},
    "location": {"accuracy_radius": 20, "latitude": 48.1, "longitude": 11.5, "time_zone": "Europe/Berlin"},
    "postal": {"code": "80331"},
    "registered_country": {"geoname_id": 3, "iso_code": "AT", "names": {"en": "Austria"}},
    "subdivisions": [
        {"geoname_id": 4, "iso_code": "BY", "names": {"en": "Bavaria"}},
        {"geoname_id": 5, "iso_code": "XY", "names": {"en": "within"}},
    ],
    "traits": {"autonomous_system_number": 64500, "autonomous_system_organization": "Netz", "is_anycast": False},
}
DB_IP_CITY_LITE = {
    "city": {"names": {"en": "Munich"}},
    "continent": {"code": "EU", "names": {"en": "Europe"}},
    "country": {"is_in_european_union": True, "iso_code": "DE", "names": {"en": "Germany"}},
    "location": {"latitude": 48.1, "longitude": 11.5},
    "subdivisions": [{"names": {"en": "Bavaria"}}],
}
IPINFO = {
    "city": "Munich",
    "region": "Bavaria",
    "region_code": "BY",
    "country": "Germany",
    "country_code": "DE",
    "timezone": "Europe/Berlin",
    "asn": "AS64500",
    "as_name": "Netz GmbH",
    "as_domain": "netz.example",
}
IPINFO_LEGACY = {
    "country": "DE",
    "country_name": "Germany",
    "continent": "EU",
    "asn": "AS64500",
    "as_name": "Netz GmbH",
}
IP_LOCATION_DB_CITY = {
    "city": "Munich",
    "country_code": "DE",
    "latitude": 48.1,
    "longitude": 11.5,
    "postcode": "80331",
    "state1": "Bavaria",
    "state2": "",
    "timezone": "Europe/Berlin",
}
ASN = {"autonomous_system_number": 64500, "autonomous_system_organization": "Netz GmbH"}


def database(record: Any) -> bytes:
    writer = Writer(ip_version=4)
    writer.insert("10.0.0.0/8", record)
    return writer.to_bytes()


@pytest.mark.parametrize(
    ("record", "place"),
    [
        (MAXMIND_CITY, Place("DE", "DE-BY", "Munich", "Europe/Berlin", 64500, "Netz")),
        (DB_IP_CITY_LITE, Place("DE", "", "Munich")),
        (IPINFO, Place("DE", "DE-BY", "Munich", "Europe/Berlin", 64500, "Netz GmbH")),
        (IPINFO_LEGACY, Place("DE", asn=64500, organization="Netz GmbH")),
        (IP_LOCATION_DB_CITY, Place("DE", "", "Munich", "Europe/Berlin")),
        ({"country": {"iso_code": "DE"}}, Place("DE")),
        ({"country_code": "DE"}, Place("DE")),
    ],
)
def test_record_of_each_maker_gives_its_facts(record: Any, place: Place) -> None:
    layer = read_locations(database(record))
    assert layer.places[1] == place
    facts = table_of(layer).lookup("10.1.2.3")
    assert (facts.country, facts.region, facts.city, facts.time_zone, facts.asn, facts.organization) == place


@pytest.mark.parametrize("record", [ASN, {"asn": "AS64500", "name": "Netz GmbH", "domain": "netz.example"}])
def test_database_of_networks_gives_number_and_name(record: Any) -> None:
    assert read_networks(database(record)).places[1] == Place(asn=64500, organization="Netz GmbH")


def test_database_without_any_network_is_refused_as_one() -> None:
    with pytest.raises(ConfigError, match="is it an ASN database"):
        read_networks(database({"country_code": "DE"}))


def test_country_written_in_words_is_no_code_that_is_missing() -> None:
    layer = read_locations(database({"country": "Germany", "country_code": "DE"}))
    assert layer.unlisted == ()


@pytest.mark.parametrize(
    ("value", "country", "region"),
    [
        ("BY", "DE", "DE-BY"),
        ("DE-BY", "DE", "DE-BY"),
        ("75", "FR", "FR-75"),
        ("AT-9", "DE", ""),
        ("Bavaria", "DE", ""),
        ("by", "DE", ""),
        ("BY", "", ""),
        ("", "DE", ""),
        (9, "DE", ""),
        (None, "DE", ""),
    ],
)
def test_region_is_a_code_of_its_country(value: object, country: str, region: str) -> None:
    assert read_region(value, country) == region


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (64500, 64500),
        ("AS64500", 64500),
        ("64500", 64500),
        (0, 0),
        (2**32, 0),
        ("AS", 0),
        ("Netz", 0),
        (-1, 0),
        ("1.5", 0),
    ],
)
def test_network_number_is_written_in_two_ways(value: object, number: int) -> None:
    assert read_asn(value) == number


def test_name_is_cut_within_bounds_and_cannot_end_a_field() -> None:
    assert read_text("M\r\nX-Evil: 1\x00ünchen ") == "MX-Evil: 1ünchen"
    cut = read_text("ü" * 300)
    assert len(cut.encode()) == 254
    assert read_text(5) == ""


@pytest.mark.parametrize(
    ("value", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("America/Port-au-Prince", "America/Port-au-Prince"),
        ("Etc/GMT+5", "Etc/GMT+5"),
    ]
    + [(wrong, "") for wrong in ("+02:00", "", "Europe/Berlin\n", "a" * 100, 2)],
)
def test_time_zone_is_a_name(value: object, zone: str) -> None:
    assert read_time_zone(value) == zone
