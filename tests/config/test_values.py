"""Each kind of value: what it takes, what it becomes, and what it says of the rest."""

import pytest

from fastedge.config import values
from fastedge.config.values import Listener, Network, OriginServer, WebUrl

LISTENER = 'an address such as "127.0.0.1:8080", "[::1]:8080" or "unix:run/edge.sock"'
SERVER = 'a server such as "http://10.0.0.1:8000", "https://app.example" or "unix:run/app.sock"'
NETWORK = 'a network such as "10.0.0.0/8" or "2001:db8::/32", an address, or "unix:"'
PATTERN = 'a host such as "shop.example", or "*.shop.example"'
LABELS = "it has labels of letters, digits and - with dots between them"


def refusal(parse, value):
    with pytest.raises(ValueError) as caught:
        parse(value, "/etc/edge")
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "listener", "text"),
    [
        ("0.0.0.0:80", Listener("0.0.0.0", 80), "0.0.0.0:80"),
        ("[0:0::1]:65535", Listener("::1", 65535), "[::1]:65535"),
        ("127.0.0.1:0", Listener("127.0.0.1", 0), "127.0.0.1:0"),
        ("unix:run/e.sock", Listener(path="/etc/edge/run/e.sock"), "unix:/etc/edge/run/e.sock"),
        ("unix:/run/e.sock", Listener(path="/run/e.sock"), "unix:/run/e.sock"),
        ({"address": "127.0.0.1:1"}, Listener("127.0.0.1", 1), "127.0.0.1:1"),
    ],
)
def test_listener_is_read(value, listener, text):
    parsed = values.parse_listener(value, "/etc/edge")
    assert parsed == listener
    assert str(parsed) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (8080, f"{LISTENER}, or a table with it as address"),
        ("8080", LISTENER),
        ("localhost:8080", LISTENER),
        ("127.0.0.1", LISTENER),
        ("127.0.0.1:", LISTENER),
        ("127.0.0.1:65536", LISTENER),
        ("127.0.0.1:+1", LISTENER),
        ("127.0.0.1:\u0661", LISTENER),
        ("::1:8080", LISTENER),
        ("[::1%lo]:8080", LISTENER),
        ("[127.0.0.1]:80", LISTENER),
        ("127.0.0.1:80\n", LISTENER),
        (":8080", f'{LISTENER}; all addresses are "0.0.0.0:8080" and "[::]:8080"'),
        ("unix:", "a path, absolute or relative to edge.toml"),
        ("unix:" + "x" * 120, '"unix:" and a path of at most 107 bytes once the directory is before it'),
        (
            {"address": "127.0.0.1:1", "proxy_protocol": True},
            "a listener without proxy_protocol: it is not supported yet",
        ),
        ({"address": "127.0.0.1:1", "x": 1}, f"a table with no key but address, {LISTENER}"),
        ({"address": {"address": "127.0.0.1:1"}}, f"a table with no key but address, {LISTENER}"),
        ({}, f"{LISTENER}, or a table with it as address"),
    ],
)
def test_listener_is_refused(value, expected):
    assert refusal(values.parse_listener, value) == expected


@pytest.mark.parametrize(
    ("value", "server", "text"),
    [
        ("http://10.0.0.1", OriginServer("http", "10.0.0.1", 80), "http://10.0.0.1:80"),
        ("HTTPS://App.Example", OriginServer("https", "app.example", 443), "https://app.example:443"),
        ("https://[2001:db8::1]:8443", OriginServer("https", "2001:db8::1", 8443), "https://[2001:db8::1]:8443"),
        ("http://my_app:1", OriginServer("http", "my_app", 1), "http://my_app:1"),
        ("unix:a.sock", OriginServer("http", path="/etc/edge/a.sock"), "unix:/etc/edge/a.sock"),
    ],
)
def test_origin_server_is_read(value, server, text):
    parsed = values.parse_origin_server(value, "/etc/edge")
    assert parsed == server
    assert str(parsed) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, SERVER),
        ("127.0.0.1:80", SERVER),
        ("ftp://x", SERVER),
        ("http://user:word@x", f"{SERVER}, without user information"),
        ("http://x/", f"{SERVER}, without a path"),
        ("http://x?a", f"{SERVER}, without a path"),
        ("http://", f"{SERVER}: {LABELS}"),
        ("http://a b", f"{SERVER}: {LABELS}"),
        ("http://-a", f"{SERVER}: {LABELS}"),
        ("http://x:0", f"{SERVER}: the port is a number from 1 to 65535"),
        ("http://x:", f"{SERVER}: the port is a number from 1 to 65535"),
        ("http://10.0.0.256", f"{SERVER}: the IPv4 address is not one"),
        ("http://[::g]", f"{SERVER}: the IPv6 address is not one"),
        ("http://[::1", f"{SERVER}: the IPv6 address is not one"),
        ("http://ü", f'{SERVER}: it must be in ASCII ("xn--tda")'),
    ],
)
def test_origin_server_is_refused(value, expected):
    assert refusal(values.parse_origin_server, value) == expected


@pytest.mark.parametrize(
    ("value", "network"),
    [
        ("0.0.0.0/0", Network(4, b"\0" * 10 + b"\xff\xff\0\0\0\0", 96)),
        ("::/0", Network(6, b"\0" * 16, 0)),
        ("::1", Network(6, b"\0" * 15 + b"\x01", 128)),
        ("::ffff:10.0.0.0/104", Network(4, b"\0" * 10 + b"\xff\xff\x0a\0\0\0", 104)),
        ("unix:", Network(0)),
    ],
)
def test_network_is_read(value, network):
    assert values.parse_network(value, "") == network


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, NETWORK),
        ("", NETWORK),
        ("10.0.0.0/33", NETWORK),
        ("fe80::1%eth0", NETWORK),
        ("unix:run/x", NETWORK),
        ("10.1.2.3/8", 'a network without host bits: "10.0.0.0/8", or the address "10.1.2.3" alone'),
    ],
)
def test_network_is_refused(value, expected):
    assert refusal(values.parse_network, value) == expected


@pytest.mark.parametrize(
    ("value", "pattern"),
    [("Shop.Example", "shop.example"), ("*.A", "*.a"), ("127.0.0.1", "127.0.0.1"), ("[0::1]", "[::1]")],
)
def test_host_pattern_is_read(value, pattern):
    assert values.parse_host_pattern(value, "") == pattern


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("shop.example:80", "it has no port"),
        ("shop.example.", LABELS),
        ("*", LABELS),
        ("*.*.a", LABELS),
        ("a.*", LABELS),
        ("", LABELS),
        ("a..b", LABELS),
        ("a" * 64, LABELS),
        ("a." * 127, LABELS),
        ("*.münchen.example", 'it must be in ASCII ("xn--mnchen-3ya.example")'),
        ("ü" * 100, "it must be in ASCII"),
        ("ü" * 1_000_000, "it must be in ASCII"),
    ],
)
def test_host_pattern_is_refused(value, why):
    assert refusal(values.parse_host_pattern, value) == f"{PATTERN}: {why}"


def test_host_pattern_no_string_is_refused():
    assert refusal(values.parse_host_pattern, 1) == PATTERN


@pytest.mark.parametrize("value", ["preserve", "origin", "app.example", "app.example:8080", "[::1]:1"])
def test_origin_host_is_read(value):
    assert values.parse_origin_host(value, "") == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, '"preserve", "origin", or a host'),
        ("a b", f'"preserve", "origin", or a host: {LABELS}'),
        ("a:b", '"preserve", "origin", or a host: the port is a number from 1 to 65535'),
        ("a\r\nb", f'"preserve", "origin", or a host: {LABELS}'),
    ],
)
def test_origin_host_is_refused(value, expected):
    assert refusal(values.parse_origin_host, value) == expected


@pytest.mark.parametrize("value", ["edge-1", "edge.example", "edge.example:8080"])
def test_cdn_id_is_read(value):
    assert values.parse_cdn_id(value, "") == value


@pytest.mark.parametrize("value", ["", "a b", "a;b", "a,b", 'a"', "a\n", 1])
def test_cdn_id_is_refused(value):
    assert refusal(values.parse_cdn_id, value) == "a token or a host (RFC 8586)"


def test_log_target_is_read():
    assert values.parse_log_target("stdout", "/e") == "stdout"
    assert values.parse_log_target("off", "/e") == "off"
    assert values.parse_log_target("a.log", "/e") == "/e/a.log"
    assert refusal(values.parse_log_target, 1) == '"stdout", "off", or a path'


@pytest.mark.parametrize(("value", "path"), [("a/b", "/e/a/b"), ("./a", "/e/a"), ("/a", "/a"), ("../a", "/e/../a")])
def test_path_is_joined_with_the_directory(value, path):
    assert values.parse_path(value, "/e") == path


@pytest.mark.parametrize("value", ["", "a\0b", 1, "a" * 5000])
def test_path_is_refused(value):
    assert refusal(values.parse_path, value) == "a path, absolute or relative to edge.toml"


@pytest.mark.parametrize(
    ("text", "url", "authority", "is_loopback"),
    [
        ("https://Id.Example", WebUrl("https", "id.example", 443, "/"), "id.example", False),
        ("HTTPS://id.example:443/a?b=c", WebUrl("https", "id.example", 443, "/a?b=c"), "id.example", False),
        ("https://id.example:8443?b", WebUrl("https", "id.example", 8443, "/?b"), "id.example:8443", False),
        ("http://localhost/", WebUrl("http", "localhost", 80, "/"), "localhost", True),
        ("http://127.9.9.9:1/", WebUrl("http", "127.9.9.9", 1, "/"), "127.9.9.9:1", True),
        ("http://[0::1]/", WebUrl("http", "::1", 80, "/"), "[::1]", True),
        ("http://localhost.example/", WebUrl("http", "localhost.example", 80, "/"), "localhost.example", False),
        ("http://10.0.0.1/", WebUrl("http", "10.0.0.1", 80, "/"), "10.0.0.1", False),
    ],
)
def test_web_url_is_taken_apart(text, url, authority, is_loopback):
    read = WebUrl.read(text)
    assert read == url
    assert (read.authority, read.is_loopback) == (authority, is_loopback)
    assert values.parse_key_url(text, "") == text  # as it was written


ABSOLUTE = "an absolute http or https URL in printable ASCII"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ABSOLUTE),
        ("id.example/jwks", ABSOLUTE),
        ("ftp://id.example/", ABSOLUTE),
        ("https:/id.example/", ABSOLUTE),
        ("https://id.example/a b", ABSOLUTE),
        ("https://id.example/\r\nx", ABSOLUTE),
        ("https://id.example/é", ABSOLUTE),
        ("https://id.example/" + "x" * 2048, ABSOLUTE),
        ("https://u:p@id.example/", "a URL without user and without fragment"),
        ("https://id.example/#a", "a URL without user and without fragment"),
        ("https:///jwks", LABELS),
        ("https://id.example:0/", "the port is a number from 1 to 65535"),
        ("https://id.example:https/", "the port is a number from 1 to 65535"),
        ("https://256.1.1.1/", "the IPv4 address is not one"),
    ],
)
def test_web_url_is_refused(text, expected):
    assert refusal(values.parse_key_url, text) == f'a URL such as "https://id.example/jwks.json": {expected}'


def test_issuer_is_kept_as_it_was_written_and_has_no_query():
    assert values.parse_issuer_url("https://Id.Example/realm/", "") == "https://Id.Example/realm/"
    assert refusal(values.parse_issuer_url, "https://id.example/?a") == "an issuer, which has no query"


def test_every_kind_refuses_what_is_no_text():
    for kind in values.KINDS.values():
        assert refusal(kind.parse, None)
