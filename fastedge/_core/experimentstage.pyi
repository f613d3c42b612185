from collections.abc import Callable, Mapping, Sequence
from typing import final

from fastedge._core.bucket import LayerRange
from fastedge._core.credential import CredentialSource
from fastedge._core.experimentslot import ExperimentSlot
from fastedge._core.exposures import Exposures
from fastedge._core.pipeline import NativeStage
from fastedge._core.target import Target

STICKY: Mapping[str, int]

class Why(str): ...

@final
class ExperimentStage(NativeStage):
    hidden_parameters: tuple[str, ...]
    def __init__(
        self,
        slot: ExperimentSlot,
        sticky: Sequence[tuple[str, str]],
        *,
        cookie: str,
        max_age_s: int,
        header: str | None,
        keyed: bool,
        random_bytes: Callable[[int], bytes],
        target: Target,
        layer: LayerRange | None = None,
        override_sources: list[CredentialSource] | None = None,
        judge: Callable[[bytes, float], str | None] | None = None,
        exposures: Exposures | None = None,
    ) -> None: ...
