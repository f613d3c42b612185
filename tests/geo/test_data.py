"""The shipped table: facts so stable that only a broken table would miss them, and bounds on its size and age."""

from datetime import UTC, datetime
from importlib.resources import files

import pytest

from fastedge.geo import GeoTable, shipped_table


@pytest.fixture(scope="module")
def table() -> GeoTable:
    return shipped_table()


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("8.8.8.8", "US"),  # a public resolver
        ("17.0.0.1", "US"),  # one company's /8 since 1990
        ("129.69.1.1", "DE"),  # universities keep what they were given
        ("131.188.3.220", "DE"),
        ("129.132.1.1", "CH"),
        ("130.54.1.1", "JP"),
        ("2001:4860:4860::8888", "US"),
        ("2001:638:408::1", "DE"),  # the German research network
        ("2003::1", "DE"),
        ("2001:200::1", "JP"),
        ("::ffff:8.8.8.8", "US"),
    ],
)
def test_well_known_address_is_in_its_country(table: GeoTable, address: str, country: str) -> None:
    assert table.lookup(address).country == country


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "0.0.0.0", "::1", "::", "fe80::1", "fd00::1"]
)
def test_private_address_is_in_none(table: GeoTable, address: str) -> None:
    assert table.lookup(address).country == ""


def test_shipped_table_is_of_the_size_and_date_that_we_say(table: GeoTable) -> None:
    data = files("fastedge.geo").joinpath("country.bin").read_bytes()
    about = files("fastedge.geo").joinpath("DATA.md").read_text("utf-8")
    assert len(data) < 3_000_000
    assert 200_000 < table.ranges_v4 < 500_000
    assert 50_000 < table.ranges_v6 < 300_000
    assert len(table.countries) > 230
    assert str(datetime.fromtimestamp(table.built, UTC).date()) in about
    assert table.source in about
