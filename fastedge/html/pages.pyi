from typing import final

from fastedge._core.template import Template

@final
class Page:
    template: Template | None
    problem: str | None
    asks: bool
    sources: tuple[object, ...]
    names: tuple[str, ...]
    fallbacks: tuple[bytes | None, ...]
    vary: bytes | None

@final
class Pages:
    bytes_max: int
    bytes_used: int
    def __init__(self, bytes_max: int) -> None: ...
    def __len__(self) -> int: ...
