"""Invariant: any page and any values give a template that is whole: the page itself without values, never an error or a hang."""

import gzip
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge.html import PROBLEMS, PageRules, Slot, compile_page
from fastedge.limits import html_problems_max

PAGES = sorted((Path(__file__).parents[1] / "html" / "pages").glob("*.html"))
ACTIONS = ("inner", "replace", "before", "after", "prepend", "append", "remove")
SLOTS = [
    *(Slot(f"s{number}", at, action) for number, (at, action) in enumerate(zip(("p", "b", "[id]", "div *", "li", "td", "a > b"), ACTIONS, strict=True))),
    Slot("name"), Slot("banner", raw=True), Slot("country"),
    Slot("class", "[class]", "set_attribute", "class"), Slot("href", "a", "set_attribute", "href"), Slot("gone", "p", "remove_attribute", "id"),
]  # fmt: skip
RULES, ESI = PageRules(SLOTS), PageRules(SLOTS, esi=True)
SEEDS = [
    "<!--", "-->", "<!--esi ", "<script>", "</script>", "<table>", "<td>", "<b>", "</p>", "<svg>", "<select>", "{{edge.name}}", "{{edge.",
    "$(HTTP_COOKIE{a})", "<esi:vars>", "</esi:vars>", "<esi:include src='/a'/>", "<esi:choose>", "<esi:when test=\"1==1\">", "</esi:when>",
    "</esi:choose>", "<esi:try>", "<esi:attempt>", "</esi:attempt>", "<esi:except>", "</esi:except>", "</esi:try>", "<esi:remove>",
    "</esi:remove>", "<!-- edge:name -->", "<!-- /edge:name -->", "\0", "<", ">", "'", '"', "/", "=", "&", "\xff",
]  # fmt: skip


def check(page):
    for rules in (RULES, ESI):
        template = compile_page(page, rules, "utf-8")
        assert {reason for reason, _, _ in template.problems} <= set(PROBLEMS)
        assert len(template.problems) <= html_problems_max
        nothing = (None,) * len(template.inputs)
        if rules is RULES:
            assert template.render_bytes(nothing) == page
        for values in (nothing, ("<b>&'\"",) * len(nothing)):
            whole = template.render_bytes(values)
            assert b"".join(template.render(values)) == whole
            assert gzip.decompress(template.render_gzip(values)) == whole


def mutated(page, draw):
    """Some pieces cut out, doubled, moved or put in."""
    for _ in range(draw.randint(1, 6)):
        at, end = sorted((draw.randint(0, len(page)), draw.randint(0, len(page))))
        piece = page[at : min(end, at + 40)]
        change = draw.randint(0, 3)
        if change == 0:
            page = page[:at] + page[at + len(piece) :]
        elif change == 1:
            page = page[:end] + piece + page[end:]
        else:
            page = page[:at] + draw.choice(SEEDS).encode("latin-1") + page[at:]
    return page


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_mutated_pages_stay_whole(path):
    draw = random.Random(path.name)
    page = path.read_bytes()
    for _ in range(60):
        check(mutated(page, draw))


@given(st.lists(st.one_of(st.sampled_from(SEEDS), st.text("<>/!-='\" abp", max_size=6)), max_size=24).map("".join))
@settings(max_examples=150, deadline=None)
def test_soup_stays_whole(page):
    check(page.encode("latin-1"))


@given(st.binary(max_size=200))
def test_any_bytes_stay_whole(page):
    check(page)


@pytest.mark.parametrize(
    "piece",
    [
        b"<",
        b"<b>",
        b"<p>",
        b"<!--",
        b"<a '",
        b"<a href=",
        b"</x>",
        b"<i></b>",
        b"{{edge.",
        b"$(",
        b"<table>",
        b"<esi:vars>",
        b"<div><p id=x>",
        b"<!--esi ",
    ],
)
def test_work_is_linear_in_hostile_pages(piece):
    page = piece * (400_000 // len(piece))
    started = time.process_time()
    compile_page(page, ESI, "utf-8")
    assert time.process_time() - started < 2
