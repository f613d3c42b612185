from collections.abc import Mapping
from typing import final

from fastedge._core.condition import Condition
from fastedge._core.pipeline import NativeStage
from fastedge._core.queryrules import QueryRules

SOURCES: Mapping[str, int]

@final
class KeyPart:
    def __init__(self, source: str, of: str) -> None: ...

@final
class CacheStage(NativeStage):
    def __init__(
        self,
        *,
        ttl: float | None,
        default_ttl: float | None,
        stale_while_revalidate: float | None,
        stale_if_error: float | None,
        status_ttls: tuple[tuple[int, int, float], ...] | None,
        ignores_request: int,
        ignores_cookies: int,
        query: QueryRules | None,
        bypass: Condition | None,
        key_parts: tuple[KeyPart, ...],
        tags: tuple[bytes, ...] | None,
        tags_by_path: tuple[tuple[Condition, tuple[bytes, ...]], ...],
        strips_cookies: bool,
    ) -> None: ...
