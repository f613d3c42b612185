"""The names by which a stored response is purged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Fields, Plan, Request
from fastedge._core.purges import name_hash
from fastedge.caching.tags import purge_names

HTTP = Request(target="/p?q", host="Shop.example:8080")


def tags_of(*lines, plan=None, request=HTTP):
    return purge_names(request, plan or Plan(), Fields(lines))[2:]


def hashed(kind, *names):
    return [name_hash(kind, name) for name in names]


@pytest.mark.parametrize(
    ("scheme", "host", "url", "bare"),
    [
        ("http", "shop.example", b"http://shop.example", b"shop.example"),
        ("http", "Shop.example:80", b"http://shop.example", b"shop.example"),
        ("https", "shop.example:443", b"https://shop.example", b"shop.example"),
        ("https", "shop.example:80", b"https://shop.example:80", b"shop.example"),
        ("http", "[::1]:8080", b"http://[::1]:8080", b"[::1]"),
    ],
)
def test_url_and_host_come_first(scheme, host, url, bare):
    names = purge_names(Request(host=host, scheme=scheme, target="/ignored"), Plan(target="/p?q"), Fields())
    assert names == hashed(b"url", url + b"/p?q") + hashed(b"host", bare)


@pytest.mark.parametrize(
    "line",
    [("cache-tag", "a, B ,,c c"), ("cache-tag", "a,B,c c,a")],
)
def test_tags_between_commas(line):
    assert tags_of(line) == hashed(b"tag", b"a", b"B", b"c c")


@pytest.mark.parametrize("name", ["surrogate-key", "xkey"])
def test_tags_between_blanks(name):
    assert tags_of((name, "a  B"), (name, "c")) == hashed(b"tag", b"a", b"B", b"c")


def test_groups_are_tags_and_names_of_their_origin():
    groups = ("cache-groups", '"a", "b c";x=1')
    expected = hashed(b"tag", b"a", b"b c") + hashed(
        b"group", b"http://shop.example:8080\0a", b"http://shop.example:8080\0b c"
    )
    assert tags_of(groups) == expected
    assert tags_of(("cache-groups", '"a", b')) == tags_of(("cache-groups", "")) == []


def test_tags_of_the_plan_and_of_all_fields_are_one_set():
    plan = Plan()
    plan.add_tag("a")
    plan.add_tag("p")
    assert tags_of(("xkey", "x a"), ("cache-tag", "a, t"), ("surrogate-key", "s x"), plan=plan) == hashed(
        b"tag", b"a", b"p", b"t", b"s", b"x"
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(["cache-tag", "xkey", "cache-groups"]), st.text('aB ,\t"\\;=', max_size=20)),
        max_size=4,
    )
)
def test_any_lines_give_each_name_once(lines):
    names = purge_names(HTTP, Plan(), Fields(lines))
    assert len(set(names)) == len(names) >= 2
