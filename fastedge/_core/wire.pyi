from typing import final

from fastedge._core.fields import Fields
from fastedge._core.message import Request

@final
class RequestReader:
    framing: int
    content_length: int
    keep_alive: bool
    expects_continue: bool
    accepts_trailers: bool
    upgrade: bytes | None
    def parse(self, head: bytes, *, secure: bool = False) -> Request: ...

@final
class ResponseReader:
    status: int
    framing: int
    content_length: int
    keep_alive: bool
    def parse(self, head: bytes, *, to_head: bool = False) -> tuple[int, Fields]: ...
