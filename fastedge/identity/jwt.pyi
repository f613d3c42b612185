from typing import Any, final

from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.rules import Rules

@final
class Verified:
    @property
    def claims(self) -> dict[str, Any]: ...
    @property
    def not_before(self) -> float: ...
    @property
    def expires(self) -> float: ...

@final
class Verifier:
    def __init__(self, keys: KeySet, rules: Rules, /) -> None: ...
    def verify(self, token: bytes, now: float, /) -> Verified | TokenRefusal: ...
    def trace(self, token: bytes, now: float, /) -> list[tuple[str, str]]: ...
