"""Freshness lifetimes and ages, with dates that are skewed, broken or missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caching.answers import plan_with, ruled
from caching.moments import NOW, date
from fastedge import Fields, Plan
from fastedge.caching.freshness import freshness
from fastedge.limits import cache_heuristic_s_max, cache_ttl_s_max

NO_BASIS, BY_ORIGIN, BY_TTL, BY_STATUS, BY_DEFAULT, BY_GUESS = range(6)
DAY = 86_400


def of(*lines, plan=None, status=200, delay_s=0.0):
    return freshness(plan or Plan(), status, Fields(lines), NOW - delay_s, NOW)


def lifetime(*lines, **circumstances):
    found = of(*lines, **circumstances)
    return found["basis"], found["lifetime_s"]


def age(*lines, **circumstances):
    return of(*lines, **circumstances)["initial_age_s"]


def cc(value):
    return ("cache-control", value)


# --- lifetime ---------------------------------------------------------------------------------------------------------


def test_lifetime_is_the_first_of_s_maxage_max_age_and_expires():
    expires = ("expires", date(30))
    assert lifetime(cc("max-age=20, s-maxage=10"), expires) == (BY_ORIGIN, 10)
    assert lifetime(cc("max-age=20"), expires) == (BY_ORIGIN, 20)
    assert lifetime(cc("public"), expires) == (BY_ORIGIN, 30)


def test_expires_is_measured_on_the_origins_clock():
    assert lifetime(("date", date(-3600)), ("expires", date(-3590))) == (BY_ORIGIN, 10)
    assert lifetime(("date", date(3600)), ("expires", date(3610))) == (BY_ORIGIN, 10)


@pytest.mark.parametrize("line", [("date", "yesterday"), ("x", "y")])
def test_expires_without_a_date_is_measured_on_ours(line):
    assert lifetime(line, ("expires", date(25))) == (BY_ORIGIN, 25)


@pytest.mark.parametrize("value", ["0", "-1", "", "soon", date(-1), f"{date(9)}, {date(9)}"])
def test_expires_that_is_past_or_no_date_leaves_no_lifetime(value):
    assert lifetime(("date", date()), ("expires", value)) == (BY_ORIGIN, 0)


def test_first_of_two_expires_counts():
    assert lifetime(("expires", date(5)), ("expires", date(500)))[1] == 5


def test_expires_beyond_all_bounds_is_bounded():
    assert lifetime(("expires", "Fri, 31 Dec 9999 23:59:59 GMT"))[1] == cache_ttl_s_max


def test_expires_has_no_say_beside_a_targeted_field():
    assert lifetime(("cdn-cache-control", "max-age=9"), ("expires", date(-5))) == (BY_ORIGIN, 9)
    assert lifetime(("cdn-cache-control", "foo"), ("expires", date(50))) == (NO_BASIS, 0)


@pytest.mark.parametrize("status", [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])
def test_guess_is_a_tenth_of_the_age_for_statuses_that_allow_it(status):
    assert lifetime(("last-modified", date(-100)), ("date", date()), status=status) == (BY_GUESS, 10)


@pytest.mark.parametrize("status", [201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 504, 599])
def test_guess_is_not_made_for_other_statuses_unless_the_response_is_public(status):
    assert lifetime(("last-modified", date(-100)), status=status) == (NO_BASIS, 0)
    assert lifetime(("last-modified", date(-100)), cc("public"), status=status) == (BY_GUESS, 10)


def test_guess_is_bounded_and_never_negative():
    assert lifetime(("last-modified", date(-100 * DAY)))[1] == cache_heuristic_s_max
    assert lifetime(("last-modified", date(100))) == (NO_BASIS, 0)
    assert lifetime(("last-modified", "once")) == (NO_BASIS, 0)


def test_ttl_of_the_plan_counts_whatever_the_origin_says():
    plan = plan_with(ttl_s=7, default_ttl_s=8)
    assert lifetime(cc("max-age=20, s-maxage=10"), ("expires", date(-5)), plan=plan) == (BY_TTL, 7)
    assert lifetime(cc("max-age=20"), plan=plan_with(ttl_s=0)) == (BY_TTL, 0)


def test_default_ttl_takes_the_place_of_the_guess():
    plan = plan_with(default_ttl_s=8)
    assert lifetime(("last-modified", date(-100)), plan=plan) == lifetime(plan=plan) == (BY_DEFAULT, 8)
    assert lifetime(cc("max-age=0"), plan=plan) == (BY_ORIGIN, 0)
    assert lifetime(plan=plan, status=500) == (NO_BASIS, 0)


def test_ttl_by_status_counts_where_the_origin_says_nothing():
    plan = ruled(status_ttl_s={"500-599": 5, 404: 9}, default_ttl_s=8)
    assert lifetime(status=503, plan=plan) == (BY_STATUS, 5)
    assert lifetime(("last-modified", date(-100)), status=404, plan=plan) == (BY_STATUS, 9)
    assert lifetime(status=200, plan=plan) == (BY_DEFAULT, 8)
    assert lifetime(cc("max-age=1"), status=503, plan=plan) == (BY_ORIGIN, 1)
    assert lifetime(status=503, plan=ruled(status_ttl_s={"5xx": 5}, ttl_s=7)) == (BY_TTL, 7)


def test_stale_windows_are_the_origins_unless_the_plan_has_its_own():
    line = cc("max-age=1, stale-while-revalidate=5, stale-if-error=6")
    found = of(line)
    assert (found["stale_while_revalidate_s"], found["stale_if_error_s"]) == (5, 6)
    found = of(line, plan=plan_with(stale_while_revalidate_s=0, stale_if_error_s=60))
    assert (found["stale_while_revalidate_s"], found["stale_if_error_s"]) == (0, 60)
    found = of()
    assert (found["stale_while_revalidate_s"], found["stale_if_error_s"]) == (0, 0)


# --- age --------------------------------------------------------------------------------------------------------------


def test_age_is_the_greater_of_apparent_and_corrected():
    assert age(("date", date(-50)), ("age", "10"), delay_s=2) == 50
    assert age(("date", date(-50)), ("age", "100"), delay_s=2) == 102
    assert age() == 0


@pytest.mark.parametrize("value", [date(3600), "today", ""])
def test_age_is_not_reduced_by_a_date_in_the_future_or_broken(value):
    assert age(("date", value), ("age", "10")) == 10


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(["7, 0"], 7), (["0,7"], 0), (["7", "9"], 7), (["007"], 7), (["9" * 30], cache_ttl_s_max),
     (["-7"], 0), (["7.0"], 0), (["abc"], 0), ([""], 0), (['"7"'], 0)],
)  # fmt: skip
def test_first_member_of_age_counts_and_an_invalid_one_is_ignored(lines, expected):
    assert age(*(("age", line) for line in lines)) == expected


def test_age_is_not_reduced_by_a_clock_that_was_set_back():
    assert age(("age", "10"), delay_s=-500) == 10


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["date", "expires", "last-modified", "age", "cache-control"]),
            st.one_of(
                st.sampled_from(["max-age=5", "s-maxage=x", "0", "x"]),
                st.integers(-(10**10), 10**10).map(str),
                st.integers(-(10**9), 10**9).map(date),
            ),
        ),
        max_size=6,
    ),
    st.integers(-100, 100),
)
def test_any_lines_give_times_within_bounds(lines, delay_s):
    found = of(*lines, delay_s=delay_s)
    assert 0 <= found["lifetime_s"] <= cache_ttl_s_max
    assert found["initial_age_s"] >= max(delay_s, 0)
