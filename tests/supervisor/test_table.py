"""The table of workers, without a process: what is spawned and killed, and when."""

import pytest

from fastedge import limits
from fastedge.supervisor.table import Kill, Reason, Spawn, State, WorkerTable


def table_of(slots: int, *, ready: bool = True) -> WorkerTable:
    """A table whose workers were all spawned at 0 with pids from 100, and became ready at once."""
    table = WorkerTable(slots)
    for slot in range(slots):
        table.spawned(slot, 100 + slot, 1, 0)
        if ready:
            table.ready(slot, 0)
    return table


def test_every_slot_is_spawned_at_the_start() -> None:
    assert list(WorkerTable(3).actions(0, [0, 0, 0])) == [Spawn(0), Spawn(1), Spawn(2)]


def test_nothing_is_done_while_all_hearts_beat() -> None:
    table = table_of(2)
    assert table.is_complete
    assert list(table.actions(60_000, [60_000, 60_000 - limits.worker_stuck_ms])) == []


def test_a_worker_without_heartbeat_is_killed_once() -> None:
    table = table_of(2)
    late = limits.worker_stuck_ms + 1
    assert list(table.actions(late, [late, 0])) == [Kill(1, 101, Reason.STUCK)]
    assert list(table.actions(late + 1, [late, 0])) == []


def test_a_heartbeat_of_an_earlier_worker_does_not_kill_its_successor() -> None:
    table = WorkerTable(1)
    table.spawned(0, 100, 1, 50_000)
    table.ready(0, 50_100)
    assert list(table.actions(50_200, [0])) == []


def test_a_worker_that_does_not_become_ready_is_killed() -> None:
    table = table_of(1, ready=False)
    assert list(table.actions(limits.worker_start_timeout_ms, [0])) == []
    assert list(table.actions(limits.worker_start_timeout_ms + 1, [0])) == [Kill(0, 100, Reason.START)]


def test_a_worker_that_does_not_drain_is_killed_after_the_time_out_and_a_grace() -> None:
    table = table_of(1)
    table.draining(0, 1_000, 3_000)
    due = 4_000 + limits.worker_kill_grace_ms
    assert list(table.actions(due, [0])) == []
    assert list(table.actions(due + 1, [0])) == [Kill(0, 100, Reason.DRAIN)]


def test_a_settled_worker_is_replaced_at_once() -> None:
    table = table_of(1)
    assert table.ended(0, limits.worker_settle_ms, is_success=False) == 0
    assert list(table.actions(limits.worker_settle_ms, [0])) == [Spawn(0)]
    table.spawned(0, 101, 1, limits.worker_settle_ms)
    assert table.rows[0].restarts == 1


def test_pauses_double_up_to_a_bound_while_workers_fail_at_once() -> None:
    table = WorkerTable(1)
    pauses = []
    for _ in range(12):
        table.spawned(0, 100, 1, 0)
        pauses.append(table.ended(0, 0, is_success=False))
    assert pauses[:5] == [0, 100, 200, 400, 800]
    assert pauses[-1] == limits.worker_backoff_ms_max
    assert list(table.actions(limits.worker_backoff_ms_max - 1, [0])) == []
    assert list(table.actions(limits.worker_backoff_ms_max, [0])) == [Spawn(0)]


def test_the_pause_is_forgotten_after_a_worker_that_settled() -> None:
    table = WorkerTable(1)
    for _ in range(5):
        table.spawned(0, 100, 1, 0)
        table.ended(0, 0, is_success=False)
    table.spawned(0, 100, 1, 0)
    table.ready(0, 0)
    assert table.ended(0, limits.worker_settle_ms, is_success=False) == 0


@pytest.mark.parametrize("state", [State.READY, State.DRAINING])
def test_a_worker_that_ended_in_peace_is_no_failure(state: State) -> None:
    table = table_of(1)
    if state is State.DRAINING:
        table.draining(0, 10, 1_000)
    assert table.ended(0, 20, is_success=state is State.READY) == 0
    assert table.rows[0].failures == 0


def test_nobody_is_spawned_while_stopping() -> None:
    table = table_of(2)
    table.stopping = True
    table.ended(0, 0, is_success=True)
    assert list(table.actions(99_000, [0, 99_000])) == []
    assert not table.is_empty
    table.ended(1, 0, is_success=True)
    assert table.is_empty


def test_a_supervisor_that_slept_kills_nobody_for_it() -> None:
    table = table_of(1)
    table.slept(600_000)
    assert list(table.actions(600_000, [0])) == []
    assert list(table.actions(600_001 + limits.worker_stuck_ms, [0])) == [Kill(0, 100, Reason.STUCK)]


def test_a_starting_worker_gets_the_time_that_the_supervisor_slept() -> None:
    table = table_of(1, ready=False)
    table.slept(600_000)
    assert list(table.actions(600_000, [0])) == []
    assert [type(one) for one in table.actions(600_001 + limits.worker_start_timeout_ms, [0])] == [Kill]


def test_ready_of_a_worker_that_was_told_to_drain_does_not_bring_it_back() -> None:
    table = table_of(1, ready=False)
    table.draining(0, 0, 1_000)
    table.ready(0, 10)
    assert table.of_state(State.DRAINING) == [0]
