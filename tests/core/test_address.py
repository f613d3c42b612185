"""Texts and bytes of addresses agree with the standard library's, for everything that could be an address."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastedge import Context
from fastedge._core.address import address_text, pack_address

V4_MAPPED = bytes(10) + b"\xff\xff"
GROUP = st.one_of(st.just(0), st.integers(0, 0xFFFF))
GROUPS = st.lists(GROUP, min_size=8, max_size=8)
PIECES = ["0", "00", "1", "01", "255", "256", "abcd", "12345", ":", "::", ".", "1.2.3.4"]
NEARLY = st.one_of(
    st.text("0123456789abcdefABCDEFg:.%[] /x-\n", max_size=48),
    st.lists(st.sampled_from(PIECES), max_size=17).map("".join),
    st.lists(st.integers(0, 300).map(str), min_size=3, max_size=5).map(".".join),
    st.lists(st.sampled_from(["0", "", "f", "ffff", "1.2.3.4"]), min_size=1, max_size=10).map(":".join),
)


def expected(text):
    """What the standard library reads, as 16 bytes; None for no address, and for a zone."""
    try:
        packed = ipaddress.ip_address(text).packed
    except ValueError:
        return None
    if "%" in text:
        return None
    return packed if len(packed) == 16 else V4_MAPPED + packed


def read(text):
    try:
        return pack_address(text)
    except ValueError:
        return None


@given(NEARLY)
@example("")
@example(":")
@example("::")
@example(":::")
@example("1::")
@example("::1:2:3:4:5:6:7")
@example("1:2:3:4:5:6:7::")
@example("1:2:3:4:5:6:7::8")
@example("::1.2.3.4")
@example("1:2:3:4:5:6:1.2.3.4")
@example("1:2:3:4:5:6:7:1.2.3.4")
@example("1.2.3.4::")
@example("::1.2.3.4:5")
@example("::01.2.3.4")
@example("::12345")
@example("1::2::3")
@example("::1::")
@example("256.0.0.1")
@example("1.2.3.256")
@example("::1.2.3.256")
@example("fe80::1%eth0")
@example("1.2.3.4\0")
@example("::1\0")
@example("\u0661.2.3.4")
@example("0000:0000:0000:0000:0000:ffff:255.255.255.255")
@example("00000:0000:0000:0000:0000:ffff:255.255.255.255")
def test_parse_any_text(text):
    assert read(text) == expected(text)


@given(GROUPS)
@example([0] * 8)
@example([0, 0, 1, 0, 0, 0, 1, 0])
@example([1, 0, 0, 1, 1, 0, 0, 1])
@example([1, 0, 1, 1, 1, 1, 1, 1])
@example([1, 1, 1, 1, 1, 1, 0, 0])
@example([0, 0, 0, 0, 0, 0, 0x102, 0x304])
def test_format_any_v6_address(groups):
    packed = b"".join(group.to_bytes(2) for group in groups)
    address = ipaddress.IPv6Address(packed)
    assert address_text(packed) == str(address.ipv4_mapped or address)
    assert pack_address(address.exploded) == packed


@given(st.binary(min_size=4, max_size=4))
@example(b"\0\0\0\0")
@example(b"\x0a\x64\xc8\xff")
def test_format_any_v4_address(octets):
    text = str(ipaddress.IPv4Address(octets))
    assert address_text(V4_MAPPED + octets) == text
    assert pack_address(text) == V4_MAPPED + octets


@given(st.binary(min_size=16, max_size=16))
def test_text_and_bytes_round_trip(packed):
    assert pack_address(address_text(packed)) == packed


def test_mapped_v6_text_is_the_v4_address():
    assert pack_address("::ffff:192.0.2.1") == pack_address("192.0.2.1")


@pytest.mark.parametrize("packed", [b"", bytes(4), bytes(17), None])
def test_format_of_wrong_length(packed):
    with pytest.raises(ValueError, match="16 bytes"):
        address_text(packed)


@pytest.mark.parametrize("text", ["192.0.2.9", "2001:db8::1"])
def test_context_keeps_client(text):
    context = Context(client=text)
    assert context.client == text
    assert context.client_packed == pack_address(text)


def test_context_with_no_address():
    with pytest.raises(ValueError, match="'shop' is not an IP address"):
        Context(client="shop")
