from collections.abc import Callable, Collection, Mapping
from typing import Any, final

from fastedge._core.credential import CredentialSource
from fastedge._core.gate import Admission, Gate
from fastedge._core.keyslot import KeySlot
from fastedge._core.revocations import Revocations
from fastedge._core.tokens import VerifiedTokens

@final
class JwtGate(Gate):
    def __init__(
        self,
        tokens: VerifiedTokens,
        sources: list[CredentialSource],
        keys: KeySlot,
        make_judge: Callable[[Any], Callable[[bytes, float], Admission | str]],
        *,
        stage: str,
        realm: str,
        reasons: Mapping[str, int],
        allow_preflight: bool,
        forward_token: bool,
        claim_fields: Collection[str],
        optional: bool = False,
        revocations: Revocations | None = None,
        tracer: Callable[[Any], Callable[[bytes, float], list[tuple[str, str]]]] | None = None,
    ) -> None: ...
    @property
    def tokens(self) -> VerifiedTokens: ...
