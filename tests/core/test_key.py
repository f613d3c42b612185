"""The cache key: two plans have one key only if the origin is asked the same and everything that was keyed is the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Plan, Request
from fastedge._core.key import cache_key

WORDS = st.sampled_from(["a", "b", "ab", "1:a", "", "set", "part", "3:set"])
NAMES = st.sampled_from(["x-a", "x-b", "part", "set"])
EDITS = st.lists(st.tuples(st.sampled_from(["set", "add", "remove", "key"]), NAMES, WORDS), max_size=4)


def plan_of(origin, target, edits):
    plan = Plan(origin=origin, target=target)
    for kind, name, value in edits:
        if kind == "key":
            plan.add_key(name, value)
        elif kind == "remove":
            plan.remove_header(name)
        else:
            getattr(plan, f"{kind}_header")(name, value)
    return plan


ASKED = st.tuples(
    st.sampled_from(["http", "https"]), st.sampled_from(["a", "a:80", "b"]), st.sampled_from(["m", "n"]),
    st.sampled_from(["/", "/a", "/?a"]), EDITS,
)  # fmt: skip


def canonical(scheme, host, origin, target, edits):
    """Edits and parts are two lists in the key; a removal has no value."""
    fields = [(kind, name, None if kind == "remove" else value) for kind, name, value in edits if kind != "key"]
    return scheme, host, origin, target, fields, [(name, value) for kind, name, value in edits if kind == "key"]


@given(ASKED, ASKED)
def test_one_key_means_one_question(one, two):
    keys = [cache_key(Request(scheme=s, host=h), plan_of(o, t, e)) for s, h, o, t, e in (one, two)]
    assert (keys[0] == keys[1]) == (canonical(*one) == canonical(*two))


def test_what_is_unkeyed_by_name_is_left_out_and_the_method_too():
    plan, other = Plan(origin="m"), Plan(origin="m")
    other.set_header("x-a", "1", keyed=False)
    assert cache_key(Request("GET"), plan) == cache_key(Request("HEAD"), other)


def test_none_is_an_error_and_no_crash():
    for pair in ((None, Plan()), (Request(), None)):
        with pytest.raises(TypeError):
            cache_key(*pair)
