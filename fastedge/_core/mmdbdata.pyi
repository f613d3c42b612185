from collections.abc import Callable, Iterable, Sequence
from typing import Any, final

def decode(data: bytes, start: int, end: int) -> Any: ...

@final
class Extractor:
    def __init__(
        self,
        data: bytes,
        start: int,
        end: int,
        facts: Iterable[tuple[Sequence[str], Callable[[object, str], Any], Any]],
    ) -> None: ...
    def extract(self, offset: int) -> tuple[Any, ...]: ...
