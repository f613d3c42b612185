"""When keys are fetched: a life of one source with its times written out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.config.schema import Key
from fastedge.limits import keys_early_s, keys_lifetime_s_max, keys_retry_s_max
from fastedge.supervisor.schedule import KeySchedule

NOW = 1_000.0


def schedule(**options: int) -> KeySchedule:
    return KeySchedule(Key(jwks_url="https://id.example/jwks", **options), NOW)  # type: ignore[arg-type]


def test_first_fetch_is_due_at_once() -> None:
    one = schedule()
    assert one.due_s < 0
    assert one.is_over(NOW)


@pytest.mark.parametrize(
    ("refresh_s", "keep_s", "lifetime_s", "taken_s"),
    [
        (600, 86_400, 3_600, 3_600),
        (600, 86_400, 1, 60),  # shorter than anybody should ask
        (600, 86_400, -5, 60),  # older than it may be when it comes
        (5, 86_400, 1, 5),  # unless the operator wants it so
        (600, 86_400, 10_000_000, keys_lifetime_s_max),
        (600, 100, 3_600, 100),  # never later than it may be used
    ],
)
def test_refreshed_at_about_eighty_percent(refresh_s: int, keep_s: int, lifetime_s: float, taken_s: float) -> None:
    for chance in (0.0, 0.5, 0.999):
        one = schedule(refresh_s=refresh_s, keep_s=keep_s)
        one.fetched(NOW, lifetime_s, chance)
        assert 0.75 * taken_s <= one.due_s - NOW <= 0.85 * taken_s


def test_hosts_that_began_together_do_not_stay_together() -> None:
    dues = set()
    for chance in (0.0, 0.4, 0.8):
        one = schedule()
        one.fetched(NOW, 600, chance)
        dues.add(one.due_s)
    assert len(dues) == 3


def test_failures_are_retried_later_and_later() -> None:
    one = schedule()

    def pauses() -> list[float]:
        found = []
        for _ in range(9):
            one.failed(NOW, 0)
            found.append(one.due_s - NOW)
        return found

    assert pauses() == [5, 10, 20, 30, 30, 30, 30, 30, 30]  # nobody is let in
    one.fetched(NOW, 600, 0)
    assert pauses() == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    one.fetched(NOW, 600, 0)
    one.failed(NOW, 0)
    assert one.due_s - NOW == 5


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_nothing_nor_beyond_the_bound(failures: int, chance: float) -> None:
    one = schedule()
    one.failures = failures - 1
    one.failed(NOW, chance)
    assert 4 < one.due_s - NOW <= keys_retry_s_max


def test_last_good_set_is_kept_for_so_long_and_no_longer() -> None:
    one = schedule(keep_s=100)
    one.fetched(NOW, 600, 0)
    one.failed(NOW + 75, 0)
    assert not one.is_over(NOW + 99)
    assert one.is_over(NOW + 100)
    one.fetched(NOW + 150, 600, 0)
    assert not one.is_over(NOW + 249)


def test_age_counts_from_the_last_good_fetch() -> None:
    one = schedule()
    assert one.age_s(NOW + 7) == 7
    one.failed(NOW + 8, 0)
    assert one.age_s(NOW + 9) == 9
    one.fetched(NOW + 10, 600, 0)
    one.failed(NOW + 11, 0)
    assert one.age_s(NOW + 12) == 2


def test_one_early_fetch_in_its_time() -> None:
    one = schedule()
    assert one.asks_early(NOW)
    assert not one.asks_early(NOW)
    assert one.early_pause_s(NOW + 10) == keys_early_s - 10
    assert not one.asks_early(NOW + keys_early_s - 1)
    assert one.asks_early(NOW + keys_early_s)
