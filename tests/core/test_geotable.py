"""The compiled form is either right or refused: no bytes make the look-up read beyond its arrays."""

import gc
import struct
from ipaddress import IPv4Address, IPv6Address
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.geotable import FLAG_NARROW, FLAG_WIDE, HEADER, MAGIC, VERSION, GeoFacts, GeoSlot, GeoTable
from fastedge.errors import ConfigError
from fastedge.geo import COUNTRIES, Place, compile_table

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
    names = ("magic", "version", "flags", "crc", "built", "v4", "v6", "records", "texts", "facts", "source", "reserved")
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


# The date, the known facts and the reserved bytes stand in the header, outside the checksum.
UNCHECKED = {*range(16, 24), *range(HEADER.size - 10, HEADER.size - 6), *range(HEADER.size - 4, HEADER.size)}


def test_any_one_flipped_bit_is_refused_or_only_moves_the_date() -> None:
    data = compiled()
    for i in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[i // 8] ^= 1 << i % 8
        if i // 8 in UNCHECKED:
            continue
        with pytest.raises(ConfigError):
            table(bytes(flipped))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"magic": b"\x89fegeo\r\r"}, "not a compiled table"),
        ({"version": VERSION - 1}, "version 1"),
        ({"flags": 4}, "flags 4"),
        ({"v4": 0}, "0 IPv4 ranges"),
        ({"v6": 0}, "0 IPv6 ranges"),
        ({"v4": 2**32 - 1}, "4294967295 IPv4 ranges"),
        ({"records": 0}, "0 records"),
        ({"records": 257}, "257 records"),
        ({"texts": 0}, "0 bytes of texts"),
        ({"source": 0}, "0 bytes of source"),
        ({"source": 257}, "257 bytes of source"),
        ({"flags": FLAG_NARROW | FLAG_WIDE}, "truncated"),
        ({"flags": 0}, "truncated"),
    ],
)
def test_header_that_cannot_be_is_named(fields: dict[str, bytes | int], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        table(sealed(compiled(), **fields))


V6_BYTES, V4_BYTES = 8 * len(V6), 4 * len(V4)
ROWS = V6_BYTES + V4_BYTES
OWNERS = ROWS + 5 * 24  # unknown and four countries
TEXTS = OWNERS + len(V4) + len(V6)


@pytest.mark.parametrize(
    ("offset", "replacement", "problem"),
    [
        (0, struct.pack("<Q", 1), "does not start at address 0"),
        (8, struct.pack("<Q", 0), "IPv6 range 1 does not start behind"),
        (16, struct.pack("<Q", 5), "IPv6 range 2 does not start behind"),
        (V6_BYTES, struct.pack("<I", 1), "does not start at address 0"),
        (V6_BYTES + 4, struct.pack("<I", 0), "IPv4 range 1 does not start behind"),
        (V6_BYTES + 16, struct.pack("<I", 0x01030000), "IPv4 range 4 does not start behind"),
        (ROWS, b"\1", "first record is not the unknown one"),
        (ROWS + 4, b"\1", "first record is not the unknown one"),
        (ROWS + 24, b"\xff\xff", "record 1 is of no country"),
        (ROWS + 24, b"\1\0", "record 1 is of no country"),
        (ROWS + 28, struct.pack("<I", 1), "a text goes beyond its end"),
        (ROWS + 40, struct.pack("<I", 2**32 - 1), "a text goes beyond its end"),
        (OWNERS + 4, b"\5", "IPv4 range 4 leads to record 5 of 5"),
        (OWNERS + 5, b"\xff", "IPv6 range 0 leads to record 255 of 5"),
        (TEXTS, b"\1", "first text is not the empty one"),
        (TEXTS + 1, b"\xff", "not UTF-8"),
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


# --- more than countries ----------------------------------------------------------------------------------------------

MUNICH = Place("DE", "DE-BY", "München", "Europe/Berlin", 64500, "Example Netz")
ONLY_NETWORK = Place(asn=4294967295, organization="Nowhere Ltd")


def detailed() -> bytes:
    return compile_table([(1 << 24, MUNICH), (2 << 24, "DE"), (3 << 24, ONLY_NETWORK)], [], built=1, source="s")


def test_records_say_all_that_they_know() -> None:
    facts = table(detailed()).lookup("1.2.3.4")
    assert (facts.country, facts.continent, facts.is_eu, facts.country_bytes) == ("DE", "EU", True, b"DE")
    assert (facts.region, facts.city, facts.time_zone) == ("DE-BY", "München", "Europe/Berlin")
    assert (facts.asn, facts.organization) == (64500, "Example Netz")
    assert repr(facts) == (
        "GeoFacts('DE', 'EU', True, region='DE-BY', city='München', time_zone='Europe/Berlin', "
        "organization='Example Netz', asn=64500)"
    )


def test_network_of_no_known_country_is_told_all_the_same() -> None:
    facts = table(detailed()).lookup("3.0.0.1")
    assert (facts.country, facts.continent, facts.is_eu) == ("", "", False)
    assert (facts.asn, facts.organization, facts.city) == (4294967295, "Nowhere Ltd", "")


def test_record_of_a_country_alone_is_the_countrys_one_object() -> None:
    assert table(detailed()).lookup("2.0.0.1") is COUNTRIES["DE"]


def test_facts_of_two_tables_are_equal_when_they_say_the_same() -> None:
    one, other = (table(detailed()).lookup("1.2.3.4") for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != COUNTRIES["DE"]


def test_facts_outlive_whoever_held_their_table() -> None:
    facts = table(bytes(bytearray(detailed()))).lookup("1.2.3.4")
    gc.collect()
    assert facts.city == "München"


def test_table_says_which_facts_it_has() -> None:
    assert table().facts == frozenset()
    assert table(detailed()).facts == {"region", "city", "time_zone", "asn", "organization"}
    one = compile_table([(0, Place("DE", asn=1))], [], built=1, source="s")
    assert table(one).facts == {"asn"}


def test_table_of_many_records_numbers_them_in_four_bytes() -> None:
    rows = [(i << 16, Place("DE", city=f"City {i}")) for i in range(1000)]
    wide = table(compile_table(rows, [(i << 96, place) for i, (_, place) in enumerate(rows)], built=1, source="s"))
    assert wide.record_count == 1001
    for i in (0, 1, 255, 256, 999):
        assert wide.lookup(str(IPv4Address((i << 16) + 5))).city == f"City {i}"
        assert wide.lookup(str(IPv6Address((i << 96) + 5))).city == f"City {i}" or i == 0


def test_layout_is_what_a_table_was_compiled_from() -> None:
    v4, v6, records = table(detailed()).layout()
    assert list(v4) == [(0, 0), (1 << 24, 1), (2 << 24, 2), (3 << 24, 3)]
    assert list(v6) == [(0, 0)]
    assert [facts.city for facts in records] == ["", "München", "", ""]


# --- memory that is shared --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [compiled(), compiled(v6=WIDE_V6), detailed()])
def test_shared_form_answers_as_the_table_that_it_is_of(data: bytes) -> None:
    own = table(data)
    shared = GeoTable(own.shared_form(), COUNTRIES, is_shared=True)
    for asked in ("0.0.0.0", "1.2.3.4", "3.0.0.1", "255.255.255.255", "2001:db8::1", "2001:db8::", "fe80::1", "::"):
        assert shared.lookup(asked) == own.lookup(asked)
    assert (shared.facts, shared.source, shared.ranges_v4) == (own.facts, own.source, own.ranges_v4)
    assert shared.shared_form() == own.shared_form()


def test_shared_form_cut_off_is_refused() -> None:
    whole = table().shared_form()
    with pytest.raises(ConfigError, match="truncated"):
        GeoTable(whole[:-1], COUNTRIES, is_shared=True)


def test_slot_answers_from_the_latest_table() -> None:
    slot = GeoSlot(table())
    assert slot.lookup("1.2.3.4").city == ""
    slot.swap(table(detailed()))
    assert slot.lookup("1.2.3.4").city == "München"
    assert slot.lookup_packed(bytes(10) + b"\xff\xff\1\2\3\4").asn == 64500
    assert (slot.source, "city" in slot.facts) == ("s", True)
