from typing import final

from fastedge._core.htmlselectors import Selectors

_Place = tuple[int, int] | None

@final
class Scan:
    lost_at: int
    too_many: bool
    esi_torn: bool
    comments: list[tuple[bytes, int, int, _Place]]
    placeholders: list[tuple[bytes, int, int, str, int]]
    variables: list[tuple[bytes, int, int, str, int]]
    esi: list[tuple[bytes, bool, int, int, _Place, bool]]
    def __init__(self, page: bytes, selectors: Selectors, esi: bool = False) -> None: ...
    @property
    def elements(
        self,
    ) -> list[tuple[int, int, int, int, int, int, str | None, bool, bool, bool, bytes, bytes, bytes]]: ...
