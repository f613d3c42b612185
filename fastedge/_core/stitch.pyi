from collections.abc import Collection, Iterable
from typing import final

@final
class Fragment:
    data: bytes
    def __init__(self, data: bytes, /) -> None: ...

@final
class GzipWriter: ...

def stitched(pieces: Iterable[bytes], known: Collection[int] = ()) -> bytes: ...
