from collections.abc import Callable
from typing import Any, final

from fastedge._core.message import Context
from fastedge._core.pipeline import NativeStage
from fastedge._core.slotvalues import ValueSource

@final
class PersonalStage(NativeStage):
    rules: Any
    sources: dict[str, ValueSource]
    fallbacks: dict[str, str | bytes]
    esi_source: Callable[[Any], ValueSource] | None
    cache_control: bytes
    vary: bytes | None
    gzip: bool
    wait_ms: int
    fragment_bytes_max: int
    def __init__(
        self,
        rules: Any,
        sources: dict[str, ValueSource],
        *,
        fallbacks: dict[str, str | bytes],
        esi_source: Callable[[Any], ValueSource] | None,
        cache_control: bytes,
        vary: bytes | None,
        gzip: bool,
        wait_ms: int,
        fragment_bytes_max: int,
    ) -> None: ...
    def joined_to(self, other: PersonalStage) -> PersonalStage: ...
    def source(self, input: Any) -> ValueSource: ...
    def varies_by(self, inputs: tuple[Any, ...]) -> bytes | None: ...

def personal_of(ctx: Context) -> PersonalStage | None: ...
