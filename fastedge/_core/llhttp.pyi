from typing import final

@final
class HeadParser:
    count: int
    def __init__(self, is_request: bool, /) -> None: ...
    def fields(self, head: bytes, /) -> list[tuple[bytes, bytes]] | None: ...
