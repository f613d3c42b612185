"""Invariant: an element that is not reported as left alone has the boundaries that a whole HTML parser gives it."""

import re
from pathlib import Path

import pytest
from html_oracle import MARKERS, edited, ids, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge._core.htmlscan import Scan
from fastedge._core.htmlselectors import Selectors
from fastedge.html import PageRules, Slot, compile_page

PAGES = Path(__file__).parent / "pages"
CHARSETS = {"latin1.html": "latin-1", "shift_jis.html": "shift_jis"}
RAW_TEXT = {"title", "textarea", "script", "style", "xmp", "iframe", "noembed", "noframes", "noscript"}
ACTIONS = ("inner", "replace", "before", "after", "prepend", "append")


def outcome(page: str, id_: str, action: str) -> str:
    """ "same", or why the element was left alone."""
    template = compile_page(page.encode(), PageRules([Slot("x", f'[id="{id_}"]', action, raw=True)]), "utf-8")
    assert template.render_bytes((None,) * len(template.inputs)) == page.encode()
    reasons = [reason for reason, name, _ in template.problems if name == "x"]
    if reasons:
        assert template.inputs == ()
        return reasons[0]
    if template.inputs == ():
        return "absent"
    got = {marker: template.render_bytes((marker,)).decode() for marker in MARKERS}
    assert any(tree(got[marker]) == edited(page, id_, action, marker) for marker in MARKERS), (
        page, action, id_, got, tree(page),
    )  # fmt: skip
    return "same"


# Of each page, the elements that are left alone when they are to be replaced. All others have the oracle's boundaries.
LEFT_ALONE = {
    "broken_off.html": dict.fromkeys(["list", "last"], "unbalanced"),
    "hostile.html": dict.fromkeys("jklmnrstuvw", "unbalanced"),
    "sloppy_90s.html": dict.fromkeys(["c", "f", "links", "two", "right", "addr"], "unbalanced"),
    "spa_shell.html": {"never": "absent", "inside": "doubtful"},
    "svg_math.html": dict.fromkeys(["broken", "out"], "unbalanced"),
    "tables.html": {"fostered": "doubtful", "broken": "unbalanced"},
}


def pages():
    return [path.name for path in sorted(PAGES.glob("*.html")) if path.name != "utf16.html"]


@pytest.mark.parametrize("name", pages())
def test_pages_have_the_boundaries_of_the_oracle(name):
    page = (PAGES / name).read_bytes().decode(CHARSETS.get(name, "utf-8"))
    found = ids(page)
    outcomes = {
        id_: {action: outcome(page, id_, action) for action in ACTIONS} for id_ in found if not is_raw(page, id_)
    }
    assert outcomes
    left = {id_: one["replace"] for id_, one in outcomes.items() if one["replace"] != "same"}
    assert left == LEFT_ALONE.get(name, {})


def is_raw(page, id_):
    return any(f"<{tag} id={quote}{id_}" in page for tag in RAW_TEXT for quote in ("", '"'))


# --- generated pages -------------------------------------------------------------------------------------------------

COMMON = [
    "div", "p", "span", "b", "i", "a", "ul", "ol", "li", "dl", "dd", "dt", "table", "tr", "td", "h1", "h2", "section",
]  # fmt: skip
RARE = [
    "th", "tbody", "thead", "caption", "colgroup", "article", "form", "button", "option", "optgroup", "br", "img", "input", "hr", "svg", "math", "title", "g", "path", "foreignObject", "mi", "mtext", "desc", "textarea", "template", "object", "ruby", "rt", "rp", "pre", "nobr", "main", "label", "em", "font", "center", "address", "summary", "select",
]  # fmt: skip
NAMES = st.sampled_from(COMMON * 3 + RARE)
PIECES = st.one_of(
    NAMES.map(lambda name: ("start", name)),
    NAMES.map(lambda name: ("start", name)),
    st.just(("end", "")),
    st.just(("end", "")),
    NAMES.map(lambda name: ("end", name)),
    st.sampled_from(["x", " ", "text ", "&amp;", "<!--c-->", "<![CDATA[x]]>", "<?pi?>", "<", "</>"]).map(
        lambda text: ("text", text)
    ),
)


@st.composite
def generated_pages(draw):
    """Mostly nested tags, each with an id; some are left open, misnested or in the wrong place. And how many ids."""
    page = [draw(st.sampled_from(["", "<!doctype html>"])), "<body>"]
    opened, count = [], 0
    for kind, text in draw(st.lists(PIECES, min_size=1, max_size=16)):
        if kind == "start":
            page.append(f"<{text} id=e{count}>")
            opened.append(text)
            count += 1
        elif kind == "text":
            page.append(text)
        elif text or opened:
            page.append(f"</{text or opened.pop()}>")
    while draw(st.integers(0, 9)) and opened:
        page.append(f"</{opened.pop()}>")
    return "".join(page), count


@given(generated_pages(), st.sampled_from(ACTIONS))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_generated_pages_have_the_boundaries_of_the_oracle(generated, action):
    page, count = generated
    for number in range(count):
        if f"e{number}" in ids(page) and not is_raw(page, f"e{number}"):
            outcome(page, f"e{number}", action)


# --- the short ways ----------------------------------------------------------------------------------------------------

ALL_WITH_ID = Selectors([[("", [("present", b"id", b"")])]])


def read(page, esi=False):
    """All that a scan says of a page, the names of end tags in lower case."""
    scan = Scan(page, ALL_WITH_ID, esi)
    rows = [(*row[:10], *(ends.lower() for ends in row[10:])) for row in scan.elements]
    return rows, scan.comments, scan.placeholders, scan.variables, scan.esi, scan.lost_at, scan.too_many


def with_capital_end_tags(page):
    """The same page, of which every end tag has to be read: only one in small letters is compared with the open element."""
    return re.sub(rb"</[a-z][a-z0-9-]*", lambda found: found[0].upper(), page)


@given(generated_pages(), st.sampled_from(["", "<!-- edge:a -->", "{{edge.a}}", "<esi:vars>$(X)</esi:vars>"]))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_end_tags_that_are_compared_do_what_those_that_are_read_do(generated, more):
    page = (generated[0] + more).encode()
    assert read(page) == read(with_capital_end_tags(page))


@pytest.mark.parametrize("name", pages())
def test_end_tags_of_pages_do_the_same_in_capitals(name):
    page = (PAGES / name).read_bytes()
    assert read(page) == read(with_capital_end_tags(page))


@pytest.mark.parametrize("tail", ["</b", "</b ", "</b>", "</bx>", "</b/>", "</", "</b\0>", "</b>x", "</b>\n<i>x</i>"])
def test_end_tag_at_the_end_of_a_page_is_read_as_elsewhere(tail):
    for inside in ("", "x", "x" * 20):
        page = b"<body><b id=x>" + inside.encode() + tail.encode()
        padded = page + b"<!--" + b" " * 40 + b"-->"
        (row,), (other,) = read(page)[0], read(padded)[0]
        assert read(with_capital_end_tags(page))[0] == [row]
        if ">" in tail:
            assert row[3] == min(other[3], len(page))


@pytest.mark.parametrize("name", ["e", "esi:x", "b", "longname", "longername"])
@pytest.mark.parametrize("esi", [False, True])
def test_end_tag_of_any_name_ends_what_is_on_top(name, esi):
    page = f"<body><{name.upper()} id=x>a</{name}>b".encode()
    (row,) = read(page, esi)[0]
    is_esi_tag = esi and name == "esi:x"  # its element, in capitals, is none of ESI's, and stays open
    assert page[row[2] : row[3]] == (b"a</esi:x>b" if is_esi_tag else b"a")
