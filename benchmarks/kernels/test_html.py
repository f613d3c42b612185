"""What a personal page costs: reading it once when it is stored, and joining it for each visitor, beside whole parsers.

The page has 50 KB, 1,200 tags and six slots; values are short texts.
"""

import random

import pytest

from fastedge._core.htmlscan import Scan
from fastedge.html import Fragment, PageRules, Slot, compile_page

SLOTS = 6
RULES = PageRules([Slot(f"s{number}") for number in range(SLOTS)])
VALUES = tuple(b"Hello, visitor number %d" % number for number in range(SLOTS))
WORDS = (
    b"the of and a to in is was for on that with as by at from it an be are this which or had not have one new first "
    b"after time two more other people into only year when over some world most such where between through city later"
).split()


def page_of(size: int, slots: int = SLOTS) -> bytes:
    """Something like a news site's front page."""
    draw = random.Random(1)

    def text(count: int) -> bytes:
        return b" ".join(draw.choice(WORDS) for _ in range(count)).capitalize() + b"."

    parts = [
        b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>The daily page</title>\n<style>\n'
    ]
    parts += [b".c%d { margin: %dpx; }\n" % (number, number) for number in range(60)]
    parts += [b'</style>\n<script>\nwindow.config = {"a": [1, 2], "b": "<div>"};\n']
    parts += [b"function f%d(x) { if (x < %d) { return x; } return 0; }\n" % (number, number) for number in range(40)]
    parts += [b'</script>\n</head>\n<body class="page">\n<header id="top"><ul>']
    parts += [b'<li><a href="/section/%d" class="link">Section %d</a></li>' % (number, number) for number in range(20)]
    parts += [b"</ul></header>\n<main>\n"]
    length, story = sum(map(len, parts)), 0
    while length < size:
        if story % 5 == 1 and story // 5 < slots:
            parts.append(b'<div class="slot" data-edge="s%d"><p>The page\'s own content.</p></div>\n' % (story // 5))
        parts.append(
            b'<article class="story" id="story-%d">\n<h2><a href="/story/%d?from=home" title="Story %d">%b</a></h2>\n'
            b'<img src="/img/%d.jpg" alt="%b" width="320" height="180">\n<p>%b</p>\n<p>%b <b>%b</b> %b</p>\n'
            b'<p class="meta"><span class="author">%b</span> <time datetime="2026-11-25">today</time></p>\n</article>\n'
            % (story, story, story, text(6), story, text(4), text(40), text(30), text(3), text(12), text(2))
        )
        length, story = length + len(parts[-1]), story + 1
    return b"".join([*parts, b"</main>\n<footer><p>&copy; 2026</p></footer>\n</body>\n</html>\n"])


PAGE = page_of(50_000)


def compiled(raw: bool = False):
    made = compile_page(PAGE, PageRules([Slot(f"s{number}", raw=raw) for number in range(SLOTS)]), "utf-8")
    assert len(made.inputs) == SLOTS
    assert not made.problems
    return made


@pytest.fixture(scope="module")
def template():
    made = compiled()
    made.compress()
    return made


@pytest.mark.benchmark(group="html: storing")
def test_scan(benchmark):
    benchmark(Scan, PAGE, RULES.selectors)


@pytest.mark.benchmark(group="html: storing")
def test_scan_and_compile(benchmark):
    benchmark(compile_page, PAGE, RULES, "utf-8")


@pytest.mark.benchmark(group="html: storing")
def test_compress_the_spans(benchmark):
    benchmark.pedantic(lambda made: made.compress(), setup=lambda: ((compiled(),), {}), rounds=200)


@pytest.mark.benchmark(group="html: storing")
@pytest.mark.parametrize("library", ["turbohtml", "selectolax", "lxml"])
def test_parse_by_another(benchmark, library):
    """Whole trees, which is more than is asked for here; but it is what there is."""
    module = pytest.importorskip({"selectolax": "selectolax.lexbor", "lxml": "lxml.html"}.get(library, library))
    parse = {"selectolax": "LexborHTMLParser", "lxml": "fromstring", "turbohtml": "parse"}[library]
    benchmark(getattr(module, parse), PAGE.decode())


@pytest.mark.benchmark(group="html: a visitor")
@pytest.mark.parametrize("form", ["render", "render_bytes", "render_gzip"])
def test_render(benchmark, template, form):
    benchmark(getattr(template, form), VALUES)


@pytest.mark.benchmark(group="html: a visitor")
def test_render_without_values(benchmark, template):
    benchmark(template.render, (None,) * SLOTS)


@pytest.mark.benchmark(group="html: a visitor")
@pytest.mark.parametrize("prepared", [True, False], ids=["prepared", "fresh"])
def test_render_gzip_of_large_fragments(benchmark, prepared):
    made = compiled(raw=True)
    fragment = page_of(2_000, 0)[:2_000]
    benchmark(made.render_gzip, (Fragment(fragment) if prepared else fragment,) * SLOTS)
