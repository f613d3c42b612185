from collections.abc import Iterable
from typing import Any, final

from fastedge._core.stitch import Fragment

_Value = bytes | str | Fragment | None

@final
class Template:
    page: bytes
    inputs: tuple[Any, ...]
    problems: tuple[tuple[str, str, int], ...]
    cost_bytes: int
    def __init__(
        self,
        page: bytes,
        steps: list[tuple[Any, ...]] | list[list[Any]],
        inputs: Iterable[Any] = (),
        problems: Iterable[tuple[str, str, int]] = (),
        ascii: bool = False,
    ) -> None: ...
    def render(
        self, values: tuple[_Value, ...], refused: list[int] | None = None
    ) -> tuple[bytes | memoryview, ...]: ...
    def render_bytes(self, values: tuple[_Value, ...], refused: list[int] | None = None) -> bytes: ...
    def render_gzip(self, values: tuple[_Value, ...], refused: list[int] | None = None) -> bytes: ...
    def compress(self) -> None: ...
    @property
    def is_compressed(self) -> bool: ...
