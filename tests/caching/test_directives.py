"""Cache directives, as the RFC has them and as they are found in the wild."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Fields
from fastedge.caching.directives import of_request, of_response
from fastedge.limits import cache_ttl_s_max

SECONDS = ("max_age_s", "s_maxage_s", "stale_while_revalidate_s", "stale_if_error_s")
NOTHING_ASKED = {
    **dict.fromkeys(("no_cache", "no_store", "only_if_cached"), False),
    **dict.fromkeys(("max_age_s", "min_fresh_s", "max_stale_s", "stale_if_error_s"), -1),
}


def said(*lines, **fields):
    """What a response's Cache-Control lines, and other fields, come to: only what is there."""
    lines = [("cache-control", line) for line in lines]
    found, names = of_response(Fields([*lines, *((name.replace("_", "-"), value) for name, value in fields.items())]))
    found = {key: value for key, value in found.items() if not (key in SECONDS and value == -1)}
    return found if names is None else {**found, "names": names}


def asked(*lines, **fields):
    lines = [("cache-control", line) for line in lines]
    found = of_request(Fields([*lines, *fields.items()]))
    assert found.keys() == NOTHING_ASKED.keys()
    return {key: value for key, value in found.items() if value != NOTHING_ASKED[key]}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("no-store", {"no_store": True}),
        ("no-cache", {"no_cache": True}),
        ("private", {"is_private": True}),
        ("public", {"is_public": True}),
        ("must-revalidate", {"must_revalidate": True}),
        ("proxy-revalidate", {"proxy_revalidate": True}),
        ("must-understand", {"must_understand": True}),
        ("immutable", {"is_immutable": True}),
        ("max-age=60", {"max_age_s": 60}),
        ("s-maxage=60", {"s_maxage_s": 60}),
        ("stale-while-revalidate=60", {"stale_while_revalidate_s": 60}),
        ("stale-if-error=60", {"stale_if_error_s": 60}),
        ("", {}),
        ("no-transform, foo, bar=baz", {}),
    ],
)
def test_response_directive(line, expected):
    assert said(line) == expected


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ('max-age="60"', 60),
        ("max-age=0060", 60),
        ("MAX-Age=60", 60),
        (",, max-age=60 ,", 60),
        ("x\t,max-age=60\t,y", 60),
        ('x="max-age=1", max-age=60', 60),
        ('x="a\\", max-age=1", max-age=60', 60),
        ("max-age=99999999999999999999999", cache_ttl_s_max),
    ],
)
def test_seconds_that_are_understood(line, seconds):
    assert said(line) == {"max_age_s": seconds}


@pytest.mark.parametrize(
    "argument",
    ["", "=", "=-1", "=abc", "=6a", "=6.0", "='60'", '="6', '=""', '="6 0"', "= 60", " =60", "=60 60", '="60"x', "=+6"],
)
def test_seconds_that_make_no_sense_are_none_left(argument):
    assert said(f"max-age{argument}") == {"max_age_s": 0}


def test_first_of_two_occurrences_counts():
    assert said("max-age=60, max-age=1") == said("max-age=60", "max-age=1") == {"max_age_s": 60}
    assert said("max-age=1, max-age=60") == {"max_age_s": 1}
    assert said("max-age=x, max-age=60") == {"max_age_s": 0}


def test_conflicting_directives_are_all_kept():
    assert said("public, private, max-age=60, no-store") == {
        "is_public": True, "is_private": True, "max_age_s": 60, "no_store": True,
    }  # fmt: skip


def test_quote_that_is_not_closed_hides_nothing():
    assert said('x="a, no-store, max-age=6') == {"no_store": True, "max_age_s": 6}
    assert said('x "a, private') == {"is_private": True}


@pytest.mark.parametrize(("directive", "member"), [("private", "is_private"), ("no-cache", "no_cache")])
def test_field_names_of_a_directive(directive, member):
    assert said(f'{directive}="Set-Cookie , X-a", max-age=1') == {"names": ["set-cookie", "x-a"], "max_age_s": 1}
    assert said(f"{directive}=x-a") == {"names": ["x-a"]}
    assert said(f'{directive}="x-a", {directive}="x-b"') == {"names": ["x-a", "x-b"]}
    assert said(f'{directive}="x-a", {directive}') == {"names": ["x-a"], member: True}
    for malformed in ('""', '"a,,b"', '"a b"', '"a', "", '"a"b', '"\xe4"'):
        assert said(f"{directive}={malformed}") == {member: True}


# --- targeted fields --------------------------------------------------------------------------------------------------


def test_first_target_takes_the_place_of_all_that_follow():
    lines = {
        "edge_cache_control": "max-age=1", "cdn_cache_control": "max-age=2", "surrogate_control": "max-age=3",
        "cache_control": "max-age=4, private",
    }  # fmt: skip
    for seconds in (1, 2, 3):
        assert said(**lines) == {"max_age_s": seconds, "targeted": True}
        del lines[next(iter(lines))]
    assert said(**lines) == {"max_age_s": 4, "is_private": True}


@pytest.mark.parametrize(
    "value",
    ["", "max-age=1, &", "MAX-AGE=1", 'max-age="1"', "max-age=1.5", "max-age=-1", "max-age", "no-store=1", "max-age =1",
     "private=x", 'private="a b"', "max-age=1,"],
)  # fmt: skip
def test_target_that_is_empty_or_malformed_is_ignored(value):
    assert said("no-store", cdn_cache_control=value) == {"no_store": True}
    assert said(edge_cache_control=value, cdn_cache_control="max-age=9") == {"max_age_s": 9, "targeted": True}


def test_target_is_a_dictionary():
    assert said(cdn_cache_control='max-age=1;x=2, max-age=5, no-store=?0, private="x-a", x=(1 2)') == {
        "max_age_s": 5, "names": ["x-a"], "targeted": True,
    }  # fmt: skip
    assert said("no-store", cdn_cache_control="foo") == {"targeted": True}
    assert said(cdn_cache_control="max-age=999999999999999") == {"max_age_s": cache_ttl_s_max, "targeted": True}


def test_target_may_stand_in_several_lines():
    lines = Fields([("cdn-cache-control", "max-age=1"), ("cdn-cache-control", "must-revalidate")])
    assert of_response(lines)[0]["must_revalidate"] and of_response(lines)[0]["max_age_s"] == 1


def test_surrogate_control_that_says_nothing_of_caching_is_none():
    assert said("max-age=4", surrogate_control='content="ESI/1.0"') == {"max_age_s": 4}
    assert said("max-age=4", surrogate_control='no-store, content="ESI/1.0"') == {"no_store": True, "targeted": True}
    assert said(surrogate_control="no-cache") == {"no_cache": True, "targeted": True}


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("no-cache", {"no_cache": True}),
        ("no-store", {"no_store": True}),
        ("only-if-cached", {"only_if_cached": True}),
        ("max-age=0", {"max_age_s": 0}),
        ("max-age=x", {"max_age_s": 0}),
        ("min-fresh=5", {"min_fresh_s": 5}),
        ("max-stale=5", {"max_stale_s": 5}),
        ("max-stale=x", {"max_stale_s": 0}),
        ("max-stale", {"max_stale_s": math.inf}),
        ("stale-if-error=5", {"stale_if_error_s": 5}),
        ("no-transform, private, s-maxage=1", {}),
    ],
)
def test_request_directive(line, expected):
    assert asked(line) == expected


def test_pragma_counts_where_there_is_no_cache_control():
    assert asked(pragma="x, No-Cache") == {"no_cache": True}
    assert asked("max-age=5", pragma="no-cache") == {"max_age_s": 5}
    assert asked(pragma="max-age=0, no-store, only-if-cached") == {}


@given(
    st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30), max_size=3
    )
)
def test_any_text_has_an_answer(lines):
    for field in ("cache-control", "cdn-cache-control", "surrogate-control", "pragma"):
        fields = Fields([(field, line) for line in lines])
        found, _ = of_response(fields)
        assert all(found[key] == -1 or 0 <= found[key] <= cache_ttl_s_max for key in SECONDS)
        of_request(fields)


@given(st.lists(st.sampled_from(["a", "max-age", "=", "1", '"', "\\", ",", " ", "private", "x"]), max_size=8))
def test_no_store_at_the_end_of_a_line_is_always_heard(pieces):
    line = "".join(pieces)
    if line.count('"') % 2 == 0 and "\\" not in line:
        assert said(line + ", no-store")["no_store"]
