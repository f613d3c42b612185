from typing import final

from fastedge._core.fields import Fields

@final
class BodyReader:
    done: bool
    remaining: int
    position: int
    trailers: Fields | None
    def begin(self, framing: str, length: int = 0) -> None: ...
    def read(self, data: bytes, /) -> bytes | None: ...
