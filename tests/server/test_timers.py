"""Time-outs with a clock that the test turns."""

from hypothesis import given
from hypothesis import strategies as st

from fastedge.server.timers import Timer, Timers


class Owner:
    def __init__(self):
        self.timer = Timer(self)
        self.heard = []
        self.then = lambda: None

    def on_timeout(self, kind):
        self.heard.append(kind)
        self.then()


def test_timeout_comes_once_and_not_too_early():
    timers, owner = Timers(), Owner()
    timers.arm(owner.timer, 100, 7, 1_000)
    timers.tick(100_999)
    assert owner.heard == []
    timers.tick(101_000)
    timers.tick(999_000)
    assert owner.heard == [7]
    assert timers.armed() == 0


def test_disarmed_timer_is_silent():
    timers, owner = Timers(), Owner()
    timers.arm(owner.timer, 100, 7, 0)
    timers.disarm(owner.timer)
    timers.disarm(owner.timer)
    timers.tick(1_000_000)
    assert owner.heard == []


def test_timer_armed_again_forgets_the_first_time():
    timers, owner, other = Timers(), Owner(), Owner()
    timers.arm(owner.timer, 100, 1, 0)
    timers.arm(other.timer, 100, 3, 10_000)
    timers.arm(owner.timer, 100, 2, 50_000)
    timers.tick(149_999)
    assert (owner.heard, other.heard) == ([], [3])
    timers.tick(150_000)
    assert owner.heard == [2]


def test_timer_moves_between_spans():
    timers, owner = Timers(), Owner()
    timers.arm(owner.timer, 1_000, 1, 0)
    timers.arm(owner.timer, 10, 2, 0)
    assert timers.armed() == 1
    timers.tick(10_000)
    timers.tick(1_000_000)
    assert owner.heard == [2]


def test_timer_armed_by_its_own_timeout():
    timers, owner = Timers(), Owner()
    now = 100_000
    owner.then = lambda: timers.arm(owner.timer, 100, 9, now)
    timers.arm(owner.timer, 100, 1, 0)
    timers.tick(now)
    assert owner.heard == [1]
    now = 200_000
    timers.tick(now)
    assert owner.heard == [1, 9]


def test_timeout_that_disarms_the_next_one():
    timers, owner, victim = Timers(), Owner(), Owner()
    owner.then = lambda: timers.disarm(victim.timer)
    timers.arm(owner.timer, 100, 1, 0)
    timers.arm(victim.timer, 100, 2, 0)
    timers.tick(100_000)
    assert (owner.heard, victim.heard) == ([1], [])


@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.sampled_from(["arm 10", "arm 30", "disarm", "tick"]), st.integers(0, 20)),
        max_size=60,
    )
)
def test_timers_do_what_a_dictionary_does(moves):
    timers, owners, due, now = Timers(), [Owner() for _ in range(8)], {}, 0
    for which, move, later in moves:
        now += later * 1000
        if move == "disarm":
            timers.disarm(owners[which].timer)
            due.pop(which, None)
        elif move == "tick":
            timers.tick(now)
            for i in [i for i, at in due.items() if at <= now]:
                assert owners[i].heard.pop() == i
                del due[i]
        else:
            timers.arm(owners[which].timer, int(move[4:]), which, now)
            due[which] = now + int(move[4:]) * 1000
        assert timers.armed() == len(due)
        assert not any(owner.heard for owner in owners)
