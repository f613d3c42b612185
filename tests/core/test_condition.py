"""Conditions: what holds for which request, and that nobody slips past one by another spelling."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import ConfigError, Match, Request
from fastedge._core.condition import Pattern
from fastedge._core.wire import RequestReader


def asked(target="/", host="shop.example", method="GET", **fields):
    return Request(method, target, fields, host=host)


@pytest.mark.parametrize(
    ("pattern", "holds", "fails"),
    [
        ("/a", ["/a", "/a?b", "/%61", "/%61?b"], ["/", "/a/", "/ab", "/A", "/b?/a"]),
        ("/a/*", ["/a", "/a/", "/a/b/c", "//a//b", "/%61/b", "/a%2fb", "/a%2Fb", "//a"], ["/ab", "/", "/b/a/"]),
        ("/a/b", ["/a;x=1/b", "/a;/b;y", "/;/a/b", "/a;%2fb/b", "/a%5cb", "/a%5C/b"], ["/a%3bx/b", "/a;", "/a/b/c;"]),
        ("/a/*", ["/a;x", "/a;x/b", "/;x/a"], ["/b;/a/c"]),
        ("*.js", ["/a.js;x"], ["/a;.js"]),
        ("/*", ["/", "/a", "/a/b"], []),
        ("*.js", ["/a.js", "/a/b.js?c", "/a%2ejs"], ["/a.jsx", "/js"]),
        ("/a/*/c", ["/a/b/c", "/a/b/d/c", "/a//c/c"], ["/a/c", "/a/b/c/d"]),
        ("/caf%c3%a9", ["/caf%C3%A9", "/caf%c3%a9"], ["/cafe", "/caf"]),
        ("/%61/*", ["/a/b", "/a"], ["/b"]),
        ("/a//b", ["/a/b", "/a//b"], ["/ab"]),
        ("/a%20b", ["/a%20b"], ["/a+b"]),
    ],
)
def test_path(pattern, holds, fails):
    condition = Match(path=pattern)
    assert [target for target in holds if not condition.holds(asked(target))] == []
    assert [target for target in fails if condition.holds(asked(target))] == []


@pytest.mark.parametrize(
    ("pattern", "holds", "fails"),
    [
        (
            "shop.example",
            ["shop.example", "SHOP.example", "shop.example:8080"],
            ["www.shop.example", "shop.example.org"],
        ),
        ("Shop.Example.", ["shop.example"], []),
        ("*.shop.example", ["a.shop.example", "a.b.shop.example:1"], ["shop.example"]),
        ("[::1]", ["[::1]", "[::1]:80"], ["[::2]"]),
    ],
)
def test_host(pattern, holds, fails):
    condition = Match(host=pattern)
    assert [host for host in holds if not condition.holds(asked(host=host))] == []
    assert [host for host in fails if condition.holds(asked(host=host))] == []


def test_host_with_a_closing_dot_is_the_same_host():
    for host in (b"shop.example.", b"SHOP.EXAMPLE.", b"shop.example.:80"):
        request = RequestReader().parse(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert Match(host="shop.example").holds(request)


def test_method_field_and_query():
    assert Match(method=["GET", "HEAD"]).holds(asked(method="HEAD"))
    assert not Match(method="GET").holds(asked(method="HEAD"))
    assert Match(field={"X-A": "b*"}).holds(asked(**{"x-a": "bcd"}))
    assert Match(field={"x-a": "*"}).holds(asked(**{"x-a": ""}))
    assert not Match(field={"x-a": "*"}).holds(asked())
    assert Match(query={"a": "*"}).holds(asked("/?b&a"))
    assert Match(query={"a b": "c d"}).holds(asked("/?a%20b=c+d"))
    assert not Match(query={"a": "1"}).holds(asked("/?a=2&a=1"))
    assert not Match(query={"a": "*"}).holds(asked("/a"))


def test_several_must_all_hold_and_of_a_list_any():
    condition = Match(path=["/a", "/b"], method="GET", query={"x": "1"})
    assert condition.holds(asked("/b?x=1"))
    assert not condition.holds(asked("/b?x=2"))
    assert not condition.holds(asked("/b?x=1", method="PUT"))


@given(st.booleans(), st.booleans())
def test_combinations_do_as_booleans_do(one, two):
    a, b = Match(path="/a/*" if one else "/no"), Match(path="*b" if two else "/no")
    request = asked("/a/b")
    assert ((a & b).holds(request), (a | b).holds(request), (~a).holds(request)) == (one and two, one or two, not one)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=12))
def test_pattern_does_as_fnmatch_does(pattern, text):
    assert Pattern(pattern.encode()).matches(text.encode()) == fnmatch.fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"path": []}, {"path": "a"}, {"path": ""}, {"path": "/a?b"}, {"path": "/a#b"}, {"path": "/a;b"}, {"path": "/é"},
        {"host": ""}, {"host": "é.example"}, {"host": "a.example:80"}, {"host": "http://a"}, {"host": "a b"},
        {"method": "get"}, {"method": "É"}, {"method": ""}, {"field": {"a b": "x"}}, {"field": {"x": "a\r\nb"}},
        {"field": {"x": "ł"}}, {"field": {"edge-variant": "*"}}, {"field": {"x_user": "*"}}, {"field": {}},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_match_is_refused(options):
    with pytest.raises(ConfigError):
        Match(**options)


@pytest.mark.parametrize(
    "use",
    [lambda c: c & None, lambda c: c | None, lambda c: c.holds(None), lambda c: c & "/a", lambda c: Match(path=[None])],
)
def test_none_is_an_error_and_no_crash(use):
    with pytest.raises(TypeError):
        use(Match(path="/"))
