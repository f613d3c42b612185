from collections.abc import Callable, Mapping
from typing import final

from fastedge._core.bucket import Buckets
from fastedge._core.pipeline import NativeStage

STICKY: Mapping[str, int]

@final
class ExperimentStage(NativeStage):
    def __init__(
        self,
        name: str,
        buckets: Buckets,
        sticky: str,
        of: str,
        *,
        cookie: str,
        max_age_s: int,
        header: str | None,
        random_bytes: Callable[[int], bytes],
    ) -> None: ...
