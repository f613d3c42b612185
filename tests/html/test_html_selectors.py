"""Selectors find what the oracle finds, and refuse what they do not have."""

import pytest
import turbohtml
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge._core.htmlscan import Scan
from fastedge._core.htmlselectors import Selectors
from fastedge.errors import ConfigError
from fastedge.html.selectors import parse_selector

NAMES = st.sampled_from(["div", "p", "b", "*"])
SIMPLE = st.sampled_from(["", "#i", ".c", ".d", "[x]", "[x=y]", '[x="y z"]', "[class='c d']", "[id=i]"])
COMPOUNDS = st.builds(lambda name, one, two: name + one + two, NAMES, SIMPLE, SIMPLE)
SELECTORS = st.builds(
    lambda first, rest: first + "".join(rest),
    COMPOUNDS,
    st.lists(st.builds(lambda sign, one: sign + one, st.sampled_from([" ", ">", " > "]), COMPOUNDS), max_size=3),
)
ATTRIBUTES = st.lists(st.sampled_from(["id=i", "class=c", 'class="c d"', "x", "x=y", "x='y z'", "CLASS=d"]), max_size=2)


@st.composite
def pages(draw):
    made, opened = ["<!doctype html><html><head></head><body>"], []
    for number in range(draw(st.integers(1, 12))):
        while opened and draw(st.booleans()):
            made.append(f"</{opened.pop()}>")
        name = (
            draw(st.sampled_from(["div", "section", "span"]))
            if opened and opened[-1] == "b"
            else draw(st.sampled_from(["div", "b"]))
        )
        made.append(f"<{name} n={number} {' '.join(draw(ATTRIBUTES))}>")
        opened.append(name)
    return "".join(made) + "".join(f"</{name}>" for name in reversed(opened)) + "</body></html>"


def found(page, selector):
    rows = Scan(page.encode(), Selectors([parse_selector(selector)])).elements
    return [
        page[row[1] : row[2]].split("n=")[1].split()[0].rstrip(">") for row in rows if "n=" in page[row[1] : row[2]]
    ]


@given(pages(), SELECTORS)
@settings(max_examples=150, deadline=None)
def test_selectors_find_what_the_oracle_finds(page, selector):
    expected = [element.attr("n") for element in turbohtml.parse(page).select(selector) if element.attr("n")]
    assert found(page, selector) == expected


@pytest.mark.parametrize(
    ("selector", "page"),
    [
        ("body > p", "<p n=1>"),
        ("head > title", "<title n=1>"),
        ("table > tbody > tr", "<table><tr n=1>"),
        ("svg foreignobject", "<svg><foreignObject n=1>"),
        ("[data-edge=a]", "<p n=1 DATA-EDGE=a>"),
        ("p[x='']", "<p n=1 x>"),
        ("#ä", "<p n=1 id=ä>"),
    ],
)
def test_selectors_see_what_the_page_leaves_to_the_browser(selector, page):
    assert found(page, selector) == ["1"]


@pytest.mark.parametrize(
    "selector",
    ["", ">", "p >", "> p", "p, b", "p:hover", "p + b", "p ~ b", "[x^=y]", "[x", "#", "p::before", "[x=y z]", "1"],
)
def test_what_is_no_such_selector_is_a_config_error(selector):
    with pytest.raises(ConfigError, match="expected a tag"):
        parse_selector(selector)


def test_selector_beyond_the_bounds_is_a_config_error():
    with pytest.raises(ConfigError, match="at most 8 parts"):
        parse_selector(" ".join("abcdefghi"))
    with pytest.raises(ConfigError, match="at most 512 bytes"):
        parse_selector("a" * 513)


def test_hostile_depth_costs_a_bounded_number_of_looks():
    page = "<body>" + "<b>" * 400 + "<i>" * 400_000
    assert found(page, "u i") == []
