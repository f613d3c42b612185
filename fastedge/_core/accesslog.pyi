from typing import final

from fastedge._core.message import Context, Request

FIELDS: tuple[tuple[str, str, str, str], ...]

@final
class LogBuffer:
    def __new__(cls, worker: int = 0) -> LogBuffer: ...
    @property
    def size(self) -> int: ...
    @property
    def lines(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    def write(
        self,
        request: Request,
        ctx: Context,
        *,
        site: str | None = None,
        error: str | None = None,
        detail: str | None = None,
        status: int = 200,
        bytes_in: int = 0,
        bytes_out: int = 0,
        duration_us: int = 0,
        origin_asked: bool = False,
        origin_status: int = 0,
        origin_us: int = -1,
    ) -> None: ...
    def write_refusal(
        self,
        now: float,
        client: bytes,
        reason: str,
        *,
        secure: bool = False,
        status: int = 400,
        bytes_in: int = 0,
        bytes_out: int = 0,
        duration_us: int = 0,
    ) -> None: ...
    def take_batch(self) -> bytes: ...
