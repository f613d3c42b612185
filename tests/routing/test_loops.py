"""Loops are found, each once, and rows that end are left in peace."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.routing import find_loops, table_of


def loops(*rows, hosts=()):
    return [loop.lines for loop in find_loops(table_of(rows), hosts)]


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([("/a", "/a")], [(1,)]),
        ([("/a", "/b"), ("/b", "/a")], [(1, 2)]),
        ([("/a", "/b"), ("/b", "/c"), ("/c", "/b")], [(2, 3)]),
        ([("/a", "/b?x#y"), ("/b", "/a#z", 302, "drop")], [(1, 2)]),
        ([("/a/*", "/a/*")], [(1,)]),
        ([("/a/*", "/a/index")], [(1,)]),
        ([("/a/*", "/b/*"), ("/b/*", "/a/*")], [(1, 2)]),
        ([("/a/x", "/b/x"), ("/b/*", "/a/*")], [(1, 2)]),
        ([("/*/x/*", "/$2/x/$1")], [(1,)]),
        ([("/a/*", "/b/*"), ("/b/c/*", "/a/c/*")], [(1, 2)]),
        ([("h.example/a", "/b"), ("/b", "/a")], [(1, 2)]),
        ([("h.example/a", "https://h.example/a")], [(1,)]),
        ([("h.example/a", "HTTP://H.example:80/a")], [(1,)]),
        ([("h.example/", "https://h.example")], [(1,)]),
    ],
)
def test_circle_is_found(rows, lines):
    found = loops(*rows)
    assert [sorted(loop) for loop in found] == [sorted(loop) for loop in lines]


@pytest.mark.parametrize(
    "rows",
    [
        [("/a/*", "/a/b/*")],
        [("/*", "/en/*")],
        [("/a/*", "/b/x/*"), ("/b/*", "/a/*")],
        [("/*.html", "/$1.html.html")],
    ],
)
def test_growth_without_end_is_found_once(rows):
    (loop,) = find_loops(table_of([*rows, ("/start", "/a/1.html"), ("/other", "/a/2.html")]))
    assert loop.grows
    assert "without end" in str(loop)


@pytest.mark.parametrize(
    "rows",
    [
        [("/a", "/b"), ("/b", "/c")],
        [("/a/*", "/b/*"), ("/b/x", "/c")],
        [("/a/*", "/*")],
        [("/a/*", "/a")],
        [("/a/*", "/b/*"), ("/b/y", "/a")],
        [("h.example/a", "/b"), ("i.example/b", "/a")],
        [("h.example/*", "https://www.h.example/*")],
        [("h.example/*", "https://h.example:8443/*")],
        [("/a", "https://h.example/a")],
        [("/a", "/A")],
        [(f"/v{i}/*", f"/v{i + 1}/*") for i in range(50)],
    ],
)
def test_rows_that_end_are_no_loop(rows):
    assert loops(*rows) == []


def test_absolute_target_is_followed_at_a_host_that_is_given():
    rows = [("/a", "https://h.example/a")]
    assert loops(*rows) == []
    assert loops(*rows, hosts=["h.example"]) == [(1,)]


def test_loop_names_rows_and_chain():
    (loop,) = find_loops(table_of([("/a/*", "/b/*"), ("/b/*", "/a/*")]))
    assert str(loop) == "row 1, 2: redirects in a circle: /a/… → /b/… → /a/…"


@given(st.lists(st.integers(0, 19), min_size=20, max_size=20))
def test_exact_rows_form_a_graph_whose_circles_are_all_found(targets):
    found = {frozenset(loop) for loop in loops(*((f"/{i}", f"/{to}") for i, to in enumerate(targets)))}
    assert {frozenset(line - 1 for line in loop) for loop in found} == circles(targets)


def circles(targets):
    found = set()
    for start in range(len(targets)):
        at, seen = start, set()
        while at not in seen:
            seen.add(at)
            at = targets[at]
        members, here = {at}, targets[at]
        while here != at:
            members.add(here)
            here = targets[here]
        found.add(frozenset(members))
    return found


def test_long_chain_takes_linear_time():
    table = table_of([(f"/{i}", f"/{i + 1}") for i in range(50_000)])
    started = time.process_time()
    assert find_loops(table) == []
    assert time.process_time() - started < 5
