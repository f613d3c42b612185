"""The compiled form is either right or refused: no bytes make the look-up read beyond its arrays."""

import struct
from ipaddress import IPv4Address, IPv6Address
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.geotable import FLAG_WIDE, HEADER, MAGIC, VERSION, GeoFacts, GeoTable
from fastedge.errors import ConfigError
from fastedge.geo import COUNTRIES, compile_table

V4 = [(0, ""), (0x01000000, "US"), (0x01020000, "DE"), (0x01030000, ""), (0xFFFFFFFF, "FR")]
V6 = [(0, ""), (0x20010DB8 << 96, "DE"), (0x20010DB9 << 96, ""), (0xFE80 << 112, "CH")]
WIDE_V6 = [*V6[:2], ((0x20010DB8 << 96) + 1, "FR"), ((0x20010DB8 << 96) + 2, "DE"), *V6[2:]]
COUNTRY = st.sampled_from(("", "DE", "FR", "US"))


def compiled(v4: list[tuple[int, str]] = V4, v6: list[tuple[int, str]] = V6) -> bytes:
    return compile_table(v4, v6, built=1_700_000_000, source="a test")


def table(data: bytes | None = None) -> GeoTable:
    return GeoTable(compiled() if data is None else data, COUNTRIES)


def sealed(data: bytes, **fields: bytes | int) -> bytes:
    """`data` with header fields replaced and a checksum that fits again."""
    names = ("magic", "version", "flags", "crc", "built", "v4", "v6", "countries", "source", "reserved")
    header = dict(zip(names, HEADER.unpack_from(data), strict=True)) | fields
    body = data[HEADER.size :]
    return HEADER.pack(*(header | {"crc": crc32(body)}).values()) + body


def with_bytes(data: bytes, offset: int, replacement: bytes) -> bytes:
    at = HEADER.size + offset
    return sealed(data[:at] + replacement + data[at + len(replacement) :])


def test_ranges_reach_from_their_start_to_the_next() -> None:
    asked = ["0.0.0.0", "0.255.255.255", "1.0.0.0", "1.1.255.255", "1.2.0.0", "1.2.255.255", "1.3.0.0"]
    assert [table().lookup(a).country for a in asked] == ["", "", "US", "US", "DE", "DE", ""]
    assert [table().lookup(a).country for a in ("255.255.255.254", "255.255.255.255")] == ["", "FR"]


def test_ipv6_is_found_inside_and_outside_global_unicast() -> None:
    asked = ["::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8:ffff::1", "2001:db9::", "fe80::1"]
    assert [table().lookup(a).country for a in asked] == ["", "", "DE", "DE", "", "CH"]
    assert table().lookup("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").country == "CH"


def test_wide_table_cuts_within_a_64() -> None:
    wide = table(compiled(v6=WIDE_V6))
    assert [wide.lookup(a).country for a in ("2001:db8::", "2001:db8::1", "2001:db8::2")] == ["DE", "FR", "DE"]
    assert [wide.lookup(a).country for a in ("2001:db9::", "2001:db7::1", "fe80::1")] == ["", "", "CH"]


@given(
    v4=st.dictionaries(st.integers(0, 2**32 - 1), COUNTRY, max_size=40),
    v6=st.dictionaries(st.integers(0, 2**64 - 1).map(lambda high: high << 64) | st.integers(0, 2**128 - 1), COUNTRY),
    asked=st.lists(st.integers(0, 2**128 - 1)),
)
def test_any_table_answers_as_a_scan_of_its_ranges_does(
    v4: dict[int, str], v6: dict[int, str], asked: list[int]
) -> None:
    flat = GeoTable(compiled(sorted(v4.items()), sorted(v6.items())), COUNTRIES)
    for ranges, family, bits in ((v4, IPv4Address, 32), (v6, IPv6Address, 128)):
        starts = sorted(ranges)
        near = {start + step for start in starts for step in (-1, 0, 1)} | {number % 2**bits for number in asked}
        for number in near:
            if not 0 <= number < 2**bits or (bits == 128 and number >> 32 == 0xFFFF):
                continue
            below = [start for start in starts if start <= number]
            assert flat.lookup(str(family(number))).country == (ranges[below[-1]] if below else "")


def test_packed_and_text_give_the_same_object() -> None:
    shared = table()
    packed = bytes(10) + b"\xff\xff" + bytes([1, 2, 3, 4])
    assert (
        shared.lookup_packed(packed) is shared.lookup("1.2.3.4") is shared.lookup("::ffff:1.2.3.4") is COUNTRIES["DE"]
    )


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "1.2.3.4\0", "::1\0", "fe80::1%lo", "\u0661"]
)
def test_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address"):
        table().lookup(text)


@pytest.mark.parametrize("packed", [b"", b"\1\2\3\4", bytes(15), bytes(17)])
def test_packed_address_of_another_length_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        table().lookup_packed(packed)


def test_table_says_what_it_is() -> None:
    t = table()
    assert (t.built, t.source, t.ranges_v4, t.ranges_v6) == (1_700_000_000, "a test", 5, 4)
    assert t.countries == ("CH", "DE", "FR", "US")
    assert repr(t) == "<GeoTable 'a test': 5 IPv4 and 4 IPv6 ranges>"


def test_buffer_that_is_not_bytes_is_read_alike() -> None:
    data = compiled()
    unaligned = memoryview(b"x" + data)[1:]
    assert [GeoTable(d, COUNTRIES).lookup("1.2.3.4").country for d in (bytearray(data), unaligned)] == ["DE", "DE"]


def test_facts_are_shared_and_cannot_be_changed() -> None:
    facts = table().lookup("1.2.3.4")
    assert (facts.country, facts.country_bytes, facts.continent, facts.is_eu) == ("DE", b"DE", "EU", True)
    with pytest.raises(AttributeError):
        facts.country = "FR"  # type: ignore[misc]


def test_facts_compare_by_what_they_say() -> None:
    assert GeoFacts("DE", "EU", True) == COUNTRIES["DE"]
    assert hash(GeoFacts("DE", "EU", True)) == hash(COUNTRIES["DE"])
    assert GeoFacts("DE", "EU", False) != COUNTRIES["DE"]
    assert GeoFacts("FR", "EU", True) != COUNTRIES["DE"]
    assert COUNTRIES["DE"] != "DE"


@pytest.mark.parametrize("code", ["D", "de", "DEU", "D1", "ÄÖ", "  "])
def test_facts_refuse_what_is_no_code(code: str) -> None:
    with pytest.raises(ConfigError, match="two capital letters"):
        GeoFacts(code, "EU", False)


def test_every_truncation_is_refused() -> None:
    data = compiled()
    for length in range(len(data)):
        with pytest.raises(ConfigError, match=r"shorter than its header|truncated"):
            table(data[:length])


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected"):
        table(compiled() + b"\0")


def test_any_one_flipped_bit_is_refused_or_only_moves_the_date() -> None:
    data = compiled()
    for i in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[i // 8] ^= 1 << i % 8
        if 16 <= i // 8 < 24 or (i // 8 >= HEADER.size - 4 and i // 8 < HEADER.size):
            continue  # the date and the reserved bytes stand in the header, outside the checksum
        with pytest.raises(ConfigError):
            table(bytes(flipped))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"magic": b"\x89fegeo\r\r"}, "not a compiled table"),
        ({"version": VERSION + 1}, "version 2"),
        ({"flags": 2}, "flags 2"),
        ({"v4": 0}, "0 IPv4 ranges"),
        ({"v6": 0}, "0 IPv6 ranges"),
        ({"v4": 2**32 - 1}, "4294967295 IPv4 ranges"),
        ({"countries": 0}, "0 countries"),
        ({"countries": 257}, "257 countries"),
        ({"source": 0}, "0 bytes of source"),
        ({"source": 257}, "257 bytes of source"),
        ({"flags": FLAG_WIDE}, "truncated"),
    ],
)
def test_header_that_cannot_be_is_named(fields: dict[str, bytes | int], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        table(sealed(compiled(), **fields))


V6_BYTES, V4_BYTES = 8 * len(V6), 4 * len(V4)


@pytest.mark.parametrize(
    ("offset", "replacement", "problem"),
    [
        (0, struct.pack("<Q", 1), "does not start at address 0"),
        (8, struct.pack("<Q", 0), "IPv6 range 1 does not start behind"),
        (16, struct.pack("<Q", 5), "IPv6 range 2 does not start behind"),
        (V6_BYTES, struct.pack("<I", 1), "does not start at address 0"),
        (V6_BYTES + 4, struct.pack("<I", 0), "IPv4 range 1 does not start behind"),
        (V6_BYTES + 16, struct.pack("<I", 0x01030000), "IPv4 range 4 does not start behind"),
        (V6_BYTES + V4_BYTES + 4, b"\5", "IPv4 range 4 names country 5 of 5"),
        (V6_BYTES + V4_BYTES + 5, b"\xff", "IPv6 range 0 names country 255 of 5"),
        (V6_BYTES + V4_BYTES + 9, b"DE", "first country"),
        (V6_BYTES + V4_BYTES + 11, b"QQ", "'QQ' is no country"),
        (V6_BYTES + V4_BYTES + 11, b"\xff\xff", "is no country"),
        (V6_BYTES + V4_BYTES + 19, b"\xff", "not UTF-8"),
    ],
)
def test_body_that_cannot_be_is_named_even_when_its_checksum_fits(
    offset: int, replacement: bytes, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        table(with_bytes(compiled(), offset, replacement))


@pytest.mark.parametrize("low", [0, 1])
def test_wide_ranges_out_of_order_are_refused(low: int) -> None:
    data = compiled(v6=WIDE_V6)
    lows = 8 * len(WIDE_V6)
    with pytest.raises(ConfigError, match="IPv6 range 3 does not start behind"):
        table(with_bytes(data, lows + 24, struct.pack("<Q", low)))
    with pytest.raises(ConfigError, match="does not start at address 0"):
        table(with_bytes(data, lows, struct.pack("<Q", 1)))


def test_file_of_something_else_is_refused() -> None:
    assert not compiled().startswith(b"PK")
    with pytest.raises(ConfigError, match="not a compiled table"):
        table(b"PK\3\4" + bytes(100))
    assert compiled().startswith(MAGIC)
