"""What a shared cache may store, and the reason for what it may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caching.answers import Flag, asking, assess, plan_with, ruled
from caching.moments import date
from fastedge import Plan, Request
from fastedge.caching.storing import REASONS
from fastedge.limits import cache_tag_bytes_max, cache_tags_max

FRESH = "max-age=60"


def reason(*lines, **circumstances):
    return assess(*lines, **circumstances).reason


def test_fresh_response_may_be_stored():
    found = assess("max-age=60, stale-while-revalidate=5, stale-if-error=6", age="7", delay_s=1)
    assert found.reason is None
    assert (found.lifetime_s, found.initial_age_s) == (60, 8)
    assert (found.stale_while_revalidate_s, found.stale_if_error_s) == (5, 6)
    assert (found.flags, found.vary, found.not_stored, len(found.names)) == (0, None, [], 16)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_answer_to_another_method_is_not_stored(method):
    assert reason(FRESH, request=Request(method)) == "method"


def test_answer_to_head_is_assessed_for_what_it_freshens():
    assert reason(FRESH, request=Request("HEAD")) is None


def test_plan_that_forbids_it_comes_first():
    plan = Plan()
    plan.make_unstorable("claims")
    assert reason(FRESH, plan=plan) == "claims"
    nameless = Plan()
    nameless.make_unstorable("")
    assert reason(FRESH, plan=nameless) == "policy"
    plan.cache = "bypass"
    assert reason("no-store", plan=plan) == "policy"


def test_request_with_no_store():
    assert reason(FRESH, request=asking("no-store")) == "request_no_store"


COOKIE = asking(cookie="uid=1")

# --- status -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", [200, 201, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 418, 500, 503, 504, 599]
)
def test_any_final_status_with_explicit_freshness_is_stored(status):
    assert reason(FRESH, status=status) is None


@pytest.mark.parametrize("status", [201, 202, 302, 303, 307, 400, 403, 500, 502, 503])
def test_status_without_explicit_freshness_is_stored_only_where_the_rfc_lists_it(status):
    plan = plan_with(default_ttl_s=60)
    assert reason(status=status, plan=plan) == reason(status=status, plan=plan_with(ttl_s=60)) == "status"
    assert reason("public", status=status, plan=plan) is None
    assert reason(status=404, plan=plan) is None


def test_status_for_which_the_plan_has_a_lifetime_is_stored():
    plan = ruled(status_ttl_s={"5xx": 5, 404: 9})
    assert (assess(status=503, plan=plan).reason, assess(status=503, plan=plan).lifetime_s) == (None, 5)
    assert assess("max-age=7", status=503, plan=plan).lifetime_s == 7
    assert reason(status=403, plan=plan) == "status"
    assert reason(status=404, plan=plan, request=COOKIE) == "cookie"


@pytest.mark.parametrize("status", [206, 416])
def test_part_of_a_representation_is_not_stored(status):
    assert reason(FRESH, status=status) == "range"
    assert reason(FRESH, content_range="bytes 0-1/2") == "range"


@pytest.mark.parametrize("status", [304, 428, 429, 431, 511])
def test_status_that_is_never_stored(status):
    assert reason(FRESH, status=status) == "status"


def test_must_understand_overrules_no_store_for_statuses_that_are_understood():
    assert reason("max-age=60, no-store, must-understand") is None
    assert reason("max-age=60, must-understand", status=299) == "must_understand"
    assert reason("max-age=60, no-store, must-understand", status=599) == "must_understand"
    assert reason("max-age=60, no-store") == "origin_no_store"


# --- whose it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "expected"), [("no-store", "origin_no_store"), ("private", "private")])
def test_origin_that_forbids_it_is_obeyed_whatever_the_plan_says(line, expected):
    assert reason(f"max-age=60, public, {line}", plan=plan_with(ttl_s=60)) == expected


@pytest.mark.parametrize("directive", ["private", "no-cache"])
def test_fields_that_a_directive_names_are_left_out(directive):
    found = assess(f'max-age=60, {directive}="x-a, ETag"', etag='"1"')
    assert (found.reason, found.not_stored, found.flags) == (None, ["x-a", "etag"], 0)


def test_set_cookie_is_not_stored_unless_its_lines_are_left_out():
    cookie = ("set-cookie", "a=1")
    assert reason(FRESH, cookie) == reason(FRESH, cookie, plan=plan_with(ttl_s=60)) == "set_cookie"
    assert reason('max-age=60, no-cache="Set-Cookie"', cookie) is None
    assert reason('max-age=60, private="Set-Cookie"', cookie) is None
    assert reason('max-age=60, private="x-a"', cookie) == "set_cookie"


BASIC = asking(authorization="Basic YTpi")


@pytest.mark.parametrize("line", ["public", "must-revalidate", "s-maxage=60"])
def test_answer_to_authorization_is_stored_where_a_directive_allows_it(line):
    assert reason(FRESH, request=BASIC) == "authorization"
    assert reason("max-age=60, proxy-revalidate", request=BASIC) == "authorization"
    assert reason(FRESH, request=BASIC, plan=plan_with(ttl_s=60)) == "authorization"
    found = assess(f"max-age=60, {line}", request=BASIC)
    assert found.reason is None
    assert found.flags & Flag.AUTHORIZED


def test_authorization_that_does_not_reach_the_origin_does_not_count():
    plan = Plan()
    plan.remove_header("authorization")
    assert reason(FRESH, request=BASIC, plan=plan) is None
    plan.set_header("authorization", "Bearer of-the-edge")
    assert reason(FRESH, request=BASIC, plan=plan) is None
    plan.set_header("authorization", "Bearer of-the-client", keyed=False)
    assert reason(FRESH, request=BASIC, plan=plan) == "authorization"
    assert reason(FRESH, request=asking(authorization="x", connection="Authorization")) is None


def test_answer_to_a_cookie_is_stored_only_where_the_origin_or_a_ttl_vouches_for_it():
    assert reason(FRESH, request=COOKIE) is None
    assert reason(expires=date(60), request=COOKIE) is None
    assert reason("public", last_modified=date(-100), request=COOKIE) is None
    assert reason(request=COOKIE, plan=plan_with(ttl_s=60)) is None
    assert reason(last_modified=date(-100), request=COOKIE) == "cookie"
    assert reason(etag='"1"', request=COOKIE) == "cookie"
    assert reason(request=COOKIE, plan=plan_with(default_ttl_s=60)) == "cookie"


def test_cookie_that_does_not_reach_the_origin_or_tells_variants_apart_does_not_count():
    plan = ruled(default_ttl_s=60, ignore_cookies=True)
    assert reason(request=COOKIE, plan=plan) is None
    plan = plan_with(default_ttl_s=60)
    assert reason(vary="Cookie", request=COOKIE, plan=plan) is None
    plan.remove_header("cookie")
    assert reason(request=COOKIE, plan=plan) is None


# --- Vary and tags ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vary", "expected"),
    [("*", "vary_star"), ("Via", "vary_edge"), (",".join(f"x{i}" for i in range(17)), "vary_fields")],
)
def test_vary_that_tells_everyone_apart(vary, expected):
    assert reason(FRESH, vary=vary) == expected


def test_vary_is_packed_with_what_the_request_said():
    assert (
        assess(FRESH, vary="Accept-Language, X-A", request=asking(accept_language="de")).vary
        == b"accept-language: de\nx-a\n"
    )


def test_response_with_too_many_tags_or_too_long_ones_is_not_stored():
    assert reason(FRESH, cache_tag=",".join(f"t{i}" for i in range(cache_tags_max))) is None
    assert reason(FRESH, cache_tag=",".join(f"t{i}" for i in range(cache_tags_max + 1))) == "tags"
    assert reason(FRESH, xkey="x" * (cache_tag_bytes_max + 1)) == "tags"


# --- what is worth storing --------------------------------------------------------------------------------------------


def test_response_without_lifetime_is_stored_only_for_its_validator_or_a_stale_window():
    assert reason() == reason("max-age=0") == reason("max-age=60", age="60") == "no_freshness"
    assert reason("max-age=0, stale-while-revalidate=9, must-revalidate") == reason("s-maxage=0") == "no_freshness"
    assert reason(etag='"1"') is None
    assert reason("max-age=0", last_modified=date(-9)) is None
    assert reason("max-age=0, stale-while-revalidate=9") is None
    assert reason("max-age=0, stale-if-error=9") is None
    assert reason("max-age=0", plan=plan_with(ttl_s=5)) is None
    assert reason("no-cache, max-age=60") == "no_freshness"
    assert reason("no-cache", etag='"1"') is None


def test_validator_that_is_not_stored_is_none():
    assert reason("max-age=0", etag='"1"', connection="ETag", nominated=["etag"]) == "no_freshness"
    assert reason('max-age=0, private="etag"', etag='"1"') == "no_freshness"


@pytest.mark.parametrize(
    ("lines", "flags"),
    [
        (["must-revalidate"], Flag.MUST_REVALIDATE),
        (["proxy-revalidate"], Flag.MUST_REVALIDATE),
        (["s-maxage=9"], Flag.MUST_REVALIDATE),
        (["no-cache", ("etag", 'W/"1"')], Flag.NO_CACHE | Flag.HAS_ETAG),
        ([("last-modified", date(-9))], Flag.HAS_LAST_MODIFIED),
        (["immutable"], Flag.IMMUTABLE),
        ([("content-encoding", "br")], Flag.ENCODED),
        ([("accept-ranges", "None")], Flag.NO_RANGES),
        ([("accept-ranges", "bytes")], 0),
    ],
)
def test_flags_of_what_is_stored(lines, flags):
    assert assess(FRESH, *lines).flags == flags


def test_guess_is_flagged_and_a_ttl_spares_the_validation_of_each_use():
    assert assess(last_modified=date(-100)).flags == Flag.HAS_LAST_MODIFIED | Flag.HEURISTIC
    assert assess("no-cache", plan=plan_with(ttl_s=5)).flags == 0


LINES = st.lists(
    st.tuples(
        st.sampled_from(["cache-control", "cdn-cache-control", "vary", "set-cookie", "etag", "cache-tag", "age", "date", "expires"]),
        st.sampled_from(["max-age=9", "no-store", "private", "public", "s-maxage=1", "*", "cookie", '"1"', "0", "x", 'private="x"', ""]),
    ),
    max_size=5,
)  # fmt: skip


@given(LINES, st.integers(200, 599), st.booleans())
def test_any_answer_is_stored_or_has_a_reason_of_the_list(lines, status, authorized):
    found = assess(*lines, status=status, request=BASIC if authorized else None)
    assert found.reason is None or found.reason in REASONS
    said = [value for name, value in lines if name in ("cache-control", "cdn-cache-control")]
    if found.reason is None and not any(name == "cdn-cache-control" for name, _ in lines):
        assert "no-store" not in said and "private" not in said and not any(name == "set-cookie" for name, _ in lines)
