"""From nested parts of a page to the steps of a template. Knows nothing of HTML: parts have a beginning, an end and a value."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Step = tuple[Any, ...]


@dataclass(slots=True)
class Value:
    """Which input is written, how, and what stands around it."""

    input: int
    context: str
    wrapping: tuple[bytes, bytes] = (b"", b"")
    attempt: int = -1


@dataclass(slots=True, eq=False)
class Part:
    """A stretch of the page. `kind`:

    "own": its content is the page's, unless `value` takes its place; "drop": it is left out, `value` instead; "blocks": only parts
    inside of it count; "when" (with `test`), "attempt" and "except": blocks of such a part.
    """

    start: int
    end: int
    order: int
    kind: str = "own"
    value: Value | None = None
    before: list[Value] = field(default_factory=list)
    behind: list[Value] = field(default_factory=list)
    parent: "Part | None" = None
    test: Callable[[tuple[Any, ...]], bool] | None = None
    number: int = -1
    content: tuple[int, int] | None = None  # of a "drop": what is kept of it where there is no value
    name: str = ""


@dataclass(slots=True)
class _Open:
    part: Part
    live: bool  # whether its own text is written
    step: int = -1
    leaves: list[int] = field(default_factory=list)  # steps that jump behind its end


class StepWriter:
    """Writes steps while it goes through the page once."""

    def __init__(self, size: int) -> None:
        self.steps: list[Step] = []
        self.crossing: list[Part] = []
        self._size = size
        self._cursor = 0
        self._open = [_Open(Part(0, size, -1), True)]

    def write(self, parts: list[Part]) -> list[Step]:
        """The steps of all; parts that cross others are left out and listed in `crossing`."""
        for part in sorted(parts, key=lambda part: (part.start, -part.end, part.order)):
            while len(self._open) > 1 and self._is_behind(part, self._open[-1].part):
                self._close()
            if part.end > self._open[-1].part.end:
                self.crossing.append(part)
            elif self._admits(part):
                self._begin(part)
        while len(self._open) > 1:
            self._close()
        self._text(self._size)
        return self.steps

    @staticmethod
    def _is_behind(part: Part, other: Part) -> bool:
        return other.end < part.start or (other.end == part.start and part.parent is not other)

    def _admits(self, part: Part) -> bool:
        around = self._open[-1]
        return around.live or (around.part.kind == "blocks" and part.kind in ("when", "attempt", "except"))

    def _text(self, until: int) -> None:
        if until > self._cursor:
            if self._open[-1].live:
                self.steps.append(("static", self._cursor, until))
            self._cursor = until

    def _value(self, value: Value) -> int:
        at = len(self.steps)
        self.steps.append(("value", value.input, at + 1, value.attempt, value.context, value.wrapping))
        return at

    def _jump_here(self, at: int) -> None:
        """A step that was written before leads to the next one."""
        step = self.steps[at]
        where = {"value": 2, "jump": 1, "test": 2, "attempt": 2}[step[0]]
        self.steps[at] = (*step[:where], len(self.steps), *step[where + 1 :])

    def _begin(self, part: Part) -> None:
        self._text(part.start)
        for value in part.before:
            self._value(value)
        opened = _Open(part, part.kind not in ("drop", "blocks"))
        self._open.append(opened)
        if part.value is not None:
            opened.step = self._value(part.value)
            if part.kind == "drop":
                self._default(part)
        elif part.test is not None:
            opened.step = len(self.steps)
            self.steps.append(("test", part.test, opened.step + 1))
        elif part.kind == "attempt":
            opened.step = len(self.steps)
            self.steps.append(("attempt", part.number, opened.step + 1))

    def _default(self, part: Part) -> None:
        if part.content is not None and part.content[0] < part.content[1]:
            self.steps.append(("static", *part.content))

    def _close(self) -> None:
        part, around = self._open[-1].part, self._open[-2]
        self._text(part.end)
        opened = self._open.pop()
        if part.kind in ("when", "attempt"):
            around.leaves.append(len(self.steps))
            self.steps.append(("jump", len(self.steps) + 1))
        for at in (*([opened.step] if opened.step >= 0 else []), *opened.leaves):
            self._jump_here(at)
        for value in part.behind:
            self._value(value)
