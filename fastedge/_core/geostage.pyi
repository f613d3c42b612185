from collections.abc import Mapping
from typing import final

from fastedge._core.pipeline import NativeStage

@final
class RouteByCountry(NativeStage):
    def __init__(self, origins: Mapping[str, str | None]) -> None: ...

@final
class GateByCountry(NativeStage):
    def __init__(self, refused: Mapping[str, bool], status: int, body: bytes) -> None: ...
