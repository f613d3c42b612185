from collections.abc import Mapping, Sequence
from typing import final

from fastedge._core.message import Request

class Condition:
    def holds(self, request: Request, /) -> bool: ...
    def __and__(self, other: Condition, /) -> Condition: ...
    def __or__(self, other: Condition, /) -> Condition: ...
    def __invert__(self) -> Condition: ...

@final
class Pattern:
    text: bytes
    def __init__(self, text: bytes, /) -> None: ...
    def matches(self, subject: bytes, /) -> bool: ...

_Patterns = str | Sequence[str]

def Match(
    *,
    path: _Patterns | None = None,
    host: _Patterns | None = None,
    method: _Patterns | None = None,
    field: Mapping[str, _Patterns] | None = None,
    cookie: Mapping[str, _Patterns] | None = None,
    query: Mapping[str, _Patterns] | None = None,
) -> Condition: ...
