"""When a stored response is sent: what the origin allowed, what the client asks for, what time has passed."""

import pytest

from caching.answers import asking, assess, ruled
from fastedge import Plan, Request
from fastedge.caching.reuse import is_only_if_cached, is_store_forbidden, stands_in, use

ETAG = ("etag", '"1"')


def used(line, age_s, request=None, plan=None, softly_purged=False):
    stored = assess(line, ETAG)
    assert stored.reason is None
    return use(stored, age_s, request or Request(), plan or Plan(), softly_purged)


def stand_in(line, age_s, request=None, plan=None):
    return stands_in(assess(line, ETAG), age_s, request or Request(), plan or Plan())


def test_response_is_fresh_before_its_lifetime_ends():
    assert [used("max-age=10", age_s) for age_s in (0, 9.9, 10, 11)] == ["fresh", "fresh", "validate", "validate"]


def test_no_cache_needs_a_validation_each_time():
    assert used("max-age=10, no-cache", 0) == used("max-age=10, no-cache", 0, asking("max-stale")) == "validate"
    assert used('max-age=10, no-cache="x-a"', 0) == "fresh"


def test_stale_response_is_sent_within_its_window_and_refreshed():
    line = "max-age=10, stale-while-revalidate=5"
    assert [used(line, age_s) for age_s in (9, 10, 14.9, 15)] == ["fresh", "refresh", "refresh", "validate"]


def test_lone_s_maxage_forbids_what_is_stale_and_a_window_beside_it_allows_it():
    assert [used("s-maxage=10", 11, asking("max-stale")), stand_in("s-maxage=10", 11, asking("max-stale"))] == [
        "validate",
        False,
    ]
    assert used("s-maxage=10, stale-while-revalidate=5", 11) == "refresh"
    assert stand_in("s-maxage=10, stale-if-error=5", 11)


@pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate"])
def test_stale_response_is_not_sent_where_the_origin_forbids_it(directive):
    line = f"max-age=10, stale-while-revalidate=5, stale-if-error=5, {directive}"
    assert [used(line, 9), used(line, 11), used(line, 11, asking("max-stale"))] == ["fresh", "validate", "validate"]
    assert (stand_in(line, 9), stand_in(line, 11), stand_in(line, 11, asking("max-stale"))) == (True, False, False)


def test_softly_purged_response_is_stale():
    assert used("max-age=10", 1, softly_purged=True) == "validate"
    assert used("max-age=10", 1, asking("max-stale"), softly_purged=True) == "validate"
    line = "max-age=10, stale-while-revalidate=5"
    assert [used(line, age_s, softly_purged=True) for age_s in (1, 14, 16)] == ["refresh", "refresh", "validate"]


# --- what the client asks for ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "age_s", "expected"),
    [
        ("no-cache", 1, "validate"), ("max-age=0", 1, "validate"), ("max-age=5", 5, "fresh"), ("max-age=5", 6, "validate"),
        ("min-fresh=5", 5, "fresh"), ("min-fresh=5", 6, "validate"), ("max-stale", 99, "fresh"), ("max-stale=5", 15, "fresh"),
        ("max-stale=5", 16, "validate"), ("max-stale=x", 11, "validate"), ("max-age=5, max-stale=9", 6, "validate"),
        ("no-store", 1, "fresh"), ("only-if-cached", 1, "fresh"), ("max-age=x", 1, "validate"),
    ],
)  # fmt: skip
def test_request_directive(line, age_s, expected):
    assert used("max-age=10", age_s, asking(line)) == expected


def test_pragma_is_no_cache_where_there_is_no_cache_control():
    assert used("max-age=10", 1, asking(pragma="no-cache")) == "validate"
    assert used("max-age=10", 1, asking("max-age=5", pragma="no-cache")) == "fresh"


def test_request_has_no_say_where_the_plan_ignores_it():
    plan = ruled(ignore_client=True)
    assert used("max-age=10", 1, asking("no-cache"), plan) == "fresh"
    assert used("max-age=10", 11, asking("max-stale"), plan) == "validate"
    assert not stand_in("max-age=10", 11, asking("max-stale"), plan)
    assert assess("max-age=10", request=asking("no-store"), plan=plan).reason is None


def test_request_reaches_past_a_stale_window():
    line = "max-age=10, stale-while-revalidate=5"
    assert used(line, 11, asking("max-age=10")) == used(line, 11, asking("min-fresh=0")) == "validate"


def test_reload_does_not_reach_past_an_immutable_response_while_it_is_fresh():
    line = "max-age=10, immutable"
    assert used(line, 1, asking("max-age=0")) == "fresh"
    assert used(line, 1, asking("no-cache")) == used(line, 11, asking("max-age=0")) == "validate"


def test_only_if_cached_and_no_store_of_a_request():
    assert is_only_if_cached(asking("only-if-cached")) and not is_only_if_cached(asking("no-cache"))
    assert is_store_forbidden(asking("no-store")) and not is_store_forbidden(asking("no-cache"))
    bare = asking(pragma="no-store, only-if-cached")
    assert not is_only_if_cached(bare) and not is_store_forbidden(bare)


# --- in place of an origin that fails ----------------------------------------------------------------------------------


def test_stale_response_stands_in_within_its_window():
    line = "max-age=10, stale-if-error=5"
    assert [stand_in(line, age_s) for age_s in (9, 14, 15)] == [True, True, False]
    assert not stand_in("max-age=10", 10)
    assert not stand_in("max-age=10, no-cache, stale-if-error=5", 1)


def test_client_may_open_the_window_and_close_it():
    assert stand_in("max-age=10", 14, asking("stale-if-error=5"))
    assert stand_in("max-age=10", 14, asking("max-stale"))
    assert not stand_in("max-age=10", 16, asking("stale-if-error=5"))
    assert not stand_in("max-age=10, stale-if-error=5", 9, asking("no-cache"))
    assert not stand_in("max-age=10, stale-if-error=5", 12, asking("max-age=11"))
