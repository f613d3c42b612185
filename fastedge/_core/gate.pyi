from collections.abc import Iterable, Mapping
from typing import Any, final

from fastedge._core.message import Context, Request
from fastedge._core.pipeline import NativeStage
from fastedge._core.revocations import Revocable

@final
class Admission:
    def __init__(
        self,
        claims: Mapping[str, Any] | None,
        fields: Iterable[tuple[str, str, bool]],
        private: bool = False,
        revocable: Revocable | None = None,
    ) -> None: ...
    @property
    def claims(self) -> Mapping[str, Any] | None: ...
    @property
    def private(self) -> bool: ...
    @property
    def revocable(self) -> Revocable | None: ...

@final
class Refusal:
    def __init__(
        self,
        stage: str,
        reason: str,
        status: int,
        challenges: Iterable[str] = (),
        fields: Iterable[tuple[str, str]] = (),
    ) -> None: ...
    @property
    def stage(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def challenges(self) -> tuple[str, ...]: ...

class Gate(NativeStage):
    @property
    def stage(self) -> str: ...
    @property
    def missing(self) -> Refusal: ...
    @property
    def stranger(self) -> Admission | None: ...
    @property
    def reserved_fields(self) -> tuple[str, ...]: ...
    def trace(self, request: Request, ctx: Context) -> list[tuple[str, str]]: ...
    @property
    def hidden_parameters(self) -> tuple[str, ...]: ...
    @property
    def hidden_fields(self) -> tuple[str, ...]: ...
