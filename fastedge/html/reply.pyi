from typing import Final, final

REASONS: Final[dict[str, str]]

@final
class Asked:
    target: bytes
    wait_ms: int
    bytes_max: int
    content: bytes | None
    stored: object
    problem: str | None

@final
class PageReply:
    asked: list[Asked] | None
    failures: list[Exception] | None
    is_made: bool
    lines: bytes | None
