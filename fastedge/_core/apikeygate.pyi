from collections.abc import Callable, Iterable, Mapping
from typing import final

from fastedge._core.credential import CredentialSource
from fastedge._core.gate import Admission, Gate

REASONS: tuple[str, ...]

@final
class ApiKeyGate(Gate):
    def __init__(
        self,
        sources: list[CredentialSource],
        hashing: Callable[[bytes], bytes],
        grants: Mapping[bytes, tuple[Admission, float]],
        *,
        stage: str,
        realm: str,
        forward_key: bool,
        claim_fields: Iterable[str],
    ) -> None: ...
