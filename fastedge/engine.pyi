from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

from fastedge._core.message import Context, GeoLookup, Request, Response
from fastedge._core.originstate import OriginState
from fastedge._core.pipeline import BoundPipeline, Hook, HookFailure, Wait
from fastedge._core.purges import Purges
from fastedge._core.store import MemoryStore
from fastedge._core.stored import Stored

@final
class Site:
    name: str
    pipeline: BoundPipeline
    origin: str | None
    def __init__(self, name: str, pipeline: BoundPipeline, origin: str | None) -> None: ...

@final
class Engine:
    origins: frozenset[str]
    generation: int
    def __init__(
        self,
        sites: Mapping[str, Site],
        origins: Iterable[str],
        *,
        geo: GeoLookup | None = None,
        cdn_id: str = "fastedge",
        generation: int = 0,
        pages_bytes_max: int = ...,
    ) -> None: ...
    def sites(self) -> list[Site]: ...
    def begin(
        self,
        request: Request,
        now: float,
        client: bytes,
        store: MemoryStore | None = None,
        purges: Purges | None = None,
        origin_states: Mapping[str, OriginState] | None = None,
    ) -> Exchange | None: ...

@final
class Exchange:
    site: Site
    request: Request
    ctx: Context
    response: Response
    wait: Wait
    error: str | None
    failure: HookFailure | None
    key: bytes | None
    stored: Stored | None
    refreshes: bool
    age_s: int
    def observe(self, observer: Callable[[Hook, Any], None], /) -> None: ...
    def step_start(self) -> str: ...
    def step_resume(self, answer: Any, /) -> str: ...
    def step_lead(self) -> str: ...
    def step_fetched(self, response: Response, /) -> str: ...
    def step_failed(self, status: int, error: str) -> str: ...
