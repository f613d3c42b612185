"""64 MiB through a worker process in either direction, however slowly it is taken: every byte arrives, none is hoarded."""

import hashlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from exchange import Origin, Peer
from running import Edge

SIZE = 64 << 20
GROWTH_MAX = 32 << 20
POLICY = """
from fastedge import CONTINUE, Pipeline

class Pass:
    def on_request(self, request, ctx):
        return CONTINUE

pipeline = Pipeline(Pass())
"""


@pytest.fixture
def origin() -> Iterator[Origin]:
    one = Origin()
    yield one
    one.close()


@pytest.fixture
def ends(run_edge: Callable[..., Edge], origin: Origin) -> Iterator[tuple[Peer, Callable[[], Peer], int]]:
    """A client, a way to the origin's end, and the worker's process."""
    edge = run_edge(policy=POLICY, workers=1, more=f'[origins.main]\nservers = ["{origin.url}"]')
    edge.wait_until_ready()
    with Peer(socket.create_connection(("127.0.0.1", edge.port))) as client:
        yield client, origin.accept, edge.pids()[0]


def resident_max(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) << 10


class Sender(threading.Thread):
    """Sends SIZE bytes, as they are or in chunks."""

    def __init__(self, peer: Peer, chunked: bool) -> None:
        super().__init__(daemon=True)
        self.peer, self.chunked, self.sent = peer, chunked, hashlib.sha256()
        self.start()

    def run(self) -> None:
        block = os.urandom(1 << 20)
        self.peer.socket.settimeout(30)
        for i in range(SIZE >> 20):
            piece = block[i:] + block[:i]
            self.sent.update(piece)
            self.peer.send(b"100000\r\n%b\r\n" % piece if self.chunked else piece)
        if self.chunked:
            self.peer.send(b"0\r\n\r\n")


def take(peer: Peer, chunked: bool) -> str:
    """Reads the body; its hash."""
    got = hashlib.sha256()
    left = SIZE
    if chunked:
        for piece in iter(peer._chunk, b""):
            got.update(piece)
            left -= len(piece)
        assert peer._line() == ""
    else:
        while left:
            piece = peer._exactly(min(left, 256 << 10))
            got.update(piece)
            left -= len(piece)
    assert left == 0
    return got.hexdigest()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("stall_s", [0, 0.5])
def test_download(ends: tuple[Peer, Callable[[], Peer], int], chunked: bool, stall_s: float) -> None:
    client, accept, pid = ends
    client.send("GET / HTTP/1.1", "host: a")
    server = accept()
    server.message()
    before = resident_max(pid)
    server.send("HTTP/1.1 200 OK", "transfer-encoding: chunked" if chunked else f"content-length: {SIZE}", b"")
    sender = Sender(server, chunked)
    client.head()
    time.sleep(stall_s)
    assert take(client, chunked) == sender.sent.hexdigest()
    sender.join()
    assert resident_max(pid) - before < GROWTH_MAX
    assert client.is_open()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("stall_s", [0, 0.5])
def test_upload(ends: tuple[Peer, Callable[[], Peer], int], chunked: bool, stall_s: float) -> None:
    client, accept, pid = ends
    before = resident_max(pid)
    client.send(
        "POST / HTTP/1.1", "host: a", "transfer-encoding: chunked" if chunked else f"content-length: {SIZE}", b""
    )
    sender = Sender(client, chunked)
    server = accept()
    server.head()
    time.sleep(stall_s)
    assert take(server, chunked) == sender.sent.hexdigest()
    sender.join()
    server.send("HTTP/1.1 200 OK", "content-length: 2", b"ok")
    assert client.message().body == b"ok"
    assert resident_max(pid) - before < GROWTH_MAX


def test_download_that_nobody_reads(ends: tuple[Peer, Callable[[], Peer], int]) -> None:
    client, accept, pid = ends
    client.send("GET / HTTP/1.1", "host: a")
    server = accept()
    server.message()
    before = resident_max(pid)
    server.send("HTTP/1.1 200 OK", f"content-length: {SIZE}", b"")
    server.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        server.socket.sendall(b"x" * SIZE)
    assert resident_max(pid) - before < GROWTH_MAX
