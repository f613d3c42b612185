from collections.abc import Collection, Iterable, Mapping
from typing import final

from fastedge._core.pipeline import NativeStage

FACTS: Mapping[str, int]

_Line = tuple[str, tuple[str, ...]]

@final
class RouteByPlace(NativeStage):
    def __init__(
        self,
        by_country: Mapping[str, _Line | None],
        by_region: Mapping[str, _Line],
        by_asn: Mapping[int, _Line],
    ) -> None: ...

@final
class GateByPlace(NativeStage):
    def __init__(
        self,
        refused: Mapping[str, bool],
        regions: Collection[str],
        asns: Collection[int],
        refuses_listed: bool,
        status: int,
        body: bytes,
    ) -> None: ...

@final
class TellFacts(NativeStage):
    reserved_fields: tuple[str, ...]
    def __init__(self, fields: Iterable[tuple[str, str, bool]]) -> None: ...
