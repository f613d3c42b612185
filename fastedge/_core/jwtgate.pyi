from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

from fastedge._core.pipeline import NativeStage
from fastedge._core.tokens import VerifiedTokens

@final
class Admission:
    def __init__(
        self, claims: Mapping[str, Any], fields: Iterable[tuple[str, str | None, bool]], private: bool, /
    ) -> None: ...
    @property
    def claims(self) -> Mapping[str, Any]: ...

@final
class JwtGate(NativeStage):
    def __init__(
        self,
        tokens: VerifiedTokens,
        judge: Callable[[bytes, float], Admission | str],
        *,
        stage: str,
        realm: str,
        allow_preflight: bool,
        forward_token: bool,
        claim_fields: Iterable[str],
    ) -> None: ...
    @property
    def tokens(self) -> VerifiedTokens: ...
