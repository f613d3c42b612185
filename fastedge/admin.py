"""The admin listener: health, metrics, status and reload over HTTP, answered by a stage on an engine of its own.

It runs in the supervisor. What changes state, or shows what is stored, needs the token; without one it is not there.
"""

import asyncio
import hmac
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol

from fastedge._core.message import Context, Request, Response
from fastedge._core.pipeline import Pipeline, Verdict, Wait
from fastedge._core.proxies import TrustedProxies
from fastedge._core.wire import ResponseReader
from fastedge.config.schema import Server
from fastedge.engine import Engine, Site
from fastedge.limits import admin_body_bytes_max, admin_connections_max, listen_backlog
from fastedge.origin.fetch import OriginSide
from fastedge.server.connection import ClientConnection
from fastedge.server.front import Front
from fastedge.server.prometheus import CONTENT_TYPE
from fastedge.server.timers import Timers

Answer = Verdict | Response | Wait
Asked = Coroutine[Any, Any, tuple[int, Mapping[str, Any]]]


class Controls(Protocol):
    """What the admin listener can ask for."""

    @property
    def is_alive(self) -> bool: ...
    @property
    def is_ready(self) -> bool: ...
    @property
    def token(self) -> bytes | None: ...
    def metrics(self) -> bytes: ...
    def status(self) -> Mapping[str, Any]: ...
    async def reload(self) -> tuple[int, Mapping[str, Any]]:
        """The status of the answer, and what it says in JSON; so those below."""
        ...

    async def purge(self, body: bytes) -> tuple[int, Mapping[str, Any]]: ...
    async def revoke(self, body: bytes) -> tuple[int, Mapping[str, Any]]: ...
    async def revocations(self) -> tuple[int, Mapping[str, Any]]: ...
    async def inspect(self, url: str) -> tuple[int, Mapping[str, Any]]: ...


class AdminStage:
    """Answers everything itself: there is no origin behind it."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._routes: Mapping[str, Mapping[str, Callable[[Request], Answer]]] = {
            "/healthz": {"GET": lambda request: _health("alive", controls.is_alive)},
            "/readyz": {"GET": lambda request: _health("ready", controls.is_ready)},
            "/metrics": {"GET": lambda request: Response(200, [("Content-Type", CONTENT_TYPE)], controls.metrics())},
            "/v1/status": {"GET": lambda request: Response.json(controls.status())},
            "/v1/reload": {"POST": self._guarded(lambda request: controls.reload())},
            "/v1/purge": {"POST": self._guarded(lambda request: controls.purge(request.content or b""))},
            "/v1/revocations": {
                "POST": self._guarded(lambda request: controls.revoke(request.content or b"")),
                "GET": self._guarded(lambda request: controls.revocations()),
            },
            "/v1/cache": {"GET": self._guarded(lambda request: controls.inspect(request.query_value("url") or ""))},
        }

    def on_request(self, request: Request, ctx: Context) -> Answer:
        methods = self._routes.get(request.path)
        if methods is None:
            return _not_found(request)
        answer = methods.get("GET" if request.method == "HEAD" else request.method)
        if answer is None:
            allowed = ", ".join("GET, HEAD" if method == "GET" else method for method in methods)
            return Response(405, [("Allow", allowed)], "405 Method Not Allowed\n")
        return answer(request)

    def on_response(self, request: Request, response: Response, ctx: Context) -> None:
        response.headers.set("Cache-Control", "no-store")

    def _guarded(self, ask: Callable[[Request], Asked]) -> Callable[[Request], Answer]:
        """What is only for whoever has the token."""

        def answer(request: Request) -> Answer:
            token = self._controls.token
            if token is None:
                return _not_found(request)
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            # RFC 6750 §2.1, RFC 9110 §11.1: the scheme's case does not matter; the token is compared in constant time.
            if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), token):
                return Response(401, [("WWW-Authenticate", 'Bearer realm="fastedge"')], "401 Unauthorized\n")
            return Wait(lambda: ask(request), _json)

        return answer


class AdminListener:
    """Serves `controls` on listening sockets that someone else has opened. `tick` must be called now and then."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, controls: Controls, report: Callable[[Exception], None]
    ) -> None:
        self._loop = loop
        self._timers = Timers()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._servers: list[asyncio.AbstractServer] = []
        self._front = Front(
            OriginSide(ResponseReader(), self._timers, _no_origin),
            self._timers,
            server=Server(connections_max=admin_connections_max),
            collected_body_bytes_max=admin_body_bytes_max,
            perform=self._perform,
            report=report,
        )
        pipeline = Pipeline(AdminStage(controls)).bind(None)
        self._front.engine = Engine({"*": Site("admin", pipeline, None)}, ())
        self._front.pools = {}
        self._front.trust = TrustedProxies()

    async def start(self, sockets: list[socket.socket]) -> None:
        for listening in sockets:
            serve = self._loop.create_unix_server if listening.family == socket.AF_UNIX else self._loop.create_server
            self._servers.append(await serve(self._connection, sock=listening, backlog=listen_backlog))

    def tick(self, now_us: int) -> None:
        self._timers.tick(now_us)

    def close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self._front.connections):
            connection.abort()

    def _connection(self) -> Any:
        return ClientConnection(self._front)

    def _perform(self, step: Callable[[], Coroutine[Any, Any, Any]], callback: Callable[[Any], None]) -> None:
        task = self._loop.create_task(self._performed(step(), callback))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _performed(self, step: Awaitable[Any], callback: Callable[[Any], None]) -> None:
        callback(await step)


def _health(word: str, holds: bool) -> Response:
    return Response.text(f"{word}\n") if holds else Response.text(f"not {word}\n", 503)


def _json(answer: tuple[int, Mapping[str, Any]]) -> Response:
    status, value = answer
    response = Response.json(value)
    response.status = status
    return response


def _not_found(request: Request) -> Response:
    return Response.text("404 Not Found\n", 404)


def _no_origin(pool: Any, server: Any) -> None:
    raise AssertionError("nothing here asks an origin")
