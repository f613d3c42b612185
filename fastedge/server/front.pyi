from collections.abc import Callable
from typing import Any, final

from fastedge._core.proxies import TrustedProxies
from fastedge.config.schema import Server
from fastedge.engine import Engine
from fastedge.origin.fetch import OriginSide
from fastedge.origin.pool import Pool
from fastedge.server.connection import ClientConnection
from fastedge.server.timers import Timers

@final
class Front:
    engine: Engine
    pools: dict[str, Pool]
    trust: TrustedProxies
    connections: set[ClientConnection]
    draining: bool
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
    ) -> None: ...
    def configure(self, server: Server, /) -> None: ...
    def drain(self) -> None: ...
