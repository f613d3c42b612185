"""Invariant: what is signed is exactly what an origin will get, and what cannot be signed is said."""

import base64
import hmac

import pytest

import fastedge
from fastedge.identity.signed_url import is_key_id, sign_url

SECRET = bytes(range(32))


def sign(url, **options):
    return sign_url(url, **{"key_id": "k1", "secret": SECRET, "expires": 1_800_000_000, **options})


def signature(*lines):
    text = "\n".join(("fastedge-url-1", "k1", "1800000000", *lines)).encode()
    return base64.urlsafe_b64encode(hmac.digest(SECRET, text, "sha256")).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("url", "options", "lines"),
    [
        ("https://shop.example/a", {}, ("/a", "shop.example", "", "")),
        ("https://Shop.Example:8443", {}, ("/", "shop.example", "", "")),
        ("https://a.example.:8443/a", {}, ("/a", "a.example", "", "")),
        ("https://a.example/a'b?c[]=1", {}, ("/a'b?c[]=1", "a.example", "", "")),
        ("http://[::1]:80/a", {}, ("/a", "[::1]", "", "")),
        ("https://a.example/a?y=2&x=%31", {}, ("/a?y=2&x=%31", "a.example", "", "")),
        ("https://a.example/a?", {}, ("/a?", "a.example", "", "")),
        ("https://a.example?x=1", {}, ("/?x=1", "a.example", "", "")),
        ("https://a.example/a?y=2&x=1&y=3", {"query": ["y"]}, ("/a?y=2&y=3", "a.example", "", "")),
        ("https://a.example/a?y=2", {"query": []}, ("/a", "a.example", "", "")),
        ("https://a.example/a", {"host": False}, ("/a", "", "", "")),
        ("https://a.example/a", {"address": "::FFFF:192.0.2.1"}, ("/a", "a.example", "192.0.2.1", "")),
        ("https://a.example/a", {"address": "2001:DB8:0::1"}, ("/a", "a.example", "2001:db8::1", "")),
        ("https://a.example/a", {"method": "PUT"}, ("/a", "a.example", "", "PUT")),
    ],
)
def test_text_that_is_signed(url, options, lines):
    signed = sign(url, **options)
    assert signed.endswith(f"edge-key=k1&edge-expires=1800000000&edge-signature={signature(*lines)}")


def test_parameters_come_behind_the_others_and_before_the_fragment():
    assert sign("https://a.example/a?x=1#top").startswith("https://a.example/a?x=1&edge-key=k1&edge-expires=")
    assert sign("https://a.example/a?x=1#top").endswith("#top")
    assert sign("https://a.example/a").startswith("https://a.example/a?edge-key=")
    assert sign("https://a.example").startswith("https://a.example/?edge-key=")


def test_secret_may_be_text_and_time_a_float():
    assert sign("https://a.example/", secret="s" * 32, expires=5.9) == sign(
        "https://a.example/", secret=b"s" * 32, expires=5
    )


def test_helper_is_public():
    assert fastedge.sign_url is sign_url


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("/a", {}, "a URL such as https://shop.example/path is expected"),
        ("ftp://a.example/a", {}, "a URL such as https://shop.example/path is expected"),
        ("https://ann:pw@a.example/a", {}, "a URL such as https://shop.example/path is expected"),
        ("https://a.example/a b", {}, "percent-encode"),
        ("https://a.example/ä", {}, "percent-encode"),
        ("https://a.example/a\n", {}, "percent-encode"),
        ("https://a.example/a\\b", {}, "percent-encode"),
        ('https://a.example/a"b', {}, "percent-encode"),
        ("https://a.example/{a}", {}, "percent-encode"),
        ("https://a.example/a?b='c'", {}, "percent-encode"),
        ("https://a.example/a?b=<c>", {}, "percent-encode"),
        ("https://a.example/100%", {}, "percent-encode"),
        ("https://a.example/a/../b", {}, "dot segments"),
        ("https://a.example/a/%2E%2e/b", {}, "dot segments"),
        ("https://a.example/a?edge-key=k", {}, "signed already"),
        ("https://a.example/a?%65dge-expires=k", {}, "signed already"),
        ("https://a.example/" + "a" * 9000, {}, "a target has at most 8192 bytes"),
        ("https://a.example/a", {"secret": b"short"}, "a secret has at least 32 bytes, this one has 5"),
        ("https://a.example/a", {"key_id": "a&b"}, "a key id is 1 to 64 letters"),
        ("https://a.example/a", {"expires": float("inf")}, "an expiry is Unix seconds, not inf"),
        ("https://a.example/a", {"expires": -1}, "an expiry is Unix seconds, not -1"),
        ("https://a.example/a", {"method": "put"}, "a method is spelled as clients send it"),
        ("https://a.example/a", {"method": ""}, "a method is spelled as clients send it"),
        ("https://a.example/a", {"address": "localhost"}, "not an IP address"),
    ],
)
def test_what_cannot_be_signed_is_said(url, options, message):
    with pytest.raises(ValueError, match=message):
        sign(url, **options)


@pytest.mark.parametrize(
    ("text", "fits"), [("2026-11", True), ("a.b_C", True), ("", False), ("a" * 65, False), ("ä", False)]
)
def test_key_id(text, fits):
    assert is_key_id(text) is fits
