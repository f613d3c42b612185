from collections.abc import Callable
from typing import final

from fastedge._core.metrics import Metrics

@final
class Observer:
    metrics: Metrics
    def __init__(
        self,
        metrics: Metrics,
        /,
        *,
        worker: int = 0,
        write: Callable[[bytes], None] | None = None,
        expose: Callable[[bytes], None] | None = None,
    ) -> None: ...
    def flush(self) -> None: ...
