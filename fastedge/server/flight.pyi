from collections.abc import Callable
from typing import final

from fastedge._core.store import MemoryStore
from fastedge.origin.fetch import FetchListener
from fastedge.server.observer import Observer

class FlightListener(FetchListener): ...

@final
class Flight(FetchListener): ...

@final
class Reader: ...

@final
class Flights:
    def __init__(
        self,
        store: MemoryStore,
        *,
        report: Callable[[Exception], None],
        observer: Observer | None = None,
        body_max: int,
    ) -> None: ...
    def abandon(self) -> None: ...
    def __len__(self) -> int: ...
