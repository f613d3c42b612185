"""What the supervisor and a worker say to each other: JSON lines over a socket pair, descriptors beside them.

Must never wait: whoever does not read cannot hold up the other side's loop.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from fastedge.config.problems import Problem
from fastedge.inspection import StoredObject
from fastedge.limits import control_message_bytes_max, control_read_bytes_max


class Start(Struct, frozen=True):
    """The one argument of a worker process: which worker it is, and the numbers of the descriptors that it inherits.

    `metric_origins` are the names of all origins that have counters, in the order of their blocks.
    """

    slot: int
    generation: int
    control: int
    sources: int
    metrics: int
    purges: int
    keys: int  # what was fetched of the keys that are
    revocations: int
    exposures: int
    geo: int  # the geo table of the source `geo_id`
    geo_id: str
    disk: int | None  # the shared index of the disk tier
    purge_file: int | None  # None: there is no disk tier, or no file could be made
    listeners: tuple[int, ...]
    metric_origins: tuple[str, ...]


class Prepare(Struct, frozen=True, tag=True):
    """To a worker, with the descriptor of the new sources: make this generation ready beside the one that serves."""

    generation: int
    metric_origins: tuple[str, ...]


class Commit(Struct, frozen=True, tag=True):
    """To a worker: what was prepared decides from the next request on."""

    generation: int


class Abort(Struct, frozen=True, tag=True):
    """To a worker: throw away what was prepared, or is still being prepared."""

    generation: int


class Drain(Struct, frozen=True, tag=True):
    """To a worker: accept no more, finish what is in flight, end."""


class Reopen(Struct, frozen=True, tag=True):
    """To a worker: open the access log anew."""


class ExperimentsSet(Struct, frozen=True, tag=True):
    """To a worker: this is what the file of [experiments] says now; it has been read, and can be."""

    settings: bytes


class Ready(Struct, frozen=True, tag=True):
    """From a worker: it accepts. `hooks` are the names that its marker stands for, by number."""

    generation: int
    hooks: tuple[str, ...]


class Failed(Struct, frozen=True, tag=True):
    """From a worker that cannot start, and ends now."""

    problems: tuple[Problem, ...]


class Prepared(Struct, frozen=True, tag=True):
    """From a worker: a generation can be committed, if there are no problems."""

    generation: int
    problems: tuple[Problem, ...]
    hooks: tuple[str, ...]


class Committed(Struct, frozen=True, tag=True):
    """From a worker: the generation decides."""

    generation: int


class Inspect(Struct, frozen=True, tag=True):
    """To a worker: what is stored for this URL? One of the workers answers for the disk that all share."""

    number: int
    url: str
    with_disk: bool


class Inspected(Struct, frozen=True, tag=True):
    """From a worker: what is stored, as far as it fits."""

    number: int
    objects: tuple[StoredObject, ...]
    is_complete: bool


class KeysFetched(Struct, frozen=True, tag=True):
    """To a worker: this is a source's JWK Set now; None: it is too old to be used. Before the Prepare that needs it."""

    source: str
    jwks: bytes | None


class GeoCompiled(Struct, frozen=True, tag=True):
    """To a worker, with the memory of the table: this is a source's geo table now. Before the Prepare that needs it."""

    source: str


class KeysWanted(Struct, frozen=True, tag=True):
    """From a worker: a token names a key of this source that is not known. Is there a newer set?"""

    source: str


class KeysLooked(Struct, frozen=True, tag=True):
    """To a worker: what there is now was sent before this; nobody looks again for it before the pause is over."""

    source: str
    pause_ms: int


ToWorker = Prepare | Commit | Abort | Drain | Reopen | Inspect | KeysFetched | KeysLooked | GeoCompiled | ExperimentsSet
FromWorker = Ready | Failed | Prepared | Committed | Inspected | KeysWanted

Received = TypeVar("Received")


class Lines(Generic[Received]):
    """Messages out of the bytes of a stream. Raises ValueError for what is not one, or has no end."""

    def __init__(self, messages: Any) -> None:
        self._decoder: msgspec.json.Decoder[Received] = msgspec.json.Decoder(messages)
        self._rest = b""

    def feed(self, data: bytes) -> list[Received]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(map(len, (*lines, self._rest))) > control_message_bytes_max:
            raise ValueError(f"a message of more than {control_message_bytes_max} bytes")
        return [self._decoder.decode(line) for line in lines]


class Channel(Generic[Received]):
    """One end of the socket pair, on a loop; it owns the socket.

    `on_message(message, descriptor)` is called for each message (the descriptor is the callee's to close), `on_end()`
    once when the other side is gone or has said what is no message.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        receives: Any,
        on_message: Callable[[Received, int | None], None],
        on_end: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._lines = Lines[Received](receives)
        self._on_message = on_message
        self._on_end = on_end
        self._descriptors: deque[int] = deque()
        self._waiting: deque[tuple[bytes, int | None]] = deque()
        self._closed = False
        sock.setblocking(False)
        loop.add_reader(sock, self._readable)

    def send(self, message: ToWorker | FromWorker, descriptor: int | None = None) -> None:
        """Sends, or keeps until there is room. The descriptor stays the caller's."""
        if self._closed:
            return
        copy = None if descriptor is None else os.dup(descriptor)
        self._waiting.append((msgspec.json.encode(message) + b"\n", copy))
        if len(self._waiting) == 1:
            self._writable()

    def drain(self) -> None:
        """Takes what the other side said before it ended."""
        while not self._closed and self._readable():
            pass

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        for descriptor in (*self._descriptors, *(copy for _, copy in self._waiting if copy is not None)):
            os.close(descriptor)
        self._waiting.clear()
        self._descriptors.clear()
        self._socket.close()

    def _readable(self) -> bool:
        """Takes what there is; False when that is nothing for now, or for good."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, control_read_bytes_max, 1, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return False
        except OSError:
            data, descriptors = b"", []
        self._descriptors.extend(descriptors)
        try:
            messages = self._lines.feed(data) if data else None
        except ValueError:
            messages = None
        if messages is None:
            self.close()
            self._on_end()
            return False
        for message in messages:
            # The kernel never joins two writes with descriptors in one read, so the order of both is the same.
            carries = isinstance(message, Prepare | GeoCompiled) and self._descriptors
            self._on_message(message, self._descriptors.popleft() if carries else None)
        return True

    def _writable(self) -> None:
        while self._waiting and not self._closed:
            data, descriptor = self._waiting[0]
            try:
                sent = socket.send_fds(self._socket, [data], [] if descriptor is None else [descriptor])
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._writable)
                return
            except OSError:  # the other side is gone: the reader hears of it
                sent = len(data)
            if descriptor is not None:
                os.close(descriptor)
            if sent < len(data):
                self._waiting[0] = (data[sent:], None)
            else:
                self._waiting.popleft()
        if not self._closed:
            self._loop.remove_writer(self._socket)
