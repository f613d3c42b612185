"""The edge without a loop, a socket or a clock that matters: clients are fake transports, and so are origins.

What a loop would call later happens in `settle`.
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import h11

from fastedge import Pipeline
from fastedge._core.proxies import TrustedProxies
from fastedge._core.wire import ResponseReader
from fastedge.config.schema import Server as ServerOptions
from fastedge.engine import Engine, Site
from fastedge.origin.fetch import OriginConnection, OriginSide
from fastedge.origin.pool import Pool, Server
from fastedge.server.connection import ClientConnection
from fastedge.server.front import Front
from fastedge.server.timers import Timers

OPTIONS = SimpleNamespace(
    connect_timeout_ms=1000, first_byte_timeout_ms=1000, read_timeout_ms=1000, idle_timeout_ms=1000
)


NO_SOCKET = SimpleNamespace(fileno=lambda: -1, setsockopt=lambda *options: None)


class FakeTransport:
    """Takes what is written; `sent` is all of it. Closing tells the protocol so when the edge settles."""

    def __init__(self, edge: "FakeEdge", protocol: Any) -> None:
        self.edge = edge
        self.protocol = protocol
        self.sent = b""
        self.is_open = True
        self.ended = False  # no more is written
        self.reads = True

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("192.0.2.7", 40000), "socket": NO_SOCKET}.get(name)

    def get_write_buffer_size(self) -> int:
        return 0  # the kernel has taken all

    def write(self, data: bytes) -> None:
        assert not self.ended, f"said after the last word: {data!r}"
        assert self.is_open, f"said to a closed connection: {data!r}"
        self.sent += data

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.write(b"".join(pieces))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.edge.later.append(lambda: self.protocol.connection_lost(None))

    abort = close


class FakeEdge:
    """`stages` make its pipeline. `answer(request, body)` gives the bytes of the origin's response to a request that
    h11 has parsed; without one, the origin stays silent."""

    def __init__(
        self,
        *stages: Any,
        answer: Callable[[h11.Request, bytes], bytes] | None = None,
        trusted: Iterable[str] = (),
        snapshot: Any = None,
        geo: Any = None,
        collected_body_bytes_max: int = 0,
    ) -> None:
        self.later: list[Callable[[], None]] = []
        self.timers = Timers()
        self.answer = answer
        self.failures: list[Exception] = []
        self.origins: list[FakeOrigin] = []
        side = OriginSide(ResponseReader(), self.timers, self._connect)
        self.side = side
        self.front = Front(
            side,
            self.timers,
            server=ServerOptions(),
            perform=lambda step, callback: self.later.append(lambda: callback(step())),
            report=self.failures.append,
            collected_body_bytes_max=collected_body_bytes_max,
        )
        pipeline = Pipeline(*stages).bind(snapshot)
        self.front.engine = Engine({"*": Site("", pipeline, "main")}, ["main"], geo=geo)
        self.front.trust = TrustedProxies(list(trusted))
        self.front.pools = {"main": _pool()}
        self.clients: list[FakeTransport] = []

    def connect(self) -> FakeTransport:
        """A new client connection's transport."""
        transport = FakeTransport(self, ClientConnection(self.front))
        transport.protocol.connection_made(transport)
        self.clients.append(transport)
        return transport

    def say(self, client: FakeTransport, *pieces: bytes) -> bytes:
        """What the client has got after these pieces."""
        for piece in pieces:
            if client.is_open:
                client.protocol.data_received(piece)
            self.settle()
        return client.sent

    def settle(self) -> None:
        for _ in range(10_000):
            if not self.later:
                return
            self.later.pop(0)()
        raise AssertionError("never settles")

    def _connect(self, pool: Pool, server: Server) -> None:
        self.later.append(lambda: self._connected(pool, server))

    def _connected(self, pool: Pool, server: Server) -> None:
        origin = FakeOrigin(self, OriginConnection(self.side, pool, server))
        self.origins.append(origin)
        origin.protocol.connection_made(origin)
        self.side.connected(origin.protocol)


class FakeOrigin(FakeTransport):
    """An origin's end of a connection. What does not parse as HTTP/1.1 there is an error of the edge's."""

    def __init__(self, edge: FakeEdge, protocol: Any) -> None:
        super().__init__(edge, protocol)
        self.h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=256 * 1024)
        self.request: h11.Request | None = None
        self.body = b""
        self.requests: list[tuple[h11.Request, bytes]] = []
        self.trailers: list[tuple[bytes, bytes]] = []

    def write(self, data: bytes) -> None:
        super().write(data)
        if data:
            self.h11.receive_data(data)
            self._read()

    def _read(self) -> None:
        while True:
            event = self.h11.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            if isinstance(event, h11.Request):
                self.request, self.body = event, b""
            elif isinstance(event, h11.Data):
                self.body += event.data
            elif isinstance(event, h11.EndOfMessage):
                self.trailers = list(event.headers)
                self._got()

    def _got(self) -> None:
        assert self.request is not None
        self.requests.append((self.request, self.body))
        if self.edge.answer is not None:
            answer = self.edge.answer(self.request, self.body)
            self.edge.later.append(lambda: self.say(answer))

    def say(self, data: bytes) -> None:
        if self.is_open:
            self.h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=256 * 1024)
            self.protocol.data_received(data)


def _pool() -> Pool:
    return Pool(
        "main",
        [Server("http://origin.example", None, b"origin.example")],
        connections_max=8,
        queue_max=8,
        breaker_failures=0,
        breaker_open_ms=1000,
        options=OPTIONS,
    )


def ok(request: h11.Request, body: bytes) -> bytes:
    """200 that says what was asked."""
    content = b"%b %b %d" % (request.method, request.target, len(body))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content)
    return head if request.method == b"HEAD" else head + content


def split_responses(sent: bytes, methods: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """(status, body) of each response in `sent`, by h11 as a client that asked with `methods`; 1xx left out.

    The last one may be cut short; then its body is what there is.
    """
    found: list[tuple[int, bytes]] = []
    rest = sent
    for method in methods:
        if not rest:
            break
        reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=256 * 1024)
        # To h11 an answer to anything but HEAD and CONNECT is read alike.
        reader.send(h11.Request(method=b"HEAD" if method == b"HEAD" else b"GET", target=b"/", headers=[("host", "x")]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(rest)
        status, body = 0, b""
        while True:
            event = reader.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif not isinstance(event, h11.InformationalResponse):
                break
        found.append((status, body))
        rest = reader.trailing_data[0] if event is not h11.NEED_DATA else b""
    assert not rest, f"said without a question: {rest!r}"
    return found
