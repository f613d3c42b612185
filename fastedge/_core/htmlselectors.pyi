from typing import final

_Test = tuple[str, bytes, bytes]

@final
class Selectors:
    count: int
    def __init__(self, parsed: list[list[tuple[str, list[_Test]]]], /) -> None: ...
