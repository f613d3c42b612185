from collections.abc import Callable, Iterable, Sequence
from typing import Any, final

def read_text(value: object, head: str = "") -> str: ...
def decode(data: bytes, start: int, end: int) -> Any: ...

@final
class Extractor:
    def __init__(
        self,
        data: bytes,
        start: int,
        end: int,
        facts: Iterable[tuple[Sequence[str], Callable[[object, str], Any], bool, Any]],
    ) -> None: ...
    def extract(self, offset: int) -> tuple[Any, ...]: ...
