"""python -m benchmarks.origin PORT: an origin whose pages may be stored, and which counts how often it is asked.

Targets end in a number (/objects/00000042), which decides the page's tag. GET /requests gives the count, uncounted.
Slower than tools/floor.c: for jobs in which the origin is at rest while anything is timed.
"""

import argparse
import asyncio
import re
import time
from email.utils import formatdate

import uvloop

from benchmarks import traffic
from benchmarks.personal_origin import PersonalPages
from benchmarks.process import HOST

FIELDS = "Cache-Control: max-age=3600\r\nServer: floor\r\nX-Frame-Options: SAMEORIGIN\r\n"
_NUMBER = re.compile(rb"(\d+)$")


class Pages:
    """What is answered, and how often. With `tags`, a page names one of so many and says which request made it."""

    def __init__(self, body_bytes: int, tags: int) -> None:
        self.requests = 0
        self._body = traffic.page(body_bytes)
        self._tags = tags
        self._head, self._head_s = b"", 0

    def answer(self, target: bytes, head: bytes = b"") -> bytes:
        """The page of a target, whatever else the head says."""
        self.requests += 1
        return b"".join((self._common_head(), self._label(target), b"\r\n", self._body))

    def _common_head(self) -> bytes:
        if (now := int(time.time())) != self._head_s:
            fields = f"Content-Type: text/html; charset=utf-8\r\nContent-Length: {len(self._body)}\r\n{FIELDS}"
            self._head = f"HTTP/1.1 200 OK\r\nDate: {formatdate(now, usegmt=True)}\r\n{fields}".encode()
            self._head_s = now
        return self._head

    def _label(self, target: bytes) -> bytes:
        if not self._tags:
            return b""
        number = _NUMBER.search(target)
        tag = int(number[1]) % self._tags if number else 0
        return b"xkey: t%d\r\nX-Made-By: %d\r\n" % (tag, self.requests)


class Exchange(asyncio.Protocol):
    """A connection of an edge: one request at a time, without a body."""

    def __init__(self, pages: Pages | PersonalPages, delay_s: float) -> None:
        self._pages = pages
        self._delay_s = delay_s
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._head += data
        if not self._head.endswith(b"\r\n\r\n"):
            return
        head, self._head = self._head, b""
        target = head.split(b" ", 2)[1]
        if target == b"/requests":
            self._transport.write(count(self._pages.requests))
        elif self._delay_s:
            answer = self._pages.answer(target, head)  # counted now, though it comes later
            asyncio.get_running_loop().call_later(self._delay_s, self._transport.write, answer)
        else:
            self._transport.write(self._pages.answer(target, head))


def count(requests: int) -> bytes:
    """How many pages were asked for."""
    fields = f"Cache-Control: no-store\r\nContent-Length: {len(str(requests))}\r\n"
    return f"HTTP/1.1 200 OK\r\n{fields}\r\n{requests}".encode()


async def serve(port: int, pages: Pages | PersonalPages, delay_s: float) -> None:
    """Until it is stopped."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Exchange(pages, delay_s), HOST, port, backlog=4096)
    await server.serve_forever()


def main() -> None:
    """Reads the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.origin")
    parser.add_argument("port", type=int)
    parser.add_argument("--body", type=int, default=traffic.BODY_BYTES, help="bytes of each page")
    parser.add_argument("--tags", type=int, default=0, help="how many tags there are; left out: none")
    parser.add_argument("--delay-ms", type=int, default=0, help="time that each page takes")
    parser.add_argument("--personal", action="store_true", help="the personal job's page and its parts")
    options = parser.parse_args()
    pages = PersonalPages() if options.personal else Pages(options.body, options.tags)
    uvloop.run(serve(options.port, pages, options.delay_ms / 1000))


if __name__ == "__main__":
    main()
