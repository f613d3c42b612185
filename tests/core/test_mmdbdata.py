"""The data section: agrees with maxminddb on whatever can be written, and damage is a ConfigError and nothing else."""

import io
from typing import Any

import maxminddb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.mmdbdata import Extractor, decode
from fastedge.errors import ConfigError
from tests.geo.mmdb_writer import Writer, encode

TEXTS = st.text(max_size=40) | st.sampled_from(["x" * 28, "x" * 29, "x" * 284, "x" * 285])
VALUES = st.recursive(
    TEXTS | st.integers(0, 2**64 - 1) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def pointer(target: int) -> bytes:
    """In the shortest form (MaxMind DB format 2.0, "pointer")."""
    if target < 2048:
        return bytes([0x20 | target >> 8, target & 255])
    if target < 526336:
        return bytes([0x28 | (target - 2048) >> 16]) + ((target - 2048) & 0xFFFF).to_bytes(2, "big")
    if target < 526336 + 2**27:
        return bytes([0x30 | (target - 526336) >> 24]) + ((target - 526336) & 0xFFFFFF).to_bytes(3, "big")
    return b"\x38" + target.to_bytes(4, "big")


def value_of(found: Any, _: str) -> Any:
    return found


def extracted(data: bytes, paths: tuple[str, ...], offset: int = 0) -> tuple[Any, ...]:
    return Extractor(data, 0, len(data), [((path,), value_of, False, None) for path in paths]).extract(offset)


@given(VALUES)
def test_any_value_is_decoded_as_maxminddb_does(value: Any) -> None:
    writer = Writer(ip_version=4)
    writer.insert("10.0.0.0/8", value)
    data = writer.to_bytes()
    start = len(writer.nodes) * 6 + 16
    oracle = maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD)
    assert decode(data, start, data.rindex(b"\xab\xcd\xef")) == oracle.get("10.1.1.1") == value


def test_values_are_found_by_their_paths() -> None:
    record = encode({"a": {"b": "deep", "skipped": [1, {"x": "y"}]}, "n": 5, "list": [{"c": "first"}, {"c": "second"}]})
    assert extracted(record, ("a.b", "n", "list.0.c", "a", "missing", "a.b.c")) == (
        "deep",
        5,
        "first",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("before", [0, 100, 3000, 600_000])
def test_pointers_of_every_length_are_followed(before: int) -> None:
    data = bytes(before) + encode("Munich") + encode("city")
    at, key = before, before + 7
    record = b"\xe2" + pointer(key) + pointer(at) + encode("n") + encode(7)
    assert extracted(data + record, ("city", "n"), len(data)) == ("Munich", 7)
    far = b"\x38" + at.to_bytes(4, "big")
    assert extracted(data + b"\xe1" + encode("city") + far, ("city",), len(data)) == ("Munich",)


def test_map_behind_a_pointer_is_followed_by_what_stands_behind_the_pointer() -> None:
    data = encode({"iso_code": "DE", "more": [1, 2, 3]})
    record = b"\xe3" + encode("country") + pointer(0) + encode("skip") + pointer(0) + encode("asn") + encode(5)
    assert extracted(data + record, ("country.iso_code", "asn"), len(data)) == ("DE", 5)


def test_fact_takes_the_first_path_that_reads_as_one() -> None:
    data = encode({"country": "Germany", "country_code": "DE"})
    facts = [(("country", "country_code"), lambda value, _: value if len(value) == 2 else "", True, "none")]
    assert Extractor(data, 0, len(data), facts).extract(0) == ("DE",)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "beyond its end"),
        (b"\x45abc", "beyond its end"),
        (b"\x5f\xff\xff\xffabc", "beyond its end"),
        (b"\xe1", "beyond its end"),
        (b"\xe1\x41", "beyond its end"),
        (b"\xe1\xa1\x05\x41a", "a key of a map is no text"),
        (b"\x20\x09", "outside of its data section"),
        (b"\x20\x02\x20\x00", "a pointer leads to a pointer"),
        (b"\x00\x05", "a value of type 12"),
        (b"\x00\x06", "a value of type 13"),
        (b"\x00\xff", "a value of type"),
        (b"\xe1\x42\xff\xfe\x41a", "not UTF-8"),
        (b"\xe1\x41a" * 50 + b"\x41b", "deeper than 32"),
        (b"\x01\x04" * 50, "deeper than 32"),
    ],
)
def test_damage_is_named(data: bytes, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"MMDB: damaged: .*{problem}"):
        decode(data, 0, len(data))
    if "UTF-8" not in problem:  # what is skipped is not decoded
        with pytest.raises(ConfigError, match="MMDB: damaged"):
            extracted(data, ("a.a.a.a",))


def test_loop_of_pointers_ends() -> None:
    data = b"\xe1\x41a\x20\x00"
    with pytest.raises(ConfigError, match="deeper than 32"):
        decode(data, 0, len(data))
    assert extracted(data, ("a.b",)) == (None,)


def test_steps_are_bounded() -> None:
    size = 58
    data = b"".join(b"\x1c\x04" + pointer(size * (level + 1)) * 28 for level in range(10))  # each level 28 of the next
    with pytest.raises(ConfigError, match="more than a database can have"):
        decode(data + b"\x41a", 0, len(data) + 2)


@given(st.binary(max_size=60), st.integers(0, 59))
def test_any_bytes_are_values_or_a_config_error(data: bytes, offset: int) -> None:
    for read in (lambda: decode(data, 0, len(data)), lambda: extracted(data, ("a.b", "a.0.c"), offset)):
        try:
            read()
        except ConfigError as error:
            assert str(error).startswith("MMDB: damaged: ")


def test_section_outside_of_the_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="outside of the file"):
        Extractor(b"abc", 1, 4, [])
