"""Which workers there are, and what is to be done about them: spawn one, kill one. Decides only: it starts no process,
reads no clock, sends nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from fastedge import limits


class State(Enum):
    ABSENT = "absent"  # to be spawned, now or after a pause
    STARTING = "starting"  # spawned, does not accept yet
    READY = "ready"
    DRAINING = "draining"  # accepts no more


class Reason(Enum):
    """Why a worker is killed."""

    STUCK = "its loop stands still"
    START = "it did not start in time"
    DRAIN = "it did not end in time"


@dataclass(frozen=True, slots=True)
class Spawn:
    slot: int


@dataclass(frozen=True, slots=True)
class Kill:
    slot: int
    pid: int
    reason: Reason


@dataclass(slots=True)
class Row:
    """One slot. `since_ms` is when it came into its state, `due_ms` when something must have happened."""

    state: State = State.ABSENT
    pid: int = 0
    generation: int = 0
    since_ms: int = 0
    due_ms: int = 0
    failures: int = 0  # workers in a row that ended before they had settled
    restarts: int = 0
    is_killed: bool = False


class WorkerTable:
    """One row a slot. Call what happened; `actions` says what to do. Time is monotonic milliseconds."""

    def __init__(self, slots: int) -> None:
        self.rows = [Row() for _ in range(slots)]
        self.stopping = False

    # --- what to do ---------------------------------------------------------------------------------------------

    def actions(self, now_ms: int, heartbeats_ms: Sequence[int]) -> Iterator[Spawn | Kill]:
        """What is due. `heartbeats_ms` are the workers' last signs of life, by slot. Each kill is asked for once."""
        for slot, row in enumerate(self.rows):
            if row.state is State.ABSENT:
                if not self.stopping and now_ms >= row.due_ms:
                    yield Spawn(slot)
            elif not row.is_killed and (reason := _overdue(row, now_ms, heartbeats_ms[slot])):
                row.is_killed = True
                yield Kill(slot, row.pid, reason)

    # --- what happened ------------------------------------------------------------------------------------------

    def spawned(self, slot: int, pid: int, generation: int, now_ms: int) -> None:
        row = self.rows[slot]
        row.restarts += 1 if row.generation else 0
        row.pid, row.generation, row.is_killed = pid, generation, False
        self._enter(row, State.STARTING, now_ms, limits.worker_start_timeout_ms)

    def ready(self, slot: int, now_ms: int) -> None:
        if self.rows[slot].state is State.STARTING:
            self._enter(self.rows[slot], State.READY, now_ms, 0)

    def committed(self, slot: int, generation: int) -> None:
        self.rows[slot].generation = generation

    def draining(self, slot: int, now_ms: int, timeout_ms: int) -> None:
        self._enter(self.rows[slot], State.DRAINING, now_ms, timeout_ms + limits.worker_kill_grace_ms)

    def ended(self, slot: int, now_ms: int, *, is_success: bool) -> int:
        """The slot's worker is gone; gives the pause before the next one."""
        row = self.rows[slot]
        has_settled = row.state is State.READY and now_ms - row.since_ms >= limits.worker_settle_ms
        has_served = has_settled or is_success or row.state is State.DRAINING
        row.failures = 0 if has_served else row.failures + 1
        pause_ms = _backoff_ms(row.failures)
        row.pid = 0
        self._enter(row, State.ABSENT, now_ms, pause_ms)
        return pause_ms

    def slept(self, now_ms: int) -> None:
        """The supervisor itself stood still (Ctrl-Z, a debugger): the clock proves nothing against the workers."""
        for row in self.rows:
            row.due_ms += max(0, now_ms - row.since_ms) if row.state is State.STARTING else 0
            row.since_ms = now_ms

    # --- what there is ------------------------------------------------------------------------------------------

    def of_state(self, *states: State) -> list[int]:
        return [slot for slot, row in enumerate(self.rows) if row.state in states]

    @property
    def is_empty(self) -> bool:
        return all(row.state is State.ABSENT for row in self.rows)

    @property
    def is_complete(self) -> bool:
        return all(row.state is State.READY for row in self.rows)

    @staticmethod
    def _enter(row: Row, state: State, now_ms: int, due_in_ms: int) -> None:
        row.state, row.since_ms, row.due_ms = state, now_ms, now_ms + due_in_ms


def _overdue(row: Row, now_ms: int, heartbeat_ms: int) -> Reason | None:
    if row.state is State.READY:
        return Reason.STUCK if now_ms - max(heartbeat_ms, row.since_ms) > limits.worker_stuck_ms else None
    if now_ms <= row.due_ms:
        return None
    return Reason.START if row.state is State.STARTING else Reason.DRAIN


def _backoff_ms(failures: int) -> int:
    """None after the first failure; then doubled each time, up to a bound."""
    if failures < 2:
        return 0
    return int(min(limits.worker_backoff_ms_min << min(failures - 2, 16), limits.worker_backoff_ms_max))
