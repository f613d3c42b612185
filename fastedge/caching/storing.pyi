from typing import final

from fastedge._core.fields import Fields
from fastedge._core.message import Plan, Request

REASONS: tuple[str, ...]

@final
class Assessment:
    @property
    def reason(self) -> str | None: ...
    @property
    def lifetime_s(self) -> float: ...
    @property
    def initial_age_s(self) -> float: ...
    @property
    def stale_while_revalidate_s(self) -> float: ...
    @property
    def stale_if_error_s(self) -> float: ...
    @property
    def flags(self) -> int: ...
    @property
    def vary(self) -> bytes | None: ...
    @property
    def names(self) -> bytes | None: ...
    @property
    def not_stored(self) -> list[str]: ...

def assessment(
    request: Request,
    plan: Plan,
    status: int,
    fields: Fields,
    nominated: list[str],
    asked_s: float,
    received_s: float,
) -> Assessment: ...
