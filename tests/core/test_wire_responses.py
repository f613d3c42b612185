"""Heads of responses: what is understood and as what; all else is the origin's failure, and a 502."""

import pytest
from fake_edge import FakeEdge, split_responses
from heads import BROKEN, OK, UNDERSTOOD, get

from fastedge._core.wire import ResponseReader
from fastedge.errors import WireError

RESPONSES = ResponseReader()


@pytest.mark.parametrize(("name", "data"), BROKEN, ids=[row[0] for row in BROKEN])
def test_response_that_is_none_is_refused(name, data):
    for to_head in (False, True):
        with pytest.raises(WireError) as refusal:
            RESPONSES.parse(data, to_head=to_head)
        assert refusal.value.status in (502, 413, 400, 431)
    assert RESPONSES.parse(OK + b"Content-Length: 0\r\n\r\n")[0] == 200


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(("name", "data"), BROKEN, ids=[row[0] for row in BROKEN])
def test_client_of_a_broken_origin_gets_502(name, data, size):
    edge = FakeEdge()
    client = edge.connect()
    edge.say(client, get())
    origin = edge.origins[0]
    size = size if len(data) < 2000 else max(size, 97)
    for i in range(0, len(data), size):
        origin.say(data[i : i + size])
        edge.settle()
    if name == "a request":
        assert not origin.is_open
    assert [code for code, _ in split_responses(client.sent, [b"GET"])] == [502]
    assert b"proxy-status: fastedge; error=http_protocol_error" in client.sent
    assert not origin.is_open
    assert edge.front.pools["main"].idle_connections() == []


@pytest.mark.parametrize(("name", "data", "to_head", "expected"), UNDERSTOOD, ids=[row[0] for row in UNDERSTOOD])
def test_response_is_understood(name, data, to_head, expected):
    for _ in range(2):
        status, _fields = RESPONSES.parse(data, to_head=to_head)
        assert (status, RESPONSES.framing, RESPONSES.content_length, RESPONSES.keep_alive) == expected


def test_fields_of_our_own_never_come_from_an_origin():
    _, fields = RESPONSES.parse(OK + b"Edge-Cache: HIT\r\nX: y\r\n\r\n")
    assert fields.items() == [("x", "y")]


@pytest.mark.parametrize("code", [100, 103, 204])
def test_no_length_is_sent_where_there_can_be_no_body(code):
    edge = FakeEdge()
    client = edge.connect()
    edge.say(client, get())
    edge.origins[0].say(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\nLink: </a>\r\n\r\n" % code)
    edge.settle()
    assert b"content-length" not in client.sent
    assert (b"link: </a>" in client.sent) == (code != 100)


@pytest.mark.parametrize("code", [200, 299, 418, 451, 511, 599])
def test_every_code_an_origin_may_use_reaches_the_client(code):
    edge = FakeEdge(answer=lambda request, body: b"HTTP/1.1 %d Words\r\nContent-Length: 2\r\n\r\nhi" % code)
    client = edge.connect()
    assert split_responses(edge.say(client, get()), [b"GET"]) == [(code, b"hi")]
