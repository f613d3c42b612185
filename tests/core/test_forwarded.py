"""What an origin is told: a chain of edges finds the same client in both fields, hop after hop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Fields
from fastedge._core.address import address_text, pack_address
from fastedge._core.forwarded import origin_fields
from fastedge._core.proxies import TrustedProxies

UNIX = bytes(16)


def told(*lines, peer="10.0.0.1", trusted=True, authority=b"shop.example", secure=False):
    packed = UNIX if peer == "unix" else pack_address(peer)
    return origin_fields(Fields(lines), packed, trusted, authority, secure)


def test_untrusted_peers_fields_are_replaced():
    lines = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")]
    assert told(*lines, peer="198.51.100.6", trusted=False) == (
        b"198.51.100.6",
        b"for=198.51.100.6;host=shop.example;proto=http",
    )


def test_v6_peer_is_quoted():
    assert told(peer="2001:db8::7", secure=True) == (
        b"2001:db8::7",
        b'for="[2001:db8::7]";host=shop.example;proto=https',
    )


@pytest.mark.parametrize(
    ("authority", "written"),
    [
        (b"shop.example:8080", b'"shop.example:8080"'),
        (b"[2001:db8::1]", b'"[2001:db8::1]"'),
        (b'a"b\\', b'"a\\"b\\\\"'),
        (b"", b'""'),
    ],
)
def test_authority_that_is_no_token_is_quoted(authority, written):
    assert told(authority=authority)[1] == b"for=10.0.0.1;host=" + written + b";proto=http"


def test_both_fields_of_trusted_peer_are_continued():
    listed = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.0.0.2")]
    assert told(*listed, ("forwarded", "for=192.0.2.1;proto=https,")) == (
        b"192.0.2.1, 10.0.0.2, 10.0.0.1",
        b"for=192.0.2.1;proto=https, for=10.0.0.1;host=shop.example;proto=http",
    )


def test_list_of_trusted_peer_becomes_elements():
    assert told(("x-forwarded-for", "junk, [2001:db8::7]:80,, 10.0.0.2")) == (
        b"junk, [2001:db8::7]:80,, 10.0.0.2, 10.0.0.1",
        b'for=unknown, for="[2001:db8::7]", for=10.0.0.2, for=10.0.0.1;host=shop.example;proto=http',
    )


def test_elements_of_trusted_peer_become_a_list():
    assert told(("forwarded", 'for=192.0.2.1, for=unknown, for="[2001:db8::7]:80";proto=https, for=10.0.0.2'))[0] == (
        b"2001:db8::7, 10.0.0.2, 10.0.0.1"
    )
    assert told(("forwarded", "for=192.0.2.1, proto=https"))[0] == b"10.0.0.1"


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded"])
def test_empty_fields_of_trusted_peer_are_as_none(name):
    assert told((name, ", ,")) == told((name, "")) == told()


def test_unix_peer_has_no_address_to_tell():
    assert told(peer="unix") == (None, b"host=shop.example;proto=http")
    assert told(("x-forwarded-for", "192.0.2.1"), peer="unix") == (
        b"192.0.2.1",
        b"for=192.0.2.1, host=shop.example;proto=http",
    )


@pytest.mark.parametrize("peer", [b"", bytes(4)])
def test_peer_of_wrong_length(peer):
    with pytest.raises(ValueError, match="16 bytes"):
        origin_fields(Fields(), peer, False, b"shop.example", False)


LISTED = ["192.0.2.1", "junk, 192.0.2.1", "2001:db8::7, 10.0.0.8", "10.0.0.8"]
ELEMENTS = ["for=192.0.2.1", "for=unknown", "for=_x, for=10.0.0.8", 'for=10.0.0.7, for="[2001:db8::7]"', "proto=http"]
FIRST = st.one_of(
    st.just([]),
    st.sampled_from(LISTED).map(lambda value: [("x-forwarded-for", value)]),
    st.sampled_from(ELEMENTS).map(lambda value: [("forwarded", value)]),
)
HOPS = st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3", "unix", "198.51.100.6"]), min_size=1, max_size=6)


@given(FIRST, HOPS)
def test_chain_of_edges_finds_one_client(lines, peers):
    """Each edge gets what the one before it wrote, and finds the client whom the first one found."""
    proxies = TrustedProxies(["10.0.0.0/8", "unix:"])
    known = None
    for i, peer in enumerate(peers):
        packed = UNIX if peer == "unix" else pack_address(peer)
        trusted = proxies.is_trusted(packed)
        client, secure = proxies.client(Fields(lines), packed)
        if not trusted or known in (None, UNIX):
            known = client
        assert address_text(client) == address_text(known)
        if i:
            listed_only = [line for line in lines if line[0] != "forwarded"]
            assert proxies.client(Fields(listed_only), packed)[0] == client
        listed, elements = origin_fields(Fields(lines), packed, trusted, b"shop.example", secure)
        lines = [("forwarded", elements.decode()), ("x-forwarded-proto", "https" if secure else "http")]
        if listed is not None:
            lines.append(("x-forwarded-for", listed.decode()))
