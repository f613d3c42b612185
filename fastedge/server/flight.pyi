from collections.abc import Callable
from typing import final

from fastedge._core.stored import Stored
from fastedge.disk.follow import End
from fastedge.origin.fetch import FetchListener
from fastedge.server.observer import Observer
from fastedge.server.tiers import Tiers

class FlightListener(FetchListener): ...

@final
class Flight(FetchListener):
    def followed_head(self, stored: Stored, /) -> None: ...
    def followed_data(self, data: bytes, /) -> None: ...
    def followed_end(self, end: End, /) -> None: ...

@final
class Reader: ...

@final
class Flights:
    tiers: Tiers
    unkeyed: str
    def __init__(
        self, tiers: Tiers, *, report: Callable[[Exception], None], observer: Observer | None = None
    ) -> None: ...
    def abandon(self) -> None: ...
    def __len__(self) -> int: ...
