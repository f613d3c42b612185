from collections.abc import Callable, Iterable, Mapping
from typing import final

from fastedge._core.gate import Gate

PARAMETERS: tuple[str, ...]
REASONS: tuple[str, ...]

def signed_text(key_id: bytes, expires: bytes, target: bytes, host: bytes, address: bytes, method: bytes) -> bytes: ...
def signed_target(target: bytes, query: Iterable[str] | None) -> bytes: ...

@final
class SignedUrlGate(Gate):
    def __init__(
        self,
        checks: Mapping[bytes, Callable[[bytes, bytes], bool]],
        *,
        stage: str,
        query: Iterable[str] | None,
        host: bool,
        address: bool,
        method: bool,
        leeway_s: float,
        expires_s_max: float,
    ) -> None: ...
