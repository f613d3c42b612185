from collections.abc import Callable
from typing import Any, final

from fastedge._core.proxies import TrustedProxies
from fastedge._core.purges import Purges
from fastedge._core.store import MemoryStore
from fastedge.config.schema import Server
from fastedge.engine import Engine
from fastedge.origin.fetch import OriginSide
from fastedge.origin.pool import Pool
from fastedge.server.connection import ClientConnection
from fastedge.server.flight import Flights
from fastedge.server.timers import Timers

@final
class Front:
    engine: Engine
    pools: dict[str, Pool]
    trust: TrustedProxies
    connections: set[ClientConnection]
    draining: bool
    collected_bytes: int
    store: MemoryStore | None
    purges: Purges
    flights: Flights | None
    collected_body_bytes_max: int
    def __init__(
        self,
        origin_side: OriginSide,
        timers: Timers,
        /,
        *,
        server: Server,
        perform: Callable[[Any, Callable[[Any], None]], None],
        report: Callable[[Exception], None],
        observer: Any = None,
        store: MemoryStore | None = None,
        purges: Purges | None = None,
        flights: Flights | None = None,
        collected_body_bytes_max: int = 0,
    ) -> None: ...
    def configure(self, server: Server, /) -> None: ...
    def take_geo_from(self, name: str | None, /) -> None: ...
    def drain(self) -> None: ...
