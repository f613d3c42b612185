"""Invariant: whatever clients send and stages edit, an origin reads one request, and exactly the one that was meant.

h11 and httptools both parse what was written; no line of it was smuggled in by a value, a trailer or a nomination.
"""

import httptools
from fake_edge import FakeEdge, ok
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge import CONTINUE, StageError
from fastedge._core.wire import RequestReader
from fastedge.errors import WireError

READER = RequestReader()
NAMES = st.sampled_from(
    [
        *(
            "x-a",
            "X-B",
            "cookie",
            "authorization",
            "x_c",
            "edge-variant",
            "accept",
            "content-type",
            "proxy-foo",
            "trailer",
        ),
        *(
            "connection",
            "te",
            "upgrade",
            "keep-alive",
            "proxy-connection",
            "transfer-encoding",
            "content-length",
            "expect",
        ),
        *("via", "cdn-loop", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "host"),
    ]
)
WORDS = (
    "",
    "a",
    "close, x-a",
    "x-b",
    "100-continue",
    "trailers",
    "websocket",
    "upgrade",
    "chunked",
    "3",
    "a\tb",
    "fastedge2",
)
VALUES = st.one_of(
    st.sampled_from(WORDS),
    st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=12),
)
EDITS = st.lists(st.tuples(st.sampled_from(["set", "add", "remove"]), NAMES, VALUES), max_size=5)
TARGETS = st.one_of(st.none(), st.text(st.characters(max_codepoint=300), max_size=12).map(lambda text: "/" + text))
FRAMINGS = {
    None: (b"", b""),
    "length": (b"Content-Length: 3\r\n", b"abc"),
    "chunked": (
        b"Transfer-Encoding: chunked\r\n",
        b"3\r\nabc\r\n0\r\nx-t: 1\r\nx-a: forged\r\nedge-t: 1\r\nx_t: 1\r\n\r\n",
    ),
}
FRAMED = {None: (0, 0), "length": (1, 3), "chunked": (2, 0)}
EDGES_OWN = {"host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "cdn-loop"}
HOPS = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "proxy-authorization"}


class Edits:
    """Performs edits; `done` says which of them a plan allowed."""

    def __init__(self, edits, target):
        self.edits, self.target, self.done = edits, target, []

    def on_request(self, request, ctx):
        if self.target is not None:
            try:
                ctx.plan.target = self.target
                self.done.append(("target", self.target, None))
            except StageError:
                pass
        for kind, name, value in self.edits:
            try:
                getattr(ctx.plan, f"{kind}_header")(*((name,) if kind == "remove" else (name, value)))
                self.done.append((kind, name.lower(), value.strip(" \t")))
            except (StageError, ValueError):
                pass
        return CONTINUE


def meant(fields, done, nominated):
    """The end-to-end fields that an origin is owed, sorted."""
    lines = [(name, value, None) for name, value in fields if name not in nominated]
    for kind, name, value in done:
        if kind in ("set", "remove"):
            lines = [line for line in lines if line[0] != name]
        if kind in ("set", "add"):
            lines.append((name, value, kind))
    return sorted((name, value) for name, value, _ in lines)


class Seen:
    """What httptools saw of a message."""

    def __init__(self):
        self.fields, self.body, self.complete = [], b"", 0

    def on_header(self, name, value):
        self.fields.append((name.decode().lower(), value.decode("latin-1").strip(" \t")))

    def on_body(self, data):
        self.body += data

    def on_message_complete(self):
        self.complete += 1


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=6), EDITS, TARGETS, st.sampled_from(["GET", "POST", "OPTIONS"]),
    st.sampled_from([None, "length", "chunked"]),
)  # fmt: skip
def test_origin_gets_what_was_meant_and_not_a_line_more(fields, edits, target, method, framing):
    stage = Edits(edits, target)
    edge = FakeEdge(stage, answer=ok)
    client = edge.connect()
    lines = [f"{name}: {value}\r\n".encode("latin-1") for name, value in fields]
    frame, body = FRAMINGS[framing]
    head = f"{method} /a?b HTTP/1.1\r\nHost: shop.example\r\n".encode() + b"".join(lines) + frame + b"\r\n"
    try:
        request = READER.parse(head)
    except WireError:
        return
    if (READER.framing, READER.content_length) != FRAMED[framing]:
        return  # a field of the client's promised another body than comes
    nominated = {option.strip(" \t") for option in request.headers.get("connection", "").lower().split(",")}
    edge.say(client, head + body)
    if b" 502 " in client.sent:
        assert "fastedge" in request.headers.get("cdn-loop", "")
        return
    if not edge.origins:
        # A field that only the connection reads: a second expectation, or another body than the head says.
        assert client.sent.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
        return
    (origin,) = edge.origins
    sent, payload = origin.requests[0]
    assert len(origin.requests) == 1
    asked = next((text for kind, text, _ in reversed(stage.done) if kind == "target"), "/a?b")
    assert (sent.method.decode(), sent.target.decode()) == (method, asked)
    assert payload == (b"" if framing is None else b"abc")
    parser_sees = Seen()
    parser = httptools.HttpRequestParser(parser_sees)
    try:
        parser.feed_data(origin.sent)
    except httptools.HttpParserUpgrade:
        parser_sees.complete = 1
    got = [(name.decode(), value.decode("latin-1")) for name, value in sent.headers]
    assert parser_sees.complete == 1
    assert parser_sees.fields[: len(got)] == got
    removed = EDGES_OWN | HOPS | {"content-length", "expect"}
    end_to_end = [(name, value) for name, value in request.headers.items() if name not in removed]
    done = [edit for edit in stage.done if edit[0] != "target"]
    assert sorted(line for line in got if line[0] not in removed) == meant(end_to_end, done, nominated)
    replaced = {name for kind, name, _ in done if kind in ("set", "remove")}
    forged = {"x-t", "x-a"} - replaced if framing == "chunked" else set()
    assert {name.decode() for name, _ in origin.trailers} == forged
    for name in ("host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"):
        assert sum(line[0] == name for line in got) == 1
    assert ("x-forwarded-for", "192.0.2.7") in got
