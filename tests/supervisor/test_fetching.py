"""One fetch from a real server: what is taken, and what each way to misbehave is called. Never more than its deadline."""

import asyncio
import json
import ssl
import time
from typing import Any

import pytest
import trustme
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from provider import Provider, dies, drips, hangs, raw, says

from fastedge.config.keysources import KeySource
from fastedge.errors import WireError
from fastedge.limits import key_file_bytes_max
from fastedge.supervisor.fetching import Fetched, FetchFailed, _response, fetch_keys


def fetch(url: str, *, timeout_ms: int = 5_000, before: Fetched | None = None, **options: Any) -> Fetched:
    source = KeySource(
        "shop", url, options.get("is_issuer", False), options.get("plain_http", False), options.get("authorities")
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(fetch_keys(source, refresh_s=600, timeout_ms=timeout_ms, before=before))


def refused(url: str, **options: Any) -> str:
    with pytest.raises(FetchFailed) as caught:
        fetch(url, **options)
    return str(caught.value)


@pytest.fixture
def provider():
    with Provider("one") as one:
        yield one


def test_set_is_fetched_with_its_lifetime(provider):
    provider.fields = {"Cache-Control": "max-age=3600", "Age": "600"}
    fetched = fetch(f"{provider.url}/keys?v=1")
    assert fetched.data == provider.jwks
    assert 2_990 <= fetched.lifetime_s <= 3_000
    assert provider.asked == ["/keys?v=1"]
    assert provider.headers[0]["host"] == f"127.0.0.1:{provider.port}"
    assert provider.headers[0]["accept"] == "application/json"


@pytest.mark.parametrize(
    ("fields", "lifetime_s"),
    [
        ({}, 600),
        ({"Cache-Control": "no-store"}, 600),
        ({"Expires": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"Cache-Control": "max-age=60", "Expires": "Thu, 01 Jan 1970 00:00:00 GMT"}, 60),
    ],
)
def test_lifetime_is_what_the_response_names_or_the_option(provider, fields, lifetime_s):
    provider.fields = fields
    assert fetch(provider.url).lifetime_s == pytest.approx(lifetime_s, abs=2)


def test_set_that_has_not_changed_is_not_sent_again(provider):
    provider.fields = {"ETag": '"v1"', "Cache-Control": "max-age=60"}
    first = fetch(provider.url)
    provider.answer = says(b"", 304, **{"Cache-Control": "max-age=120"})
    again = fetch(provider.url, before=first)
    assert provider.headers[1]["if-none-match"] == '"v1"'
    assert (again.data, again.etag) == (None, '"v1"')
    assert again.lifetime_s == pytest.approx(120, abs=2)


def test_unasked_304_is_no_set(provider):
    provider.answer = says(b"", 304)
    assert refused(provider.url) == "status 304"


def test_chunked_and_closed_bodies_are_read(provider):
    text = provider.jwks
    provider.answer = raw(
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
    )
    assert fetch(provider.url).data == text
    provider.answer = raw(b"HTTP/1.0 200 OK\r\n\r\n" + text)
    assert fetch(provider.url).data == text


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(b"{}", 500), "status 500"),
        (says(b"", 302, Location="https://evil.example/jwks"), "status 302, a redirect, which is not followed"),
        (says(b" " * (2 * key_file_bytes_max)), f"its answer is larger than {key_file_bytes_max} bytes"),
        (says(b"{}", **{"Content-Encoding": "gzip"}), "it has sent a content coding that nobody asked for"),
        (raw(b"\0garbage\xff" * 100), "its answer is not whole, or not HTTP/1.1"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), "its answer is not whole, or not HTTP/1.1"),
        (raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100), "status 103"),
        (
            raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "its answer is not whole, or not HTTP/1.1",
        ),
        (raw(b""), "its answer is not whole, or not HTTP/1.1"),
        (dies, "its answer is not whole, or not HTTP/1.1"),
    ],
)
def test_answer_that_is_none_has_its_reason(provider, answer, reason):
    provider.answer = answer
    assert refused(provider.url) == reason


HEAD = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"\r\n", b"5\r\n"]
)


@given(st.lists(HEAD | st.binary(max_size=20), max_size=12).map(b"".join))
def test_any_bytes_are_an_answer_or_a_failure(data):
    async def read():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await _response(reader)

    try:
        status, _, content = asyncio.run(read())
    except (asyncio.IncompleteReadError, WireError, FetchFailed):
        return
    assert 100 <= status <= 599
    assert len(content) <= len(data)


@pytest.mark.parametrize("answer", [hangs, drips])
def test_deadline_is_one_for_all_of_it(provider, answer):
    provider.answer = answer
    began = time.monotonic()
    assert refused(provider.url, timeout_ms=200) == "no whole answer within 200 ms"
    assert time.monotonic() - began < 2


def test_nobody_listening_is_said(provider):
    provider.close()
    assert refused(provider.url) == "connection refused"


def test_name_that_nobody_has_is_said():
    assert "name" in refused("http://nobody.invalid:1/", plain_http=True)


# --- TLS -----------------------------------------------------------------------------------------------------------


def tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_provider_behind_tls_is_verified():
    authority = trustme.CA()
    pem = authority.cert_pem.bytes()
    with Provider("one", tls=tls(authority, "127.0.0.1")) as provider:
        assert fetch(provider.url, authorities=pem).data == provider.jwks
        assert refused(provider.url).startswith("its certificate is not trusted: ")
        assert refused(provider.url, authorities=trustme.CA().cert_pem.bytes()).startswith("its certificate is not ")
        for nothing in (b"nonsense", b""):
            assert refused(provider.url, authorities=nothing) == "tls_ca_file holds no certificates (PEM)"
    with Provider("one", tls=tls(authority, "other.example")) as provider:
        assert refused(provider.url, authorities=pem).startswith("its certificate is not trusted: ")


def test_provider_that_speaks_no_tls_is_said(provider):
    assert refused(provider.url.replace("http:", "https:")) == "TLS cannot be spoken with it"


# --- OpenID discovery ----------------------------------------------------------------------------------------------


def test_discovery_says_where_the_keys_are(provider):
    issuer = provider.discover()
    assert fetch(issuer, is_issuer=True).data == provider.jwks
    assert provider.asked == ["/.well-known/openid-configuration", "/jwks"]


def test_issuer_with_a_path_and_a_slash_at_its_end(provider):
    issuer = f"{provider.url}/tenant/"
    provider.discover(issuer=issuer)
    assert fetch(issuer, is_issuer=True).data == provider.jwks
    assert provider.asked[0] == "/tenant/.well-known/openid-configuration"


OTHER = "discovery: it calls itself another issuer than openid_issuer"
UNFIT = "discovery: jwks_uri is no URL that keys may be fetched from"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"issuer": "https://evil.example"}, OTHER),
        ({"issuer": None}, OTHER),
        ({"jwks_uri": "http://keys.example/jwks"}, UNFIT),  # not this host, not https
        ({"jwks_uri": "file:///etc/passwd"}, UNFIT),
        ({"jwks_uri": ["https://a"]}, UNFIT),
        ({"jwks_uri": "https://user@id.example/"}, UNFIT),
        ({"jwks_uri": "/jwks"}, UNFIT),
    ],
)
def test_discovery_that_leads_astray_is_refused(provider, changes, reason):
    assert refused(provider.discover(**changes), is_issuer=True) == reason
    assert len(provider.asked) == 1


def test_slash_at_the_end_makes_another_issuer(provider):
    assert refused(provider.discover() + "/", is_issuer=True) == OTHER


def test_issuer_behind_tls_cannot_lead_out_of_it():
    authority = trustme.CA()
    with Provider("one", tls=tls(authority, "127.0.0.1")) as provider, Provider("evil") as plain:
        issuer = provider.discover(jwks_uri=f"{plain.url}/jwks")
        assert refused(issuer, is_issuer=True, authorities=authority.cert_pem.bytes(), plain_http=True) == UNFIT
        assert plain.asked == []


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"<html>", 200, "discovery: a JSON object with issuer and jwks_uri is expected"),
        (b"[]", 200, "discovery: a JSON object with issuer and jwks_uri is expected"),
        (json.dumps({"issuer": "x"}).encode(), 200, "discovery: a JSON object with issuer and jwks_uri is expected"),
        (b"", 404, "discovery: status 404"),
    ],
)
def test_discovery_that_is_none_is_refused(provider, body, status, reason):
    provider.answer = says(body, status)
    assert refused(provider.url, is_issuer=True) == reason
