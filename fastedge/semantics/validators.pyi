from fastedge._core.message import Request

def compares_strongly(one: bytes | None, other: bytes | None) -> bool: ...
def compares_weakly(one: bytes | None, other: bytes | None) -> bool: ...
def outcome(
    request: Request,
    *,
    status: int = 200,
    etag: bytes | None = None,
    last_modified: bytes | None = None,
    date: bytes | None = None,
    now: float = 0.0,
) -> str: ...
def applies_range(
    request: Request,
    *,
    etag: bytes | None = None,
    last_modified: bytes | None = None,
    date: bytes | None = None,
    now: float = 0.0,
) -> bool: ...
