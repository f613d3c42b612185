from collections.abc import Callable
from typing import Any, Protocol, final

from fastedge._core.condition import Condition
from fastedge._core.message import Context, Request, Response
from fastedge.errors import StageError

HOOKS: dict[str, int]

@final
class Verdict: ...

CONTINUE: Verdict

class HookFailure(StageError):
    stage: str
    hook: str
    position: int
    def __init__(self, stage: str, hook: str, problem: str, position: int) -> None: ...

@final
class Wait:
    step: Any
    then: Callable[[Any], Verdict | Response]
    def __init__(self, step: Any, then: Callable[[Any], Verdict | Response]) -> None: ...

class NativeStage:
    def decide(self, request: Request, ctx: Context) -> Verdict | Response | Wait: ...
    def decorate(self, request: Request, response: Response, ctx: Context) -> None: ...

class Bindable(Protocol):
    def bind(self, snapshot: Any) -> Any: ...

@final
class When:
    condition: Condition
    stages: tuple[object, ...]
    def __init__(self, condition: str | Condition, *stages: object) -> None: ...

@final
class Pipeline:
    stages: tuple[object, ...]
    def __init__(self, *stages: object) -> None: ...
    def bind(self, snapshot: Any, /) -> BoundPipeline: ...

@final
class Hook:
    stage: str
    name: str
    fail_open: bool
    native: NativeStage | None

@final
class BoundPipeline:
    hook_names: list[str]
    def set_marker(self, address: int, first: int = 0) -> None: ...
    def hooks(self) -> list[Hook]: ...
