"""Compiling: what goes in comes out, merged; what cannot be is refused by name."""

import pytest

from fastedge.errors import ConfigError
from fastedge.geo import COUNTRIES, compile_table, load
from fastedge.geo.table import GeoTable


def compiled(v4: list[tuple[int, str]], v6: list[tuple[int, str]] | None = None, source: str = "test") -> GeoTable:
    return load(compile_table(v4, v6 or [], built=1, source=source))


def test_neighbours_of_one_country_are_one_range() -> None:
    assert compiled([(0, ""), (10, "DE"), (20, "DE"), (30, "FR"), (40, "FR"), (50, "")]).ranges_v4 == 4


def test_addresses_below_the_first_range_are_unknown() -> None:
    table = compiled([(256, "DE")], [(1 << 64, "FR")])
    assert [table.lookup(a).country for a in ("0.0.0.255", "0.0.1.0", "::", "::1:0:0:0:0")] == ["", "DE", "", "FR"]


def test_no_ranges_at_all_make_a_table_that_knows_nothing() -> None:
    table = compiled([])
    assert (table.lookup("1.2.3.4").country, table.countries) == ("", ())


def test_every_country_there_is_fits_one_table() -> None:
    codes = sorted(COUNTRIES)
    table = compiled([(i << 8, code) for i, code in enumerate(codes)])
    assert [table.lookup(f"0.0.{i}.7").country for i in range(len(codes))] == codes


@pytest.mark.parametrize(
    "v4", [[(5, "DE"), (4, "FR")], [(5, "DE"), (5, "FR")], [(-1, "DE")], [(1 << 32, "DE")], [(0, "DE"), (0, "FR")]]
)
def test_ranges_out_of_order_or_space_are_refused(v4: list[tuple[int, str]]) -> None:
    with pytest.raises(ConfigError, match=r"expected one behind|expected an address below 2\^32"):
        compiled(v4)


def test_ipv6_ranges_beyond_the_space_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"below 2\^128"):
        compiled([], [(1 << 128, "DE")])


def test_country_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="'XX' is no country"):
        compiled([(0, "XX")])


@pytest.mark.parametrize("source", ["", "x" * 257, "ü" * 129])
def test_source_name_has_bounds_in_bytes(source: str) -> None:
    with pytest.raises(ConfigError, match="expected 1 to 256"):
        compiled([], source=source)


@pytest.mark.parametrize("built", [-1, 2**64])
def test_date_that_is_none_is_refused(built: int) -> None:
    with pytest.raises(ConfigError, match="unix seconds"):
        compile_table([], [], built=built, source="test")


def test_bytes_of_neither_kind_are_refused() -> None:
    for data in (b"", b"country,code\n", bytes(1000)):
        with pytest.raises(ConfigError, match=r"^country\.mmdb: neither an MMDB nor a table"):
            load(data, "country.mmdb")


def test_file_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastedge.geo.table.geo_bytes_max", 0)
    with pytest.raises(ConfigError, match="1 bytes, expected at most 0"):
        load(b"x")
