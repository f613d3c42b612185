"""The shared index: slots that live and die, locks of the dead, the hand of the clock."""

import mmap
import threading

import pytest

from fastedge._core.diskindex import (
    FETCHING,
    FILLING,
    FREE,
    GROWING,
    LEAVING,
    PLACING,
    READY,
    UNSHAREABLE,
    DiskIndex,
    Left,
    Taken,
    initialise,
    mapping_bytes,
)

DEAD, ALIVE, ME = 1, 2, 3
SLOTS = 15  # of one bucket


def is_alive(owner: int) -> bool:
    return owner != DEAD


class Host:
    """One mapping, and the processes that look into it."""

    def __init__(self, slots: int = SLOTS, bytes_max: int = 1 << 20) -> None:
        self.buffer = mmap.mmap(-1, mapping_bytes(slots))
        initialise(self.buffer, bytes_max)
        self.me, self.other, self.dead = (DiskIndex(self.buffer, owner, is_alive) for owner in (ME, ALIVE, DEAD))


@pytest.fixture
def host() -> Host:
    return Host()


def put(index: DiskIndex, high: int, low: int, vary: int = 0, size: int = 4096) -> Taken:
    taken = index.begin(high, low)
    assert taken is not None
    assert index.place(taken.position, taken.stamp, vary, size)
    index.ready(taken.position, taken.stamp)
    return taken


def state(index: DiskIndex, taken: Taken) -> int:
    return index.watch(taken.position, taken.stamp)[0]


def test_life_of_a_fetch_that_is_followed(host: Host) -> None:
    taken = host.me.claim(1, 2)
    assert taken is not None
    where = taken.position, taken.stamp
    assert host.other.watch(*where) == (FETCHING, 0, ME)
    host.me.announce(*where)
    host.me.grow(*where, 700)
    assert host.other.watch(*where) == (GROWING, 700, ME)
    assert not host.other.variants(1, 2)
    assert host.me.place(*where, 9, 8192)
    assert host.other.watch(*where) == (PLACING, 8192, ME)
    host.me.ready(*where)
    assert host.other.watch(*where)[0] == READY
    assert host.other.variants(1, 2) == [(9, taken.stamp)]
    assert (host.other.bytes_used, host.other.entries, host.other.stored) == (8192, 1, 1)


def test_second_to_claim_is_told_of_the_first(host: Host) -> None:
    first, second = host.me.claim(1, 2), host.other.claim(1, 2)
    assert first is not None and second is not None
    assert (first.is_new, second.is_new) == (True, False)
    assert second[:2] == first[:2]
    assert host.other.claim(1, 3).is_new
    host.me.release(*first[:2])
    assert host.other.claim(1, 2).is_new


def test_response_for_nobody_is_not_joined(host: Host) -> None:
    taken = host.me.begin(1, 2)
    assert state(host.me, taken) == FILLING
    assert host.other.claim(1, 2).is_new
    host.me.announce(*taken[:2])
    assert state(host.me, taken) == FILLING


def test_released_fetch_says_whether_it_could_be_shared(host: Host) -> None:
    for unshareable, said in ((False, FREE), (True, UNSHAREABLE)):
        taken = host.me.claim(1, 2)
        host.me.release(*taken[:2], unshareable)
        assert state(host.other, taken) == said
    again = host.me.claim(1, 2)
    assert again.is_new
    assert state(host.other, taken) in (FREE, UNSHAREABLE)


def test_only_the_owner_of_this_life_changes_a_slot(host: Host) -> None:
    taken = host.me.claim(1, 2)
    stale = Taken(taken.position, taken.stamp + 1, True)
    for index, one in ((host.other, taken), (host.me, stale)):
        index.announce(*one[:2])
        index.grow(*one[:2], 5)
        assert not index.place(*one[:2], 0, 5)
        index.ready(*one[:2])
        index.release(*one[:2])
    assert host.me.watch(*taken[:2]) == (FETCHING, 0, ME)


def test_nothing_is_done_to_a_slot_that_was_released(host: Host) -> None:
    taken = host.me.begin(1, 2)
    host.me.release(*taken[:2])
    host.me.grow(*taken[:2], 5)
    assert not host.me.place(*taken[:2], 0, 4096)
    host.me.ready(*taken[:2])
    assert (host.me.bytes_used, host.me.entries, host.me.variants(1, 2)) == (0, 0, [])


def test_newer_response_takes_the_place_of_the_older(host: Host) -> None:
    put(host.me, 1, 2, 7, 4096)
    put(host.other, 1, 2, 7, 8192)
    put(host.other, 1, 2, 8, 4096)
    assert sorted(vary for vary, _ in host.me.variants(1, 2)) == [7, 8]
    assert (host.me.bytes_used, host.me.entries) == (12288, 2)


def test_bytes_max_is_never_exceeded() -> None:
    host = Host(bytes_max=10_000)
    put(host.me, 1, 1, 0, 6_000)
    taken = host.other.begin(1, 2)
    assert not host.other.place(*taken[:2], 0, 4_001)
    assert host.other.bytes_used == 6_000
    assert host.other.place(*taken[:2], 0, 4_000)
    host.other.release(*taken[:2])
    assert host.other.bytes_used == 6_000


def test_two_of_one_name_do_not_take_it_at_once(host: Host) -> None:
    first, second, other = host.me.begin(1, 2), host.other.begin(1, 2), host.other.begin(1, 2)
    assert host.me.place(*first[:2], 7, 4096) is True
    assert host.other.place(*second[:2], 7, 8192) is None
    assert host.other.place(*other[:2], 8, 4096) is True
    host.me.ready(*first[:2])
    assert host.other.place(*second[:2], 7, 8192) is True
    host.other.ready(*second[:2])
    assert host.me.bytes_used == 8192 + 4096


def test_hand_passes_by_once_what_was_used() -> None:
    host = Host(slots=2 * SLOTS, bytes_max=20 * 4096)
    for low in range(20):
        put(host.me, 1, low)
    for low in range(20):
        if low % 4 < 2:
            host.me.touch(1, low, 0)
    first = host.me.victims(5, 5 * 4096)
    assert host.me.bytes_used == 20 * 4096, "they are there until they are deleted"
    assert host.me.entries == 15
    second = host.other.victims(100, 10 * 4096)
    assert len(first) == len(second) - 5 == 5
    let_go(host.me, first)
    let_go(host.other, second)
    assert {left.low for left in first + second[:5]} == {low for low in range(20) if low % 4 >= 2}
    let_go(host.me, host.me.victims(100, 20 * 4096))
    assert (host.me.entries, host.me.bytes_used, host.me.evicted) == (0, 0, 20)


def let_go(index: DiskIndex, slots: list[Left]) -> None:
    for left in slots:
        index.release(left.position, left.stamp)


def test_hand_takes_nothing_where_there_is_room(host: Host) -> None:
    put(host.me, 1, 1)
    assert host.me.victims(10, 4096) == []


def test_full_bucket_gives_up_what_was_not_used(host: Host) -> None:
    for low in range(SLOTS - 1):
        put(host.me, 1, low)
        if low != 4:
            host.me.touch(1, low, 0)
    assert host.me.displaced == []
    assert host.me.claim(2, 2).is_new
    assert [(left.high, left.low) for left in host.me.displaced] == [(1, 4)]
    assert host.me.claim(2, 3) is None, "until its file is deleted"
    assert len(host.me.displaced) == 1
    let_go(host.me, host.me.displaced)
    assert host.me.claim(2, 3).is_new
    assert host.me.entries == SLOTS - 3


def test_bucket_full_of_fetches_has_no_room(host: Host) -> None:
    for low in range(SLOTS):
        host.me.claim(1, low)
    assert host.me.claim(1, 99) is None
    assert host.me.begin(1, 99) is None
    assert not host.me.insert(1, 99, 0, 4096)


def test_what_the_scan_finds_does_not_overwrite_what_is_newer(host: Host) -> None:
    put(host.me, 1, 2, 7, 8192)
    assert host.me.insert(1, 2, 7, 4096)
    assert host.me.insert(1, 3, 0, 4096)
    assert (host.me.entries, host.me.bytes_used) == (2, 12288)


def test_retired_response_is_counted_until_it_is_deleted(host: Host) -> None:
    taken = put(host.me, 1, 2, 7)
    assert host.other.retire(1, 2, 7, taken.stamp + 1) is None
    left = host.other.retire(1, 2, 7, taken.stamp)
    assert host.me.retire(1, 2, 7) is None
    assert not host.me.variants(1, 2)
    assert (host.me.entries, host.me.bytes_used) == (0, 4096)
    let_go(host.other, [left])
    assert host.me.bytes_used == 0


def test_name_belongs_to_one_process_at_a_time(host: Host) -> None:
    put(host.me, 1, 2, 7)
    newer = host.other.begin(1, 2)
    assert host.other.place(*newer[:2], 7, 4096)
    assert host.me.retire(1, 2, 7) is None
    assert host.me.victims(9, 1 << 30) == []
    host.other.ready(*newer[:2])
    left = host.me.retire(1, 2, 7)
    newest = host.other.begin(1, 2)
    assert host.other.place(*newest[:2], 7, 4096) is None
    let_go(host.me, [left])
    assert host.other.place(*newest[:2], 7, 4096) is True


def test_anything_may_be_on_disk_until_the_scan_has_ended(host: Host) -> None:
    assert host.me.begin_scan()
    assert not host.me.begin_scan()
    assert not host.other.begin_scan()
    assert host.me.has(5, 5)
    host.me.end_scan()
    assert not host.other.has(5, 5)
    assert not host.other.begin_scan()


def test_scan_of_a_dead_process_is_taken_over(host: Host) -> None:
    assert host.dead.begin_scan()
    assert host.me.begin_scan()
    assert not host.other.begin_scan()


# --- the dead ------------------------------------------------------------------------------------------------------------


def test_lock_of_a_dead_holder_is_taken_over(host: Host) -> None:
    host.me.lock_for_test(2, DEAD)
    assert host.me.claim(1, 2).is_new


def test_lock_of_a_stopped_holder_holds_nobody_up(host: Host) -> None:
    host.me.lock_for_test(2, ALIVE)
    assert host.me.claim(1, 2) is None
    assert host.me.begin(1, 2) is None
    assert host.me.retire(1, 2, 0) is None
    assert not host.me.insert(1, 2, 0, 1)
    assert host.me.victims(1, 1 << 30) == []
    host.me.lock_for_test(2, 0)
    assert host.me.claim(1, 2).is_new


def test_slots_of_the_dead_are_taken_over(host: Host) -> None:
    claimed, filling, placing = host.dead.claim(1, 1), host.dead.begin(1, 2), host.dead.begin(1, 3)
    assert host.dead.place(*placing[:2], 7, 4096)
    put(host.dead, 1, 4)
    put(host.dead, 1, 6)
    host.dead.retire(1, 6, 0)
    alive = host.other.claim(1, 5)
    left = {one.low: one for one in host.me.abandoned()}
    assert {low: one.was for low, one in left.items()} == {1: FETCHING, 2: FILLING, 3: PLACING, 6: LEAVING}
    assert (left[3].vary, left[2].stamp) == (7, filling.stamp)
    assert host.other.abandoned() == [], "they have a new owner"
    let_go(host.me, left.values())
    assert host.me.bytes_used == 4096, "what is whole stays"
    assert state(host.me, alive) == FETCHING
    assert state(host.me, claimed) == FREE
    assert host.me.claim(1, 1).is_new


def test_slot_of_a_dead_leader_is_reclaimed_by_one(host: Host) -> None:
    taken = host.dead.claim(1, 1)
    left = host.me.reclaim(*taken[:2])
    assert left.low == 1
    assert host.other.reclaim(*taken[:2]) is None
    let_go(host.me, [left])
    living = host.other.claim(1, 1)
    assert host.me.reclaim(*living[:2]) is None


def test_record_that_a_dead_process_had_placed_can_be_made_ready(host: Host) -> None:
    taken = host.dead.begin(1, 1)
    host.dead.place(*taken[:2], 7, 4096)
    (left,) = host.me.abandoned()
    host.me.ready(left.position, left.stamp)
    assert host.me.variants(1, 1) == [(7, taken.stamp)]
    assert (host.me.entries, host.me.bytes_used) == (1, 4096)


def test_fetch_is_in_flight_until_it_is_placed(host: Host) -> None:
    taken = host.me.claim(1, 2)
    assert host.other.is_in_flight(1, 2, taken.stamp)
    assert not host.other.is_in_flight(1, 2, taken.stamp + 1)
    host.me.place(*taken[:2], 0, 1)
    host.me.ready(*taken[:2])
    assert not host.other.is_in_flight(1, 2, taken.stamp)


# --- the mapping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slots", "expected"), [(1, 15), (15, 15), (16, 30), (1000, 1920)])
def test_mapping_has_room_for_so_many_slots(slots: int, expected: int) -> None:
    host = Host(slots)
    assert host.me.slots == expected


def test_buffer_that_is_no_index_is_refused() -> None:
    with pytest.raises(ValueError, match="no disk index"):
        DiskIndex(bytearray(8192), ME, is_alive)
    with pytest.raises(ValueError, match="at least one bucket"):
        initialise(bytearray(100), 1)
    host = Host(1000)
    with pytest.raises(ValueError, match="cut short"):
        DiskIndex(bytearray(host.buffer[:8192]), ME, is_alive)


def test_many_processes_at_one_bucket_lose_nothing() -> None:
    """Threads stand for processes here: each has an index of its own over the one mapping."""
    host = Host(bytes_max=1 << 30)
    counts: list[int] = []

    def work(number: int) -> None:
        index = DiskIndex(host.buffer, 10 + number, is_alive)
        placed = 0
        for turn in range(300):
            taken = index.claim(7, turn % 5)
            if taken is None or not taken.is_new:
                continue
            assert index.place(taken.position, taken.stamp, 0, 4096)
            index.ready(taken.position, taken.stamp)
            placed += 1
        counts.append(placed)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 4
    assert host.me.stored == sum(counts)
    assert (host.me.entries, host.me.bytes_used) == (5, 5 * 4096)
    assert sorted(low for low in range(5) for _ in host.me.variants(7, low)) == [0, 1, 2, 3, 4]
