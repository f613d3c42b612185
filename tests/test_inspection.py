"""What is stored for a URL, gathered from all workers: bounded, and whoever does not answer is named."""

import msgspec

from fastedge.inspection import Inspection, StoredObject, bounded
from fastedge.limits import cache_inspected_bytes_max, control_message_bytes_max


def stored(**changes: object) -> StoredObject:
    row = StoredObject(
        key="k",
        status=200,
        age_s=1.0,
        ttl_s=59.0,
        state="fresh",
        vary={},
        tags=(),
        bytes=1000,
        tier="memory",
        etag='"1"',
    )
    return msgspec.structs.replace(row, **changes)


def test_few_objects_are_told_in_full() -> None:
    assert bounded([]) == ((), True)
    assert bounded([stored(), stored(status=404)]) == ((stored(), stored(status=404)), True)


def test_as_many_objects_are_told_as_a_message_holds() -> None:
    size = len(msgspec.json.encode(stored()))
    objects, is_complete = bounded(stored() for _ in range(control_message_bytes_max // size))
    assert not is_complete
    assert len(objects) == cache_inspected_bytes_max // size


def test_inspection_is_done_when_all_have_answered() -> None:
    inspection = Inspection([0, 2])
    inspection.answered(2, (stored(),), True)
    assert not inspection.done.is_set()
    inspection.answered(0, (), False)
    assert inspection.done.is_set()
    assert inspection.workers() == [
        {"worker": 0, "objects": [], "complete": False},
        {"worker": 2, "objects": [msgspec.to_builtins(stored())], "complete": True},
    ]


def test_worker_that_ends_is_not_waited_for() -> None:
    inspection = Inspection([0, 1])
    inspection.answered(0, (), True)
    inspection.lost(0)
    assert not inspection.done.is_set()
    inspection.lost(1)
    assert inspection.done.is_set()
    assert inspection.workers()[1] == {"worker": 1, "error": "no answer"}


def test_nobody_to_ask_is_done_at_once() -> None:
    inspection = Inspection([])
    assert inspection.done.is_set()
    assert inspection.workers() == []
