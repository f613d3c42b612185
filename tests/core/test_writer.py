"""Heads and chunks as they leave: what the client and the origin see on the wire, to the byte."""

import pytest
from fake_edge import FakeEdge
from heads import get, head, post

from fastedge import CONTINUE, Response

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Edits:
    def __init__(self, edit):
        self.edit = edit

    def on_request(self, request, ctx):
        self.edit(ctx.plan)
        return CONTINUE


class Answers:
    def __init__(self, response):
        self.response = response

    def on_request(self, request, ctx):
        return self.response


def to_origin(data, *stages):
    """The lines that an origin gets."""
    edge = FakeEdge(*stages)
    edge.say(edge.connect(), data)
    return edge.origins[0].sent.partition(b"\r\n\r\n")[0].split(b"\r\n")


def to_client(data, answer=ANSWER, *stages):
    """(lines of the head without Date, what follows) of what a client gets."""
    edge = FakeEdge(*stages)
    client = edge.connect()
    edge.say(client, data)
    if edge.origins:
        edge.origins[0].say(answer)
        edge.settle()
    lines, _, rest = client.sent.partition(b"\r\n\r\n")
    return [line for line in lines.split(b"\r\n") if not line.startswith(b"date: ")], rest


def test_origin_gets_the_request_and_who_asks():
    assert to_origin(get(b"Accept: a", b"X: y")) == [
        b"GET / HTTP/1.1",
        b"host: shop.example",
        b"accept: a",
        b"x: y",
        b"x-forwarded-for: 192.0.2.7",
        b"x-forwarded-proto: http",
        b"x-forwarded-host: shop.example",
        b"forwarded: for=192.0.2.7;host=shop.example;proto=http",
        b"via: 1.1 fastedge",
        b"cdn-loop: fastedge",
    ]


def test_hops_fields_stay_on_their_hop():
    lines = to_origin(
        get(b"Connection: close, X-Hop", b"X-Hop: 1", b"Keep-Alive: a", b"TE: gzip", b"Proxy-Connection: b", b"X: y")
    )
    names = {line.partition(b":")[0] for line in lines[1:]}
    assert b"x" in names and not names & {b"connection", b"x-hop", b"keep-alive", b"te", b"proxy-connection"}


def test_edits_replace_add_and_remove():
    def edit(plan):
        plan.set_header("x-set", "new")
        plan.add_header("x-add", "more")
        plan.remove_header("x-gone")
        plan.set_header("x-twice", "1")
        plan.set_header("x-twice", "2")
        plan.target = "/other?q"

    lines = to_origin(get(b"X-Set: old", b"X-Add: old", b"X-Gone: old", b"X-Set: older"), Edits(edit))
    assert lines[0] == b"GET /other?q HTTP/1.1"
    assert sorted(line for line in lines if line.startswith(b"x-") and not line.startswith(b"x-f")) == [
        b"x-add: more",
        b"x-add: old",
        b"x-set: new",
        b"x-twice: 2",
    ]


@pytest.mark.parametrize(
    ("data", "framing"),
    [
        (get(), []),
        (post(), [b"content-length: 0"]),
        (head(b"DELETE / HTTP/1.1"), []),
        (post(b"Content-Length: 003") + b"abc", [b"content-length: 3"]),
        (post(b"Transfer-Encoding: Chunked") + b"0\r\n\r\n", [b"transfer-encoding: chunked"]),
        (get(b"TE: trailers"), [b"connection: te", b"te: trailers"]),
        (get(b"Connection: Upgrade", b"Upgrade: websocket"), [b"connection: upgrade", b"upgrade: websocket"]),
        (get(b"Upgrade: websocket"), []),
    ],
)
def test_framing_is_written_anew(data, framing):
    names = (b"content-length", b"transfer-encoding", b"connection", b"te", b"upgrade")
    assert [line for line in to_origin(data) if line.partition(b":")[0] in names] == framing


def test_trailer_cannot_bring_back_what_a_stage_replaced():
    edge = FakeEdge(Edits(lambda plan: plan.set_header("x-user", "ann")))
    body = b"0\r\nX-User: admin\r\nX-Other: 1\r\nedge-user: admin\r\nx_user: admin\r\n\r\n"
    edge.say(edge.connect(), post(b"Transfer-Encoding: chunked") + body)
    assert edge.origins[0].trailers == [(b"x-other", b"1")]
    assert b"admin" not in edge.origins[0].sent


def test_http_1_0_without_host_gets_the_origins_name():
    lines = to_origin(head(b"GET / HTTP/1.0", host=None))
    assert b"host: origin.example" in lines
    assert not any(line.startswith(b"x-forwarded-host") for line in lines)


# --- towards the client ----------------------------------------------------------------------------------------------


def test_client_gets_the_answer_and_the_way_it_went():
    answer = b"HTTP/1.1 200 Whatever\r\nX: y\r\nKeep-Alive: a\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nhi"
    assert to_client(get(), answer) == (
        [b"HTTP/1.1 200 OK", b"x: y", b"via: 1.1 fastedge", b"content-length: 2"],
        b"hi",
    )


@pytest.mark.parametrize(
    ("data", "connection"),
    [(get(b"Connection: close"), [b"connection: close"]), (head(b"GET / HTTP/1.0"), [b"connection: close"]),
     (head(b"GET / HTTP/1.0", b"Connection: keep-alive"), [b"connection: keep-alive"]), (get(), [])],
)  # fmt: skip
def test_client_is_told_whether_the_connection_stays(data, connection):
    assert [line for line in to_client(data)[0] if line.startswith(b"connection")] == connection


def test_date_is_the_origins_where_it_has_one():
    edge = FakeEdge(
        answer=lambda request, body: ANSWER.replace(b"\r\n\r\n", b"\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\n\r\n")
    )
    sent = edge.say(edge.connect(), get())
    assert sent.count(b"date: ") == sent.count(b"date: Mon, 01 Jan 2001 00:00:00 GMT\r\n") == 1


@pytest.mark.parametrize(
    ("data", "answer", "framing", "rest"),
    [
        (
            get(),
            b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            b"transfer-encoding: chunked",
            b"2\r\nhi\r\n0\r\n\r\n",
        ),
        (head(b"GET / HTTP/1.0"), b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", None, b"hi"),
        (head(b"HEAD / HTTP/1.1"), b"Content-Length: 2\r\n\r\n", b"content-length: 2", b""),
        (head(b"HEAD / HTTP/1.1"), b"Transfer-Encoding: chunked\r\n\r\n", None, b""),
    ],
)
def test_framing_suits_the_client(data, answer, framing, rest):
    lines, body = to_client(data, b"HTTP/1.1 200 OK\r\n" + answer)
    assert [line for line in lines if line.startswith((b"content-length", b"transfer-encoding"))] == [framing] * bool(
        framing
    )
    assert body == rest


@pytest.mark.parametrize("accepts", [True, False])
def test_trailers_reach_only_whom_te_names(accepts):
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nDigest: a\r\nedge-x: b\r\nSet-Cookie: c\r\n\r\n"
    )
    _, body = to_client(get(b"TE: trailers", b"Connection: te") if accepts else get(), answer)
    assert body == (b"0\r\ndigest: a\r\n\r\n" if accepts else b"0\r\n\r\n")


@pytest.mark.parametrize("status", [200, 204, 304, 404, 599])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_answer_of_a_stages_own(method, status):
    fields = {"content-length": "99", "transfer-encoding": "chunked", "connection": "x", "x": "y"}
    lines, rest = to_client(head(method + b" / HTTP/1.1"), b"", Answers(Response(status, fields, b"hi")))
    assert lines[0].startswith(b"HTTP/1.1 %d " % status)
    assert lines[1:] == [b"x: y"] + ([] if status in (204, 304) else [b"content-length: 2"])
    assert rest == (b"" if method == b"HEAD" or status in (204, 304) else b"hi")
