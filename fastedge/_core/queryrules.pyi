from collections.abc import Sequence
from typing import final

@final
class QueryRules:
    def __init__(self, patterns: Sequence[bytes] | None, keeps: bool, sorts: bool) -> None: ...
    def apply(self, target: bytes, /) -> bytes: ...
