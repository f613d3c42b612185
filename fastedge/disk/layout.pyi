from typing import Final

from fastedge._core.stored import Stored

RECORD_HEAD_BYTES: Final = 64

def record_start(stored: Stored, stamp: int, boot: int, body: tuple[int, int] | None = None) -> tuple[bytes, int]: ...
def record_block(
    stored: Stored, block_bytes: int, sequence: int, boot: int, body: tuple[int, int] | None
) -> bytes | None: ...
def vary_hash(vary: bytes | None, /) -> int: ...
