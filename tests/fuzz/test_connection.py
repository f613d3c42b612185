"""Invariant: whatever clients and origins say, the edge never raises, and never answers more often than it was asked.

It never owes a reply while nothing is under way: when all is said and every time-out has struck, nothing is left open.
After a refusal it says nothing more, and its origins are asked only what h11 can read.
"""

import h11
from fake_edge import FakeEdge, FakeOrigin, FakeTransport, split_responses
from heads import ACCEPTED, BROKEN, REFUSED, UNDERSTOOD, get, head, post
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge import CONTINUE, Response

BODIES = {0: b"", 1: b"12345", 2: b"5\r\n12345\r\n0\r\n\r\n"}
GOOD = [data + BODIES[expected[3]] for _, data, expected in ACCEPTED if len(data) < 1000]
REQUESTS = [
    *GOOD,
    *(data for _, data, _ in REFUSED if len(data) < 600),
    head(b"GET /local HTTP/1.1"),
    head(b"HEAD /local HTTP/1.1"),
    head(b"POST /local HTTP/1.1", b"Content-Length: 5") + b"12345",
    head(b"POST /local HTTP/1.1", b"Transfer-Encoding: chunked", b"Expect: 100-continue") + BODIES[2],
    head(b"HEAD /a HTTP/1.1"),
    post(b"Expect: 100-continue", b"Content-Length: 5") + b"12345",
    post(b"Transfer-Encoding: chunked") + b"5\r\n12345\r\n0\r\nX-T: y\r\n\r\n",
    get(b"Connection: upgrade", b"Upgrade: websocket"),
    post(b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 5") + b"12345",
    get(b"TE: trailers", b"Connection: te"),
    b"\r\n",
]
ANSWERS = [
    *(data + (b"12345" if expected[1] == 1 and expected[2] == 5 else b"") for _, data, _, expected in UNDERSTOOD),
    *(data for _, data in BROKEN if len(data) < 600),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\nX-T: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhitoo much",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 204 No Content\r\n\r\nbody",
    b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"",
]
SPICES = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\0",
    b":",
    b"0",
    b"\xff",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
]


class Local:
    """Answers /local at once, and decorates every answer."""

    def on_request(self, request, ctx):
        return Response.text("here") if request.path == "/local" else CONTINUE

    def on_response(self, request, response, ctx):
        response.headers.set("x-seen", "1")


@st.composite
def mutated(draw, seeds):
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(data)))
        if draw(st.booleans()):
            data[at:at] = draw(st.sampled_from(SPICES))
        else:
            data[at : at + draw(st.integers(1, 3))] = bytes(draw(st.lists(st.integers(0, 255), max_size=2)))
    return bytes(data)


# What happens next: the client says its next n bytes, an origin the next n of its answer, or closes; …
KINDS = ["client"] * 3 + ["origin"] * 3 + ["origin closes", "pause", "resume", "eof", "tick"]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 400)), max_size=25)


class Play:
    """One client connection, driven step by step, its invariants checked after each."""

    def __init__(self, sent, answers):
        self.edge = FakeEdge(Local())
        self.client = self.edge.connect()
        self.to_say = sent
        self.answers = answers
        self.saying: dict[FakeOrigin, bytes] = {}
        self.asked: dict[FakeOrigin, int] = {}
        self.said = b""
        self.now_us = 0

    def step(self, kind, size):
        client = self.client
        if kind == "client" and self.to_say and client.is_open and client.reads and not self.at_end:
            piece, self.to_say = self.to_say[:size], self.to_say[size:]
            self.said += piece
            client.protocol.data_received(piece)
        elif kind == "eof" and client.is_open and not self.at_end:
            self.at_end = True
            if not client.protocol.eof_received():
                client.close()
        elif kind == "pause" and client.is_open and not self.is_paused:
            self.is_paused = True
            client.protocol.pause_writing()
        elif kind == "resume" and self.is_paused and client.is_open:
            self.is_paused = False
            client.protocol.resume_writing()
        elif kind == "origin":
            self.answer(size)
        elif kind == "origin closes":
            for origin in self.edge.origins[-1:]:
                origin.close()
        elif kind == "tick":
            self.edge.timers.tick(0)
        self.edge.settle()

    at_end = False
    is_paused = False

    def answer(self, size):
        """The next bytes of the answer to the last thing that an origin was asked, whole or not."""
        for origin in self.edge.origins:
            if len(origin.requests) > self.asked.get(origin, 0) or (origin.request and not origin.requests):
                self.asked[origin] = max(len(origin.requests), 1)
                self.saying[origin] = self.answers.pop(0) if self.answers else ANSWERS[0]
        for origin, rest in self.saying.items():
            if rest and origin.is_open and origin.reads:
                self.saying[origin] = rest[size:]
                origin.protocol.data_received(rest[:size])

    def finish(self):
        """Everything is said, nobody holds back, and at last every time-out strikes."""
        if self.is_paused:
            self.step("resume", 0)
        for _ in range(60):
            self.step("client", 1000)
            self.step("origin", 1000)

    def expire(self):
        for _ in range(5):
            self.edge.timers.tick(1 << 62)
            self.edge.settle()


def methods_asked(said):
    """HEAD or GET for each request that h11 finds in what the client said, the last one perhaps broken."""
    methods, rest = [], said
    while rest:
        while rest.startswith(b"\r\n"):
            rest = rest[2:]
        method = rest.partition(b" ")[0]
        methods.append(b"HEAD" if method == b"HEAD" else b"GET")
        reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        reader.receive_data(rest)
        try:
            event = reader.next_event()
            while not isinstance(event, h11.EndOfMessage):
                if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                    return methods
                event = reader.next_event()
        except h11.RemoteProtocolError:
            return methods
        rest = reader.trailing_data[0]
    return methods


def replies(client: FakeTransport, said: bytes):
    """Statuses that were sent: each parsed by h11; AssertionError for anything that nobody asked for."""
    return [status for status, _ in split_responses(client.sent, methods_asked(said))]


@settings(max_examples=700, deadline=None)
@given(st.lists(mutated(REQUESTS), min_size=1, max_size=4), st.lists(mutated(ANSWERS), max_size=4), STEPS)
def test_connection_survives_whatever_is_said(requests, answers, steps):
    play = Play(b"".join(requests), list(answers))
    for kind, size in steps:
        play.step(kind, size)
    play.finish()
    client = play.client
    assert play.edge.failures == []
    upgraded = b"HTTP/1.1 101 " in client.sent
    if not upgraded:
        replies(client, play.said)
    play.expire()
    # Nothing is left that could still happen: no client is waiting, and no origin works for nobody.
    assert not client.is_open
    assert play.edge.front.connections == set()
    assert all(not origin.is_open for origin in play.edge.origins)
