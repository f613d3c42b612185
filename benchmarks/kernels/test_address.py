"""What it costs to know the client.

A Python call is in each figure: compare with the untrusted peer, of whom nothing is read.
"""

import pytest

from fastedge import Fields
from fastedge._core.address import address_text, pack_address
from fastedge._core.forwarded import origin_fields
from fastedge._core.proxies import TrustedProxies

PROXIES = TrustedProxies(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "2001:db8:1::/48"])
PEER = pack_address("10.0.0.1")
ORDINARY = [
    ("host", "shop.example"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
    ("accept", "text/html,application/xhtml+xml"),
    ("accept-language", "en-GB,en;q=0.8"),
    ("accept-encoding", "gzip, br"),
    ("authorization", "Bearer token"),
    ("cookie", "uid=visitor-000042"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
]
SAID = {
    "nothing": [],
    "list_of_one": [("x-forwarded-for", "203.0.113.77")],
    "list_of_three": [("x-forwarded-for", "2001:db8:7::1, 10.2.3.4, 192.168.1.1"), ("x-forwarded-proto", "https")],
    "elements": [("forwarded", 'for="[2001:db8:7::1]:4711";proto=https, for=10.2.3.4;proto=http')],
}


@pytest.mark.parametrize("said", SAID)
def test_client_of_trusted_peer(benchmark, said):
    fields = Fields(ORDINARY + SAID[said])
    assert len(benchmark(PROXIES.client, fields, PEER)[0]) == 16


def test_client_of_untrusted_peer(benchmark):
    stranger = pack_address("203.0.113.77")
    fields = Fields(ORDINARY + SAID["list_of_one"])
    assert benchmark(PROXIES.client, fields, stranger) == (stranger, False)


@pytest.mark.parametrize("text", ["203.0.113.77", "2001:db8:85a3::8a2e:370:7334"])
def test_parse(benchmark, text):
    assert address_text(benchmark(pack_address, text)) == text


@pytest.mark.parametrize("text", ["203.0.113.77", "2001:db8:85a3::8a2e:370:7334"])
def test_format(benchmark, text):
    assert benchmark(address_text, pack_address(text)) == text


@pytest.mark.parametrize("said", SAID)
def test_origin_fields(benchmark, said):
    fields = Fields(ORDINARY + SAID[said])
    assert benchmark(origin_fields, fields, PEER, True, b"shop.example", True)[1].endswith(b"proto=https")
