from typing import final

from fastedge._core.message import Response

@final
class HeadWriter:
    def answer(self, response: Response, date: bytes, /) -> bytes: ...
