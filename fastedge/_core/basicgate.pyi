from collections.abc import Callable, Iterable
from typing import final

from fastedge._core.gate import Admission, Gate, Refusal
from fastedge._core.tokens import VerifiedTokens

REASONS: tuple[str, ...]

@final
class BasicGate(Gate):
    def __init__(
        self,
        split: Callable[[bytes], tuple[str, bytes] | None],
        knows: Callable[[str, bytes], bool],
        admission_of: Callable[[str], Admission],
        *,
        stage: str,
        realm: str,
        remember_s: float,
        forward_password: bool,
        claim_fields: Iterable[str],
        random_bytes: Callable[[int], bytes],
    ) -> None: ...
    @property
    def right(self) -> VerifiedTokens: ...
    @property
    def wrong(self) -> VerifiedTokens: ...
    @property
    def waiting(self) -> int: ...

@final
class Check:
    def run(self) -> bool: ...
    def settled(self, now: float, answer: object) -> Admission | Refusal: ...
