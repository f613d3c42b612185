from collections.abc import Callable
from typing import Any, final

@final
class Value:
    input: int
    context: str
    wrapping: tuple[bytes, bytes]
    attempt: int
    def __init__(
        self, input: int, context: str, wrapping: tuple[bytes, bytes] = (b"", b""), attempt: int = -1
    ) -> None: ...

@final
class Part:
    start: int
    end: int
    order: int
    kind: str
    value: Value | None
    before: tuple[Value, ...]
    behind: tuple[Value, ...]
    parent: Part | None
    test: Callable[[tuple[Any, ...]], bool] | None
    number: int
    content: tuple[int, int] | None
    name: str
    def __init__(
        self,
        start: int,
        end: int,
        order: int,
        kind: str = "own",
        value: Value | None = None,
        parent: Part | None = None,
        test: Callable[[tuple[Any, ...]], bool] | None = None,
        number: int = -1,
        content: tuple[int, int] | None = None,
        name: str = "",
    ) -> None: ...

@final
class Opened: ...

@final
class StepWriter:
    crossing: list[Part]
    def __init__(self, size: int, /) -> None: ...
    def write(self, parts: list[Part], /) -> list[list[Any]]: ...
