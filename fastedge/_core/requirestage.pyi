from collections.abc import Iterable, Mapping
from typing import final

from fastedge._core.gate import Refusal
from fastedge._core.pipeline import NativeStage

RELATIONS: Mapping[str, int]

@final
class ClaimRule:
    def __init__(
        self,
        relation: str,
        paths: Iterable[tuple[str, ...]],
        values: Iterable[object],
        refusal: Refusal,
        *,
        splits: bool = False,
    ) -> None: ...

@final
class RequireStage(NativeStage):
    def __init__(self, rules: Iterable[ClaimRule], nobody: Refusal) -> None: ...
