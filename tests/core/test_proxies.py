"""The client is the rightmost address that is not trusted, whatever stands left of it and whoever wrote it."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Fields
from fastedge._core.address import address_text, pack_address
from fastedge._core.proxies import TrustedProxies
from fastedge.errors import ConfigError, WireError
from fastedge.limits import forwarded_elements_max, trusted_proxies_max

UNIX = bytes(16)
PEER = "10.0.0.1"
STRANGER = "198.51.100.66"
PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8:1::/48", "unix:"])


def client(*lines, peer=PEER, proxies=PROXIES):
    packed = UNIX if peer == "unix" else pack_address(peer)
    return address_text(proxies.client(Fields(lines), packed)[0])


def secure(*lines, before=False, peer=PEER):
    return PROXIES.client(Fields(lines), pack_address(peer), before)[1]


def refusal(*lines, peer=PEER):
    with pytest.raises(WireError) as caught:
        PROXIES.client(Fields(lines), pack_address(peer))
    return caught.value.status, caught.value.reason


def xff(value):
    return ("X-Forwarded-For", value)


def fwd(value):
    return ("Forwarded", value)


def proto(value):
    return ("X-Forwarded-Proto", value)


# --- who is trusted --------------------------------------------------------------------------------------------------


@st.composite
def networks(draw):
    kind = draw(st.sampled_from([ipaddress.IPv4Network, ipaddress.IPv6Network]))
    bits = kind((0, 0)).max_prefixlen
    top = draw(st.sampled_from([0, 10, 127, 172, 255])) << (bits - 8)
    number = top | draw(st.integers(0, 3)) << (bits - 24) | draw(st.integers(0, 3))
    return kind((number, draw(st.integers(0, bits))), strict=False)


@given(st.lists(networks(), max_size=8), st.lists(networks(), min_size=1, max_size=8))
def test_trusts_what_the_networks_hold(trusted, probes):
    proxies = TrustedProxies([str(network) for network in trusted])
    for probe in probes:
        for address in (probe.network_address, probe.broadcast_address):
            v4 = address if address.version == 4 else address.ipv4_mapped
            asked = v4 or address
            packed = pack_address(str(asked))
            holds = any(asked in network for network in trusted) and packed != UNIX
            assert proxies.is_trusted(packed) == holds


def test_ipv6_network_that_ends_where_ipv4_ends_trusts_no_ipv4():
    proxies = TrustedProxies(["::/80"])
    assert not proxies.is_trusted(pack_address("203.0.113.7"))
    assert proxies.is_trusted(pack_address("::7"))


def test_trusts_nobody_by_default():
    assert not TrustedProxies().is_trusted(pack_address("127.0.0.1"))
    assert not TrustedProxies().is_trusted(UNIX)


def test_trusts_one_address_without_prefix():
    proxies = TrustedProxies(["10.0.0.1", "2001:db8::1"])
    assert proxies.is_trusted(pack_address("10.0.0.1"))
    assert not proxies.is_trusted(pack_address("10.0.0.2"))
    assert proxies.is_trusted(pack_address("2001:db8::1"))
    assert not proxies.is_trusted(pack_address("2001:db8::2"))


def test_trusts_no_v4_and_no_unix_by_a_v6_network():
    proxies = TrustedProxies(["::/0"])
    assert proxies.is_trusted(pack_address("2001:db8::1"))
    assert proxies.is_trusted(pack_address("::fffe:0:0"))
    assert not proxies.is_trusted(pack_address("0.0.0.0"))
    assert not proxies.is_trusted(pack_address("255.255.255.255"))
    assert not proxies.is_trusted(UNIX)


def test_trusts_v4_by_its_mapped_network():
    assert TrustedProxies(["::ffff:10.0.0.0/104"]).is_trusted(pack_address("10.9.9.9"))


def test_trusts_unix_peers_only_by_name():
    assert TrustedProxies(["unix:"]).is_trusted(UNIX)
    assert TrustedProxies(["unix:"]).unix is True
    assert TrustedProxies(["0.0.0.0/0"]).unix is False


def test_networks_are_kept_as_written():
    assert TrustedProxies(["unix:", "10.0.0.0/8"]).networks == ("unix:", "10.0.0.0/8")
    assert repr(TrustedProxies(["unix:"])) == "TrustedProxies(['unix:'])"


@pytest.mark.parametrize(
    "text",
    ["", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/-1", "10.0.0.0/255.0.0.0",
     "10.0.0.0/8/8", "10.0.0/8", "fe80::%eth0/64", "unix:/run/x.sock", "shop.example", "10.0.0.0/\u00b2",
     "10.0.0.0/9999", 7, None],
)  # fmt: skip
def test_entry_that_is_no_network(text):
    with pytest.raises(ConfigError, match=r"trusted_proxies: .* is not a network such as"):
        TrustedProxies([text])


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("10.0.0.1/8", "'10.0.0.0/8'"),
        ("1.2.3.4/0", "'0.0.0.0/0'"),
        ("2001:db8::1/32", "'2001:db8::/32'"),
        ("::ffff:10.0.0.1/104", "'10.0.0.0/8'"),
    ],
)
def test_entry_with_host_bits_names_the_network(text, right):
    with pytest.raises(ConfigError, match=f"the network is {right}"):
        TrustedProxies([text])


def test_text_instead_of_list():
    with pytest.raises(ConfigError, match="a list of networks"):
        TrustedProxies("10.0.0.0/8")


def test_more_networks_than_the_bound():
    assert TrustedProxies(["10.0.0.0/8"] * trusted_proxies_max).is_trusted(pack_address(PEER))
    with pytest.raises(ConfigError, match=f"at most {trusted_proxies_max}"):
        TrustedProxies(["10.0.0.0/8"] * (trusted_proxies_max + 1))


# --- untrusted peers -------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(
    st.sampled_from(["x-forwarded-for", "forwarded", "x-forwarded-proto"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
)))  # fmt: skip
def test_untrusted_peer_is_the_client_whatever_it_says(lines):
    assert client(*lines, peer=STRANGER) == STRANGER
    assert secure(*lines, peer=STRANGER) is False
    assert secure(*lines, peer=STRANGER, before=True) is True


def test_unix_peer_that_is_not_trusted():
    assert client(xff("192.0.2.1"), peer="unix", proxies=TrustedProxies(["0.0.0.0/0", "::/0"])) == "::"


# --- X-Forwarded-For -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("192.0.2.1,10.0.0.3 ,\t10.0.0.2", "192.0.2.1"),
        ("127.0.0.1, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("10.0.0.9, 192.0.2.1", "192.0.2.1"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("junk, 192.0.2.1", "192.0.2.1"),
        ("unknown, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("192.0.2.1:5678", "192.0.2.1"),
        ("[2001:db8::7]:123, 10.0.0.2:80", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:db8::7, 2001:db8:1::1", "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:10.0.0.2", "10.0.0.2"),
        (", ,192.0.2.1,, 10.0.0.2 , ", "192.0.2.1"),
        (", ,", PEER),
        ("", PEER),
    ],
)
def test_list_of_trusted_peer(value, found):
    assert client(xff(value)) == found


def test_no_field_of_trusted_peer():
    assert client() == PEER
    assert client(peer="unix") == "::"


def test_unix_peer_that_is_trusted():
    assert client(xff("192.0.2.1"), peer="unix") == "192.0.2.1"
    assert client(fwd("for=192.0.2.1"), peer="unix") == "192.0.2.1"
    assert client(fwd("for=unknown"), peer="unix") == "::"


def test_lists_on_several_lines_are_one():
    assert client(xff("203.0.113.5"), ("accept", "*/*"), xff("192.0.2.1"), xff("10.0.0.2")) == "192.0.2.1"
    assert client(("x-FORWARDED-for", "192.0.2.1"), ("X-forwarded-FOR", "10.0.0.2")) == "192.0.2.1"


@pytest.mark.parametrize(
    "value",
    ["junk", "unknown", "_hidden", "192.0.2.1, junk", "junk, 10.0.0.2", "192.0.2.1, unknown, 10.0.0.2", "unix:",
     "192.0.2.01", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:123456", "192.0.2.1 10.0.0.2", "[192.0.2.1]",
     "192.0.2", "[2001:db8::7", "[2001:db8::7]x", "[2001:db8::7]:", "[]", "2001:db8::7]", "fe80::1%eth0",
     '"192.0.2.1"', "::", "[::]:80", "1" * 70],
)  # fmt: skip
def test_list_with_what_is_no_address(value):
    assert refusal(xff(value)) == (400, "forwarded_for")


def test_list_longer_than_the_bound():
    assert client(xff(", ".join(["10.0.0.2"] * forwarded_elements_max))) == "10.0.0.2"
    assert refusal(xff(", ".join(["10.0.0.2"] * (forwarded_elements_max + 1)))) == (400, "forwarded_elements")
    assert refusal(*[xff("10.0.0.2")] * (forwarded_elements_max + 1)) == (400, "forwarded_elements")


def test_list_longer_than_the_bound_left_of_the_client():
    assert client(xff("10.0.0.2, " * 100 + "192.0.2.1, 10.0.0.2")) == "192.0.2.1"


ENTRIES = ["192.0.2.1", "198.51.100.2", "10.0.0.2", "2001:db8::7", "2001:db8:1::1", "junk"]


@given(st.lists(st.sampled_from(ENTRIES), max_size=12))
def test_list_is_walked_from_the_right(entries):
    """The same rule, written as the walk that it describes."""
    found = PEER
    for entry in reversed(entries):
        if entry == "junk":
            assert refusal(xff(", ".join(entries))) == (400, "forwarded_for")
            return
        found = entry
        if not PROXIES.is_trusted(pack_address(entry)):
            break
    assert client(xff(", ".join(entries))) == found


# --- Forwarded -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("for=192.0.2.1", "192.0.2.1"),
        ("For=192.0.2.1;proto=http;by=203.0.113.43", "192.0.2.1"),
        ('proto=http;FOR="192.0.2.1"', "192.0.2.1"),
        ("for=192.0.2.1, for=10.0.0.2", "192.0.2.1"),
        ("for=192.0.2.1 , for=10.0.0.2", "192.0.2.1"),
        ('for="[2001:db8::7]:4711",for="10.0.0.2:80"', "2001:db8::7"),
        ('for="[2001:db8::7]:_p1"', "2001:db8::7"),
        ('for="192.0.2.1:_p1"', "192.0.2.1"),
        ("for=[2001:db8::7]:4711", "2001:db8::7"),
        ("for=192.0.2.1:4711", "192.0.2.1"),
        (r'for="\1\92.0.\2.1"', "192.0.2.1"),
        (r'for=192.0.2.1;x="a\",for=203.0.113.5;\\"', "192.0.2.1"),
        ('for=192.0.2.1;x="a, for=203.0.113.5"', "192.0.2.1"),
        ("for=192.0.2.1 ; proto=http", "192.0.2.1"),
        (";for=192.0.2.1;;", "192.0.2.1"),
        ("for=junk, for=192.0.2.1", "192.0.2.1"),
        ("for=192.0.2.1, for=unknown", PEER),
        ("for=192.0.2.1, for=unknown, for=10.0.0.3, for=10.0.0.2", "10.0.0.3"),
        ("for=192.0.2.1, for=_SEVKISEK, for=10.0.0.2", "10.0.0.2"),
        ('for=192.0.2.1, for="_a:80", for=10.0.0.2', "10.0.0.2"),
        ('for=192.0.2.1, for="Unknown:_x", for=10.0.0.2', "10.0.0.2"),
        ("for=192.0.2.1, for=_" + "x" * 100, PEER),
        ('for=192.0.2.1, for="_' + "x" * 100 + '"', PEER),
        ("for=192.0.2.1, proto=https", PEER),
        ("for=192.0.2.1, proto=https, for=10.0.0.2", "10.0.0.2"),
        (", ,for=192.0.2.1,,", "192.0.2.1"),
        (", ,", PEER),
        ("", PEER),
    ],
)
def test_elements_of_trusted_peer(value, found):
    assert client(fwd(value)) == found


@pytest.mark.parametrize(
    "value",
    ["for=junk", "for=192.0.2", 'for=""', 'for="2001:db8::7"', "for=2001:db8::7", 'for=" 192.0.2.1"', "for=unknownx",
     'for="unknown:"', 'for="192.0.2.1:"', 'for="192.0.2.1:_"', 'for="[::]"', 'for="' + "1" * 100 + '"',
     "for=junk, for=10.0.0.2"],
)  # fmt: skip
def test_element_that_is_no_address(value):
    assert refusal(fwd(value)) == (400, "forwarded_for")


@pytest.mark.parametrize(
    "value",
    ["192.0.2.1", "for", "for=", "=192.0.2.1", "for =192.0.2.1", "for= 192.0.2.1", 'for="192.0.2.1',
     'for="192.0.2.1\\"',
     'for="192.0.2.1"x', "for=192.0.2.1 proto=http", "for=192.0.2.1;for=192.0.2.1",
     "proto=http;proto=http", "for=192.0.2.1;@=1", 'for=", for=192.0.2.1', "for=1/2", "for=é"],
)  # fmt: skip
def test_elements_of_broken_grammar(value):
    assert refusal(fwd(value)) == (400, "forwarded")


def test_open_quote_does_not_run_into_the_next_line():
    assert refusal(fwd('for="'), fwd('for=192.0.2.1;x="')) == (400, "forwarded")


def test_elements_on_several_lines_are_one():
    assert client(fwd("for=203.0.113.5"), fwd("for=192.0.2.1, for=10.0.0.3"), fwd("for=10.0.0.2")) == "192.0.2.1"


def test_elements_beyond_the_bound():
    assert client(fwd(", ".join(["for=10.0.0.2"] * forwarded_elements_max))) == "10.0.0.2"
    assert refusal(fwd(", ".join(["for=10.0.0.2"] * (forwarded_elements_max + 1)))) == (400, "forwarded_elements")


@given(st.text('for=proto;,"\\ unkw_:[]12.\t', max_size=60))
def test_any_elements_give_an_address_or_a_refusal(value):
    try:
        packed, _ = PROXIES.client(Fields([fwd(value)]), pack_address(PEER))
    except WireError as error:
        assert (error.status, error.reason.split("_")[0]) == (400, "forwarded")
    else:
        assert packed != UNIX


# --- both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "elements", "found"),
    [
        ("192.0.2.1", "for=192.0.2.1", "192.0.2.1"),
        ("2001:db8::7", 'for="[2001:DB8::7]:80"', "2001:db8::7"),
        ("203.0.113.5, 192.0.2.1", "for=192.0.2.1, for=10.0.0.2", "192.0.2.1"),
        ("192.0.2.1", "proto=https", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.2", "proto=https, for=10.0.0.2", "192.0.2.1"),
        ("192.0.2.1", ", ,", "192.0.2.1"),
        (", ,", "for=192.0.2.1", "192.0.2.1"),
        (PEER, "for=unknown", PEER),
    ],
)
def test_both_fields_that_agree(listed, elements, found):
    assert client(xff(listed), fwd(elements)) == found
    assert client(fwd(elements), xff(listed)) == found


@pytest.mark.parametrize(
    ("listed", "elements"),
    [
        ("192.0.2.1", "for=192.0.2.2"),
        ("192.0.2.1", "for=unknown"),
        ("192.0.2.1", "for=_hidden, for=10.0.0.2"),
        ("192.0.2.1, 10.0.0.2", "for=10.0.0.2"),
        ("10.0.0.3", "for=10.0.0.2"),
    ],
)
def test_both_fields_that_contradict_each_other(listed, elements):
    assert refusal(xff(listed), fwd(elements)) == (400, "forwarding_contradiction")


# --- https -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([proto("https")], True),
        ([proto("HTTPS")], True),
        ([proto("http")], False),
        ([proto("http, https")], True),
        ([proto("junk,https,")], True),
        ([proto("https"), proto("http")], False),
        ([fwd("for=192.0.2.1;proto=https")], True),
        ([fwd('proto="https"')], True),
        ([fwd(r'for=192.0.2.1;proto="\https"')], True),
        ([fwd("for=192.0.2.1;proto=https, for=10.0.0.2;proto=http")], True),
        ([fwd("for=192.0.2.1;proto=http, for=10.0.0.2;proto=https")], False),
        ([fwd("for=203.0.113.5;proto=junk, for=192.0.2.1;proto=https")], True),
        ([fwd("for=unknown;proto=https, for=10.0.0.2;proto=http")], True),
        ([fwd("for=10.0.0.3;proto=https, for=10.0.0.2;proto=http")], True),
        ([fwd("for=192.0.2.1;proto=https"), proto("https")], True),
        ([fwd("for=192.0.2.1"), proto("https")], True),
    ],
)
def test_proto_of_trusted_peer(lines, said):
    assert secure(*lines, before=False) is said
    assert secure(*lines, before=True) is said


@pytest.mark.parametrize("lines", [[], [xff("192.0.2.1")], [fwd("for=192.0.2.1")], [proto(""), proto(" ,")]])
def test_proto_that_nobody_says(lines):
    assert secure(*lines, before=True) is True
    assert secure(*lines, before=False) is False


@pytest.mark.parametrize(
    "line",
    [proto("ws"), proto("https, ftp"), proto("httpss"), fwd("proto=ftp"), fwd('proto=""'), fwd("proto=" + "x" * 99)],
)
def test_proto_that_is_not_http(line):
    assert refusal(line) == (400, "forwarded_proto")


@pytest.mark.parametrize(("one", "other"), [("http", "https"), ("https", "http")])
def test_protos_that_contradict_each_other(one, other):
    assert refusal(proto(one), fwd(f"for=192.0.2.1;proto={other}")) == (400, "forwarding_contradiction")
