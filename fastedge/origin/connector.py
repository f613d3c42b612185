"""Opens connections to origins: the asyncio side of `fetch`. Each way in which that fails has its name (RFC 9209)."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from fastedge._core.wire import ResponseReader
from fastedge.config.schema import Origin
from fastedge.config.values import OriginServer
from fastedge.origin.fetch import OriginConnection, OriginSide
from fastedge.origin.pool import Pool, Server
from fastedge.server.timers import Timers


def make_pool(name: str, origin: Origin, authorities: bytes | None) -> Pool:
    """The pool of one origin; `authorities` are the PEM certificates of `tls_ca_file`."""
    context = _tls_context(origin, authorities) if any(s.scheme == "https" for s in origin.servers) else None
    servers = [Server(str(row), (row, context, origin.tls_server_name), _authority(row)) for row in origin.servers]
    host = {"preserve": None, "origin": b""}.get(origin.host, origin.host.encode("ascii"))
    return Pool(
        name,
        servers,
        connections_max=origin.connections_max,
        queue_max=origin.queue_max,
        breaker_failures=origin.breaker_failures,
        breaker_open_ms=origin.breaker_open_ms,
        may_retry=origin.retry,
        host=host,
        options=origin,
    )


def _authority(row: OriginServer) -> bytes:
    if row.path:
        return b"localhost"
    default = {"http": 80, "https": 443}[row.scheme]
    host = f"[{row.host}]" if ":" in row.host else row.host
    return (host if row.port == default else f"{host}:{row.port}").encode("ascii")


def _tls_context(origin: Origin, authorities: bytes | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=None if authorities is None else authorities.decode("ascii"))
    if not origin.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


class Connector:
    """Opens what the pools ask for, each attempt a task of its own, and tells `side` how it went."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timers: Timers) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self.side = OriginSide(ResponseReader(), timers, self.connect)

    def connect(self, pool: Pool, server: Server) -> None:
        task = self._loop.create_task(self._connect(pool, server))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, pool: Pool, server: Server) -> None:
        try:
            async with asyncio.timeout(pool.options.connect_timeout_ms / 1000):
                connection = await self._open(pool, server)
        except (OSError, UnicodeError) as error:
            self.side.connect_failed(pool, server, *_meaning(error))
            return
        if connection.closed:
            self.side.connect_failed(pool, server, 502, "connection_terminated")
        else:
            self.side.connected(connection)

    async def _open(self, pool: Pool, server: Server) -> OriginConnection:
        row, context, server_name = server.address
        connection = OriginConnection(self.side, pool, server)

        def factory() -> Any:
            return connection

        if row.path:
            await self._loop.create_unix_connection(factory, row.path)
        elif row.scheme == "https":
            await self._loop.create_connection(
                factory, row.host, row.port, ssl=context, server_hostname=server_name or row.host
            )
        else:
            await self._loop.create_connection(factory, row.host, row.port)
        return connection

    def retire(self, pools: Mapping[str, Pool]) -> None:
        """Pools that a reload has replaced: idle connections go now, busy ones behind their responses."""
        for pool in pools.values():
            pool.retired = True
            for connection in pool.idle_connections():
                connection.shut()

    async def close(self, pools: Mapping[str, Pool]) -> None:
        self.retire(pools)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


_MEANINGS: tuple[tuple[type[BaseException], int, str], ...] = (
    (TimeoutError, 504, "connection_timeout"),
    (ssl.SSLCertVerificationError, 502, "tls_certificate_error"),
    (ssl.SSLError, 502, "tls_protocol_error"),
    (ConnectionRefusedError, 502, "connection_refused"),
    (FileNotFoundError, 502, "connection_refused"),  # a unix socket that nobody listens on
    (ConnectionError, 502, "connection_terminated"),
    (socket.gaierror, 502, "dns_error"),
    (UnicodeError, 502, "dns_error"),  # a name that cannot be asked for
)


def _meaning(error: BaseException) -> tuple[int, str]:
    """Status and proxy error type (RFC 9209 §2.3) of a connection that could not be opened."""
    for kind, status, name in _MEANINGS:
        if isinstance(error, kind):
            return status, name
    # A host of several addresses: the loop tells their errors as one text.
    if f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return 502, "connection_refused"
    return 502, "destination_ip_unroutable"
