from collections.abc import Collection, Mapping
from typing import Any, final

from fastedge._core.message import Context, Request

@final
class Target:
    def __init__(
        self,
        *,
        path: Any = None,
        countries: Collection[str] | None = None,
        claims: Mapping[str, Collection[str | int | bool]] = {},
        devices: Collection[str] = ...,
    ) -> None: ...
    def is_for(self, request: Request, ctx: Context, /) -> bool: ...
