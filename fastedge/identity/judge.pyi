from typing import final

from fastedge._core.gate import Admission
from fastedge._core.tokens import VerifiedTokens
from fastedge.identity.jwt import Verifier

@final
class Judge:
    def __init__(
        self,
        verifier: Verifier,
        forward: tuple[tuple[str, str, bool], ...],
        tokens: VerifiedTokens,
        refused: VerifiedTokens,
        /,
    ) -> None: ...
    def judge(self, token: bytes, now: float, /) -> Admission | str: ...
