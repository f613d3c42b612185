"""Messages between supervisor and worker: whole, in order, with their descriptors; what is none ends the channel."""

import asyncio
import os
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import limits
from fastedge.config.problems import Problem
from fastedge.control import (
    Abort,
    Channel,
    Commit,
    Committed,
    Drain,
    Failed,
    FromWorker,
    Inspect,
    Inspected,
    KeysFetched,
    KeysLooked,
    KeysWanted,
    Lines,
    Prepare,
    Prepared,
    Ready,
    Reopen,
    ToWorker,
)
from fastedge.inspection import StoredObject

TO_WORKER = [
    Prepare(2, ("main", "eu")),
    Commit(2),
    Abort(2),
    Drain(),
    Reopen(),
    Inspect(7, "https://shop.example/", True),
    KeysFetched("5ce", b'{"keys": []}'),
    KeysFetched("5ce", None),
    KeysLooked("5ce", 30_000),
]
STORED = StoredObject(
    key="k",
    status=200,
    age_s=1.5,
    ttl_s=-2.0,
    state="stale",
    vary={"accept": "text/html"},
    tags=("red", "é"),
    bytes=1000,
    tier="disk",
    etag=None,
)
FROM_WORKER = [
    Ready(1, ("", "A.on_request")),
    Failed((Problem("a", "b", "c\nd é \u2028"),)),
    Prepared(2, (Problem("a", "", "c"),), ()),
    Committed(2),
    Inspected(7, (STORED, STORED), False),
    KeysWanted("5ce"),
]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


@given(st.lists(st.sampled_from(FROM_WORKER), max_size=6), st.data())
def test_messages_come_out_as_they_went_in_however_they_are_cut(messages: list[Any], data: st.DataObject) -> None:
    stream = b"".join(msgspec.json.encode(message) + b"\n" for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    lines = Lines[Any](FromWorker)
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [message for piece in pieces for message in lines.feed(piece)] == messages


@pytest.mark.parametrize(
    "data", [b"\n", b"{}\n", b"no\n", b'{"type":"Exec"}\n', b'{"type":"Commit","generation":"x"}\n']
)
def test_what_is_no_message_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        Lines[Any](ToWorker).feed(data)


def test_message_without_end_is_an_error() -> None:
    lines = Lines[Any](ToWorker)
    half = b"x" * (limits.control_message_bytes_max // 2)
    lines.feed(half)
    lines.feed(half)
    with pytest.raises(ValueError, match="more than"):
        lines.feed(b"x")


def test_descriptors_arrive_with_their_messages(pair: tuple[socket.socket, socket.socket]) -> None:
    got: list[tuple[Any, bytes | None]] = []

    def on_message(message: Any, descriptor: int | None) -> None:
        got.append((message, None if descriptor is None else os.pread(descriptor, 100, 0)))
        if descriptor is not None:
            os.close(descriptor)

    async def exchange() -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        sender = Channel[Any](loop, pair[0], FromWorker, on_message, lambda: None)
        Channel[Any](loop, pair[1], ToWorker, on_message, ended.set)
        for i, message in enumerate(TO_WORKER * 3):
            file = os.memfd_create("test")
            os.write(file, b"sources %d" % i)
            sender.send(message, file if isinstance(message, Prepare) else None)
            os.close(file)
        sender.close()
        await ended.wait()

    asyncio.run(exchange())
    contents = [b"sources %d" % i if isinstance(one, Prepare) else None for i, one in enumerate(TO_WORKER * 3)]
    assert got == list(zip(TO_WORKER * 3, contents, strict=True))


def test_long_message_waits_for_room_and_holds_nobody_up(pair: tuple[socket.socket, socket.socket]) -> None:
    hooks = tuple(f"Stage{i}.on_request" for i in range(60_000))  # more than a socket's buffer takes
    got: list[Any] = []

    async def exchange() -> None:
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def on_message(message: Any, descriptor: int | None) -> None:
            got.append(message)
            if message == Committed(1):
                arrived.set()

        sender = Channel[Any](loop, pair[1], ToWorker, on_message, lambda: None)
        sender.send(Ready(1, hooks))
        sender.send(Committed(1))
        receiver = Channel[Any](loop, pair[0], FromWorker, on_message, lambda: None)
        await arrived.wait()
        sender.close()
        receiver.close()

    asyncio.run(exchange())
    assert got == [Ready(1, hooks), Committed(1)]


def test_nonsense_ends_the_channel(pair: tuple[socket.socket, socket.socket]) -> None:
    async def exchange() -> None:
        ended = asyncio.Event()
        Channel[Any](asyncio.get_running_loop(), pair[0], FromWorker, pytest.fail, ended.set)  # type: ignore[arg-type]
        pair[1].sendall(b"GET / HTTP/1.1\r\n\r\n")
        await ended.wait()

    asyncio.run(exchange())
    assert pair[0].fileno() == -1
