"""An origin that says in every body whose it is, clients that ask it anything through the edge, and what they may get."""

import asyncio
import json
import random
import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

TAG = re.compile(rb"<(/[^ ]*) v(\d+) x(\w*) a(\w*)>")
SIZES = (0, 1, 1000, 32 * 1024, 32 * 1024 + 1, 200_000, 1024 * 1024, 1024 * 1024 + 1, 2_500_000)
PATIENCE_S = 15.0
SLACK_S = 1.5  # ages are whole seconds on the wire, and a busy machine is late


class Wrong(AssertionError):
    """The edge sent what it must not."""


def size_of(url: str, version: int) -> int:
    return SIZES[(sum(url.encode()) + version) % len(SIZES)]


def body_of(url: str, version: int, variant: str, owner: str) -> bytes:
    tag = f"<{url} v{version} x{variant} a{owner}>".encode()
    size = size_of(url, version)
    return (tag * (size // len(tag) + 1))[:size]


@dataclass
class Page:
    """Fixed is what its URL says of it; `versions` are the moments when each began, `floor` is what a purge left behind."""

    url: str
    versions: list[float] = field(default_factory=lambda: [0.0])
    floor: int = 0

    @property
    def number(self) -> int:
        return int(self.url.rpartition("/")[2])

    @property
    def varies(self) -> bool:
        return self.number % 3 == 1

    @property
    def lifetime_s(self) -> int:
        return 1 + self.number % 2

    @property
    def stale_s(self) -> int:
        return 1 if self.number % 4 == 2 else 0

    @property
    def version(self) -> int:
        return len(self.versions) - 1


class Model:
    """The origin's side, and the judge. `faults` is the share of answers that go wrong."""

    def __init__(self, pages: int, seed: int, faults: float = 0.03) -> None:
        self.pages = {f"/p/{number}": Page(f"/p/{number}") for number in range(pages)}
        self.random = random.Random(seed)
        self.faults = faults
        self.seen: Counter[str] = Counter()

    # --- the origin -----------------------------------------------------------------------------------------------

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._converse, "127.0.0.1", 0, backlog=512)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(await read_head(reader), writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: tuple[str, dict[str, str]], writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        start, asked = head
        method, url, _ = start.split(" ")
        page, dice = self.pages[url], self.random.random()
        self.seen["origin"] += 1
        await asyncio.sleep(self.random.choice((0, 0, 0.005, 0.05)))
        if dice < self.faults / 3:
            cut(writer)
            return False
        if dice < self.faults * 2 / 3:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
            return True
        version, variant = page.version, asked.get("x-variant", "") if page.varies else ""
        owner = asked.get("authorization", "").removeprefix("Basic ")
        lines = [
            f'etag: "{version}.{variant}.{owner}"',
            f"cache-tag: all, t{page.number}",
            f"cache-control: max-age={page.lifetime_s}, stale-while-revalidate={page.stale_s}",
        ]
        if page.varies:
            lines.append("vary: x-variant" if version % 2 else "vary: x-variant, x-other")
        if asked.get("if-none-match", "") == lines[0].removeprefix("etag: "):
            writer.write("\r\n".join(["HTTP/1.1 304 Not Modified", *lines, "", ""]).encode())
            return True
        body = b"" if method == "HEAD" else body_of(url, version, variant, owner)
        return await self._send(lines, body, size_of(url, version), method, writer, dice < self.faults)

    async def _send(
        self, lines: list[str], body: bytes, length: int, method: str, writer: asyncio.StreamWriter, dies: bool
    ) -> bool:
        framing = "length" if method == "HEAD" else self.random.choice(("length", "chunked", "close"))
        field_line = {
            "length": f"content-length: {length}",
            "chunked": "transfer-encoding: chunked",
            "close": "connection: close",
        }
        writer.write("\r\n".join(["HTTP/1.1 200 OK", *lines, field_line[framing], "", ""]).encode())
        step = self.random.choice((1 << 22, 60_000, 400_000))
        end = self.random.randrange(len(body)) if dies and body else len(body)
        for at in range(0, end, step):
            piece = body[at : min(at + step, end)]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            await writer.drain()
            await asyncio.sleep(0.002)
        if end < len(body):
            cut(writer)
            return False
        if framing == "chunked":
            writer.write(b"0\r\nx-trailer: 1\r\n\r\n")
        return framing != "close"

    # --- the judge ------------------------------------------------------------------------------------------------

    def judge(self, asked: "Asked", status: int, fields: dict[str, str], body: bytes) -> None:
        self.seen[f"{status}"] += 1
        self.seen[re.sub(r"[;=]?(ttl|fwd-status)=?-?\d*", "", fields.get("cache-status", "-"))] += 1
        if status in (502, 503) and self.faults:
            return
        if status == 504 and "only-if-cached" in asked.fields.get("cache-control", ""):
            return
        if status not in (200, 206, 304, 416):
            raise Wrong(f"{asked}: {status} {fields}")
        version, variant, owner = fields["etag"].strip('"').split(".")
        self._judge_version(asked, int(version))
        if owner not in ("", asked.fields.get("authorization", "").removeprefix("Basic ")):
            raise Wrong(f"{asked}: it is {owner}'s")
        if asked.page.varies and variant != asked.fields.get("x-variant", ""):
            raise Wrong(f"{asked}: variant {variant}")
        whole = body_of(asked.page.url, int(version), variant, owner)
        if asked.method == "HEAD":
            if int(fields.get("content-length", len(whole))) != len(whole) and status == 200:
                raise Wrong(f"{asked}: length {fields} for {len(whole)}")
        elif status == 200 and body != whole:
            at = next((at for at, (one, other) in enumerate(zip(body, whole, strict=False)) if one != other), None)
            raise Wrong(
                f"{asked}: {len(body)} bytes instead of {len(whole)}, other from {at} on: {body[at:][:40]!r} {fields}"
            )
        elif status == 206:
            self._judge_part(asked, fields, body, whole)
        elif status == 304 and fields["etag"] != asked.fields.get("if-none-match"):
            raise Wrong(f"{asked}: 304 {fields}")
        elif status == 416 and "range" not in asked.fields:
            raise Wrong(f"{asked}: 416")

    def _judge_version(self, asked: "Asked", version: int) -> None:
        page = asked.page
        if version < asked.floor:
            raise Wrong(f"{asked}: version {version} after a purge that left {asked.floor}")
        if version < page.version:
            ended = page.versions[version + 1]
            late = asked.at - ended - page.lifetime_s - page.stale_s
            if late > SLACK_S:
                raise Wrong(f"{asked}: version {version} is {late:.1f} s too old")

    def _judge_part(self, asked: "Asked", fields: dict[str, str], body: bytes, whole: bytes) -> None:
        if fields.get("content-type", ""):
            pieces = re.findall(rb"bytes (\d+)-(\d+)/(\d+)\r\n\r\n", body)
            if not pieces or any(int(total) != len(whole) for _, _, total in pieces):
                raise Wrong(f"{asked}: parts {pieces}")
            for first, last, _ in pieces:
                if whole[int(first) : int(last) + 1] not in body:
                    raise Wrong(f"{asked}: another's part")
            return
        first, last, total = map(int, re.findall(r"\d+", fields["content-range"]))
        if total != len(whole) or body != whole[first : last + 1]:
            raise Wrong(f"{asked}: part {fields['content-range']} of {len(whole)}, {len(body)} bytes")


@dataclass
class Asked:
    method: str
    page: Page
    fields: dict[str, str]
    at: float
    floor: int

    def wire(self) -> bytes:
        lines = [
            f"{self.method} {self.page.url} HTTP/1.1",
            "host: a.example",
            *(f"{n}: {v}" for n, v in self.fields.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode()


class Client:
    """Asks at random, on a connection that it keeps as long as it may."""

    def __init__(self, model: Model, port: int, seed: int) -> None:
        self.model, self.port, self.random = model, port, random.Random(seed)
        self.name = f"u{seed % 1000}"
        self.writer: asyncio.StreamWriter | None = None

    async def run(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._turn()
            except TimeoutError:
                raise Wrong(f"nothing came for {PATIENCE_S} s: {self.asked}") from None
            except (ConnectionError, asyncio.IncompleteReadError):
                self.model.seen["cut"] += 1
                self._leave()
        self._leave()

    def _leave(self) -> None:
        if self.writer is not None:
            (cut if self.random.random() < 0.5 else asyncio.StreamWriter.close)(self.writer)
            self.writer = None

    async def _turn(self) -> None:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 17)
        self.asked = [self._ask() for _ in range(self.random.choice((1, 1, 1, 1, 2, 8)))]
        self.writer.write(b"".join(one.wire() for one in self.asked))
        for one in self.asked:
            start, fields = await read_head(self.reader)
            if self.random.random() < 0.02:
                return self._leave()
            if self.random.random() < 0.05:
                await asyncio.sleep(self.random.random())
            body = await read_body(self.reader, one.method, int(start.split(" ")[1]), fields)
            self.model.judge(one, int(start.split(" ")[1]), fields, body)
            if fields.get("connection") == "close":
                self.writer.close()
                self.writer = None
                return None
        return None

    def _ask(self) -> Asked:
        page = self.random.choice(list(self.model.pages.values()))
        fields = {}
        if self.random.random() < 0.7:
            fields["x-variant"] = self.random.choice("abc")
        fields |= self.random.choice(self._wishes(page))
        if self.random.random() < 0.05:
            fields["authorization"] = f"Basic {self.name}"
        method = "HEAD" if self.random.random() < 0.1 else "GET"
        return Asked(method, page, fields, asyncio.get_running_loop().time(), page.floor)

    def _wishes(self, page: Page) -> list[dict[str, str]]:
        size, etag = size_of(page.url, page.version), f'"{page.version}.{self.random.choice("abc")}."'
        first = self.random.randrange(size + 1)
        span = f"bytes={first}-{self.random.randrange(first, size + 10)}"
        return [
            *({},) * 6,
            {"range": span},
            {"range": f"bytes=-{first + 1}"},
            {"range": f"{span}, 0-9"},
            {"range": span, "if-range": etag},
            {"if-none-match": etag},
            {"range": span, "if-none-match": etag},
            {
                "cache-control": self.random.choice(
                    ("no-cache", "no-store", "max-age=0", "only-if-cached", "no-store, no-cache")
                )
            },
        ]


class Purger:
    """Changes pages; some of them it purges, and then nobody may get what was before."""

    def __init__(self, model: Model, admin_port: int, token: str, seed: int) -> None:
        self.model, self.port, self.token, self.random = model, admin_port, token, random.Random(seed)

    async def run(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(self.random.random() * 0.1)
            page = self.random.choice(list(self.model.pages.values()))
            page.versions.append(loop.time())
            if self.random.random() < 0.6:
                await self._purge(page)

    async def _purge(self, page: Page) -> None:
        url = f"http://a.example{page.url}"
        reached = {one.url: one.version for one in self.model.pages.values()}
        what: dict[str, Any] = self.random.choice(
            (
                {"tags": [f"t{page.number}"]},
                {"urls": [url]},
                {"prefixes": [url]},
                {"tags": ["all"]},
                {"everything": True},
            )
        )
        text = json.dumps({**what, "mode": self.random.choice(("hard", "hard", "soft"))}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(
            f"POST /v1/purge HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.token}\r\ncontent-length: {len(text)}\r\n\r\n".encode()
            + text
        )
        start, _ = await read_head(reader)
        assert " 200 " in start, start
        writer.close()
        self.model.seen["purges"] += 1
        if b"hard" in text:
            for one in self.model.pages.values():
                if one is page or "everything" in what or what.get("tags") == ["all"]:
                    one.floor = max(one.floor, reached[one.url])


async def read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """Start line and fields; informational responses are passed over."""
    start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    return start, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def read_body(reader: asyncio.StreamReader, method: str, status: int, fields: dict[str, str]) -> bytes:
    if method == "HEAD" or status in (204, 304):
        return b""
    if fields.get("transfer-encoding") == "chunked":
        pieces = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            pieces.append((await reader.readexactly(size + 2))[:-2])
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return b"".join(pieces)
    return await reader.readexactly(int(fields["content-length"]))


def cut(writer: asyncio.StreamWriter) -> None:
    """Ends a connection so that the other side cannot take it for the end of a body."""
    if (sock := writer.get_extra_info("socket")) is not None and sock.fileno() >= 0:
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def storm(
    model: Model, port: int, admin_port: int, token: str, *, clients: int, seconds: float, seed: int
) -> Counter[str]:
    """All at once; what was wrong is raised."""
    everyone = [Client(model, port, seed * 1000 + number).run(seconds) for number in range(clients)]
    async with asyncio.TaskGroup() as group:
        for one in [*everyone, Purger(model, admin_port, token, seed).run(seconds)]:
            group.create_task(one)
    return model.seen
