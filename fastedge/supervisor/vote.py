"""One reload as the workers see it: all must be able before any does. Decides only; the supervisor tells them."""

from collections.abc import Iterable

from fastedge.config.problems import Problem


class Vote:
    """Collects the answers of workers to `prepare`. Decided with the first worker lost, or when all spoke."""

    def __init__(self, generation: int, slots: Iterable[int]) -> None:
        self.generation = generation
        self.slots = tuple(slots)
        self.hooks: dict[int, tuple[str, ...]] = {}
        self._missing = set(self.slots)
        self._problems: dict[Problem, None] = {}

    def answered(self, slot: int, generation: int, problems: Iterable[Problem], hooks: tuple[str, ...]) -> None:
        """A worker has prepared, or says why it cannot. Answers to an earlier reload do not count."""
        if generation == self.generation and slot in self._missing:
            self._missing.discard(slot)
            self._problems.update(dict.fromkeys(problems))
            self.hooks[slot] = hooks

    def lost(self, slot: int) -> None:
        """A worker has ended before it could answer: the new policy may be the reason, so it does not get in."""
        if slot in self._missing:
            self._missing.clear()
            self._add(f"worker {slot} ended while it prepared")

    def timed_out(self) -> None:
        if self._missing:
            names = ", ".join(map(str, sorted(self._missing)))
            self._missing.clear()
            self._add(f"worker {names} did not prepare in time")

    @property
    def is_decided(self) -> bool:
        return not self._missing

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every reason against it, each once: all workers read the same sources and find the same."""
        return tuple(self._problems)

    def _add(self, text: str) -> None:
        self._problems[Problem("", "", text)] = None
