"""Heads of requests: what is accepted and as what, what is refused; whole, byte by byte, and with more behind."""

import pytest
from fake_edge import FakeEdge, ok, split_responses
from heads import ACCEPTED, BARE, CHUNKED, LENGTH, NO_BODY, REFUSED, get, head, post

from fastedge._core.wire import RequestReader
from fastedge.errors import WireError
from fastedge.limits import header_bytes_max, leading_crlf_max, target_bytes_max

# One for all cases, as one serves all connections of a worker: no case may leave a trace for the next.
READER = RequestReader()


IDS = [name for name, _, _ in REFUSED]


@pytest.mark.parametrize(("name", "data", "status"), REFUSED, ids=IDS)
def test_head_is_refused_by_the_reader(name, data, status):
    with pytest.raises(WireError) as refusal:
        READER.parse(data)
    assert refusal.value.status == status, refusal.value.reason
    assert READER.parse(get()).host == "shop.example"


@pytest.mark.parametrize("feed", ["whole", "byte by byte", "with more behind", "behind a request"])
@pytest.mark.parametrize(("name", "data", "status"), REFUSED, ids=IDS)
def test_head_is_refused_by_the_edge_however_it_comes(name, data, status, feed):
    edge = FakeEdge(answer=ok)
    client = edge.connect()
    if feed == "byte by byte":
        if len(data) > 2000:
            pieces = [data[i : i + 997] for i in range(0, len(data), 997)]
        else:
            pieces = [data[i : i + 1] for i in range(len(data))]
    else:
        pieces = [
            data + b"GET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n" if feed == "with more behind" else data
        ]
    asked = [b"GET", b"GET"] if feed == "behind a request" else [b"GET"]
    if feed == "behind a request":
        pieces = [head(b"GET /first HTTP/1.1") + pieces[0]]
    edge.say(client, *pieces)
    found = [code for code, _ in split_responses(client.sent, asked)]
    assert found == ([200, status] if feed == "behind a request" else [status])
    assert b"connection: close\r\n" in client.sent
    assert client.ended
    asked_of_origins = [request.target for origin in edge.origins for request, _ in origin.requests]
    assert asked_of_origins == ([b"/first"] if feed == "behind a request" else [])


@pytest.mark.parametrize(("name", "data", "expected"), ACCEPTED, ids=[row[0] for row in ACCEPTED])
def test_head_is_accepted(name, data, expected):
    for _ in range(2):  # whatever came before, another client's head reads the same
        request = READER.parse(data)
        found = (request.method, request.target, request.host, READER.framing, READER.content_length, READER.keep_alive)
        assert found == expected


BODIES = {NO_BODY: b"", LENGTH: b"12345", CHUNKED: b"5\r\n12345\r\n0\r\n\r\n"}


@pytest.mark.parametrize("feed", ["whole", "byte by byte", "with more behind"])
@pytest.mark.parametrize(("name", "data", "expected"), ACCEPTED, ids=[row[0] for row in ACCEPTED])
def test_request_reaches_the_origin_however_it_comes(name, data, expected, feed):
    edge = FakeEdge(answer=ok)
    client = edge.connect()
    method, target, _, framing, _, keep_alive = expected
    data += BODIES[framing]
    more = head(b"GET /behind HTTP/1.1") if feed == "with more behind" else b""
    step = 1 if len(data) < 1000 else 97
    edge.say(
        client, *([data[i : i + step] for i in range(0, len(data), step)] if feed == "byte by byte" else [data + more])
    )
    requests = [asked for origin in edge.origins for asked in origin.requests]
    assert (requests[0][0].method.decode(), requests[0][0].target.decode()) == (method, target)
    assert requests[0][1] == (b"" if framing == NO_BODY else b"12345")
    expected_codes = [200] * (2 if more and keep_alive else 1)
    assert [code for code, _ in split_responses(client.sent, [method.encode(), b"GET"])] == expected_codes
    assert len(requests) == len(expected_codes)
    assert client.is_open == keep_alive or client.ended


def test_connection_close_of_one_client_is_nothing_to_the_next():
    for data in (
        get(b"Connection: close"),
        head(b"GET / HTTP/1.0"),
        get(b"Connection: upgrade", b"Upgrade: websocket"),
    ):
        READER.parse(data)
        assert READER.parse(get(b"X: y")).headers.items() == [("host", "shop.example"), ("x", "y")]


def test_upgrade_is_read_only_where_connection_names_it():
    READER.parse(get(b"Connection: Upgrade", b"Upgrade: websocket"))
    assert READER.upgrade == b"websocket"
    for data in (
        get(b"Upgrade: websocket"),
        get(b"Connection: upgrade, http2-settings", b"Upgrade: h2c", b"HTTP2-Settings: AA"),
        head(b"GET / HTTP/1.0", b"Connection: upgrade", b"Upgrade: websocket"),
    ):
        READER.parse(data)
        assert READER.upgrade is None


def test_expectation_is_heard_in_http_1_1_alone():
    READER.parse(post(b"Expect: 100-Continue ", b"Content-Length: 5"))
    assert READER.expects_continue
    READER.parse(head(b"POST / HTTP/1.0", b"Expect: 100-continue", b"Content-Length: 5"))
    assert not READER.expects_continue


@pytest.mark.parametrize(
    ("lines", "accepts"),
    [
        ([b"TE: trailers"], True),
        ([b"TE: gzip, Trailers"], True),
        ([b"TE: trailers", b"TE: gzip"], True),
        ([b"TE: gzip"], False),
        ([b"TE: notrailers"], False),
        ([b"TE: trailers;q=0"], False),
        ([], False),
    ],
)
def test_trailers_are_accepted_by_whom_te_says_so(lines, accepts):
    READER.parse(get(*lines))
    assert READER.accepts_trailers is accepts


def test_fields_of_our_own_and_their_lookalikes_never_come_from_a_client():
    request = READER.parse(get(b"Edge-Variant: x=a", b"edge-user: ann", b"X_User: ann", b"EDGE-: y", b"X-Edge: z"))
    assert request.headers.items() == [("host", "shop.example"), ("x-edge", "z")]


def test_absolute_form_of_https_passes_on_a_secure_connection():
    data = head(b"GET https://shop.example/a HTTP/1.1", host=b"shop.example:443")
    assert READER.parse(data, secure=True).target == "/a"
    with pytest.raises(WireError, match="421"):
        READER.parse(head(b"GET http://shop.example/a HTTP/1.1"), secure=True)


def test_fields_cannot_be_changed_nor_shared_between_requests():
    first, second = READER.parse(get(b"X: 1")), READER.parse(get(b"X: 2"))
    assert (first.headers["x"], second.headers["x"]) == ("1", "2")
    with pytest.raises(TypeError):
        first.headers.set("x", "3")


@pytest.mark.parametrize("feed", [1, 2, 3, 1000])
@pytest.mark.parametrize("empty_lines", range(leading_crlf_max + 1))
def test_empty_lines_before_a_request_are_ignored(empty_lines, feed):
    edge = FakeEdge(answer=ok)
    client = edge.connect()
    data = b"\r\n" * empty_lines + get()
    edge.say(client, *[data[i : i + feed] for i in range(0, len(data), feed)])
    assert [code for code, _ in split_responses(client.sent, [b"GET"])] == [200]


@pytest.mark.parametrize("data", [b"\r\r\n", b"\rGET / HTTP/1.1\r\n", b"\n", b"\n\r\n", b"\0"])
def test_half_an_empty_line_is_refused_when_no_other_half_comes(data):
    edge = FakeEdge(answer=ok)
    client = edge.connect()
    assert edge.say(client, data).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"GET /" + b"a" * (target_bytes_max + 80), 414, id="a target"),
        pytest.param(b"A" * (target_bytes_max + 80), 414, id="a method"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"a" * header_bytes_max, 431, id="a field"),
        pytest.param(BARE + b"X: y\n", 400, id="a bare LF"),
        pytest.param(b"GET / HTTP/1.1\n", 400, id="a bare LF in the request line"),
        pytest.param(b"{", 400, id="no HTTP"),
    ],
)
def test_head_that_can_never_be_one_is_refused_before_its_end(data, status):
    edge = FakeEdge(answer=ok)
    client = edge.connect()
    edge.say(client, data)
    assert [code for code, _ in split_responses(client.sent, [b"GET"])] == [status]
