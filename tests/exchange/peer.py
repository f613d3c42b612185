"""The two ends that a test plays: raw sockets, and a reader of messages that forgives nothing."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

WAIT_S = 5.0


class Cut(Exception):
    """The connection ended in the middle of a message."""


@dataclass
class Message:
    start: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    framing: str = "none"  # none, length, chunked, close

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])

    @property
    def target(self) -> str:
        return self.start.split(" ")[1]

    def get(self, name: str) -> str | None:
        """The value of a field that stands there once, or None."""
        values = self.all(name)
        assert len(values) < 2, values
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name]


class Peer:
    """One end of a connection. `head` in `message` says that the message answers a HEAD."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._read = b""
        sock.settimeout(WAIT_S)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- what it does ---------------------------------------------------------------------------------------------

    def send(self, *what: str | bytes) -> "Peer":
        self.socket.sendall(wire(*what))
        return self

    def drip(self, *what: str | bytes, pause_s: float = 0.0003) -> "Peer":
        for byte in wire(*what):
            self.socket.sendall(bytes([byte]))
            time.sleep(pause_s)
        return self

    def finish(self) -> "Peer":
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Closes with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # --- what must happen -----------------------------------------------------------------------------------------

    def message(self, *, head: bool = False) -> Message:
        """The next message, whole. Raises Cut when it ends too early."""
        message = self.head()
        message.framing = _framing(message, head)
        if message.framing == "length":
            message.body = self._exactly(int(message.get("content-length") or ""))
        elif message.framing == "chunked":
            message.body = b"".join(iter(self._chunk, b""))
            message.trailers = [_field(line) for line in iter(self._line, "")]
        elif message.framing == "close":
            message.body = self.rest()
        return message

    def head(self) -> Message:
        """Start line and fields alone: what follows is left to read."""
        start = self._line()
        return Message(start, [_field(line) for line in iter(self._line, "")])

    def expect(self, data: bytes) -> "Peer":
        assert self._exactly(len(data)) == data
        return self

    def expect_end(self) -> None:
        """The other end has said all and not a byte more."""
        assert self.rest() == b""

    def expect_gone(self) -> None:
        """The other end has closed, one way or another."""
        with contextlib.suppress(ConnectionError):
            while self._more():
                pass

    def expect_cut(self, *, head: bool = False) -> None:
        try:
            message = self.message(head=head)
        except (Cut, ConnectionError):
            return
        raise AssertionError(f"a whole message came: {message}")

    def expect_silence(self, seconds: float = 0.15) -> "Peer":
        self.socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            assert not self._more(), self._read
            raise AssertionError("it ended")
        self.socket.settimeout(WAIT_S)
        return self

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while self._more():
            pass
        data, self._read = self._read, b""
        return data

    def is_open(self) -> bool:
        """Whether the other end has neither closed nor said anything."""
        self.socket.settimeout(0.02)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return not self._read
        except ConnectionError:
            pass
        finally:
            self.socket.settimeout(WAIT_S)
        return False

    # --- reading ----------------------------------------------------------------------------------------------------

    def _more(self) -> bool:
        data = self.socket.recv(256 * 1024)
        self._read += data
        return bool(data)

    def _exactly(self, size: int) -> bytes:
        pieces, missing = [], size
        while missing:
            if not self._read and not self._more():
                raise Cut(f"{missing} of {size} bytes are missing")
            piece, self._read = self._read[:missing], self._read[missing:]
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _line(self) -> str:
        while b"\r\n" not in self._read:
            if not self._more():
                raise Cut(f"in the line {self._read!r}")
        line, _, self._read = self._read.partition(b"\r\n")
        assert b"\n" not in line and b"\r" not in line, line
        return line.decode("latin-1")

    def _chunk(self) -> bytes:
        data = self._exactly(int(self._line(), 16))
        if data:
            assert self._line() == ""
        return data


class Origin:
    """A listening socket. `accept` gives the edge's next connection; `serve` answers by itself."""

    def __init__(
        self, family: int = socket.AF_INET, *, path: str | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.family = family
        self._path = path
        self._tls = tls
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self.socket = socket.socket(socket.AF_UNIX if path else family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(path or (("::1" if family == socket.AF_INET6 else "127.0.0.1"), 0))
        self.socket.listen(256)
        self.socket.settimeout(WAIT_S)
        self.authority = "localhost"
        if path is None:
            host, port = self.socket.getsockname()[:2]
            self.authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def url(self) -> str:
        return f"unix:{self._path}" if self._path else f"{'https' if self._tls else 'http'}://{self.authority}"

    @property
    def accepted(self) -> int:
        """Connections so far."""
        return len(self._peers)

    def accept(self) -> Peer:
        sock, _ = self.socket.accept()
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True)
        peer = Peer(sock)
        self._peers.append(peer)
        return peer

    def expect_nobody(self, seconds: float = 0.1) -> None:
        self.socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            self.socket.accept()[0].close()
            raise AssertionError("somebody came")
        self.socket.settimeout(WAIT_S)

    def serve(self, answer: Callable[[Peer, Message], None]) -> "Origin":
        """Answers each request of each connection in the background, until it is closed."""
        self._start(self._accept_all, answer)
        return self

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept_all(self, answer: Callable[[Peer, Message], None]) -> None:
        self.socket.settimeout(None)
        with contextlib.suppress(OSError):
            while True:
                self._start(self._converse, self.accept(), answer)

    def _converse(self, peer: Peer, answer: Callable[[Peer, Message], None]) -> None:
        peer.socket.settimeout(60)
        with contextlib.suppress(OSError, Cut), peer:
            while True:
                answer(peer, peer.message())

    def stop(self) -> None:
        """Listens no more: whoever comes is refused."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def close(self) -> None:
        self.stop()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
            if not self._threads:
                peer.close()
        for thread in list(self._threads):
            thread.join(WAIT_S)
        for peer in self._peers:
            peer.close()


def wire(*what: str | bytes) -> bytes:
    """Strings that stand together are a head: its lines, and the empty line behind them."""
    out, in_head = [], False
    for part in what:
        if isinstance(part, str):
            out.append(part.encode("latin-1") + b"\r\n")
            in_head = True
        else:
            out.append(b"\r\n" + part if in_head else part)
            in_head = False
    return b"".join(out) + (b"\r\n" if in_head else b"")


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    assert colon and name == name.strip(), line
    return name, value.strip(" \t")


def _framing(message: Message, to_head: bool) -> str:
    is_response = message.start.startswith("HTTP/")
    chunked, length = message.get("transfer-encoding"), message.get("content-length")
    assert chunked in (None, "chunked") and (chunked is None or length is None), message
    if to_head or (is_response and (message.status < 200 or message.status in (204, 304))):
        return "none"
    if chunked:
        return "chunked"
    if length is not None:
        return "length"
    return "close" if is_response else "none"
