"""What a personal page costs: reading it once when it is stored, and joining it for each visitor, beside whole parsers.

The page has 50 KB, 1,200 tags and six slots; values are short texts.
"""

import pytest

from benchmarks.pages import page_of
from fastedge._core.htmlscan import Scan
from fastedge.html import Fragment, PageRules, Slot, compile_page

SLOTS = tuple(f"s{number}" for number in range(6))
RULES = PageRules([Slot(name) for name in SLOTS])
VALUES = tuple(b"Hello, visitor number %d" % number for number in range(len(SLOTS)))
PAGE = page_of(50_000, SLOTS)


def compiled(raw: bool = False):
    made = compile_page(PAGE, PageRules([Slot(name, raw=raw) for name in SLOTS]), "utf-8")
    assert made.inputs == SLOTS
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
    benchmark(template.render, (None,) * len(SLOTS))


@pytest.mark.benchmark(group="html: a visitor")
@pytest.mark.parametrize("prepared", [True, False], ids=["prepared", "fresh"])
def test_render_gzip_of_large_fragments(benchmark, prepared):
    made = compiled(raw=True)
    fragment = page_of(2_000, ())[:2_000]
    benchmark(made.render_gzip, (Fragment(fragment) if prepared else fragment,) * len(SLOTS))
