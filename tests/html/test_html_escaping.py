"""Invariant: whatever a visitor's value is, the page that it goes into has the same elements, attributes and scripts."""

import pytest
import turbohtml
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge._core.htmlescape import escape_value
from fastedge.html import PageRules, Slot, compile_page
from fastedge.limits import html_value_bytes_max

# Each place that a value can go to, in a page whose structure must not change.
PLACES = [
    (b"<p id=x>own</p>", Slot("v", "#x")),
    (b"<p id=x>own</p>", Slot("v", "#x", "replace")),
    (b"<p id=x>own</p>", Slot("v", "#x", "before")),
    (b"<p id=x>own</p>", Slot("v", "#x", "append")),
    (b"<p><!-- edge:v -->own<!-- /edge:v --></p>", Slot("v")),
    (b"<p>Hello {{edge.v}}</p>", Slot("v")),
    (b"<title>Hello {{edge.v}}</title>", Slot("v")),
    (b"<textarea>Hello {{edge.v}}</textarea>", Slot("v")),
    (b"<textarea id=x>own</textarea>", Slot("v", "#x")),
    (b"<svg><title>{{edge.v}}</title></svg>", Slot("v")),
    (b'<a title="{{edge.v}}">t</a>', Slot("v")),
    (b"<a title='a {{edge.v}} b'>t</a>", Slot("v")),
    (b"<a title={{edge.v}} class=b>t</a>", Slot("v")),
    (b"<a href='{{edge.v}}'>t</a>", Slot("v")),
    (b"<a href={{edge.v}}>t</a>", Slot("v")),
    (b"<a href='/p/{{edge.v}}?q={{edge.v}}#{{edge.v}}'>t</a>", Slot("v")),
    (b"<a href='{{edge.v}}/x'>t</a>", Slot("v")),
    (b"<a id=x class=a>t</a>", Slot("v", "#x", "set_attribute", "class")),
    (b"<a id=x class>t</a>", Slot("v", "#x", "set_attribute", "class")),
    (b"<a id=x>t</a>", Slot("v", "#x", "set_attribute", "href")),
    (b"<script id=x src='/a.js'></script>", Slot("v", "#x", "set_attribute", "src")),
    (b"<iframe src='{{edge.v}}'></iframe>", Slot("v")),
]
FRAME = b"<!doctype html><html><head></head><body>%b<p class=last>last</p></body></html>"
EVIL = st.sampled_from([
    "<script>alert(1)</script>", "</title><script>", "</textarea><b>", "\" onclick=\"x", "' onclick='x", "> <b>", "-->", "<!--", "]]>",
    "javascript:alert(1)", "JaVa\tScript:x", " javascript:x", "\x01javascript:x", "data:text/html,x", "//evil.example/", "/\\evil.example",
    "\\\\evil.example", "vbscript:x", "&quot;", "&#34;", "&lt;b&gt;", "`", "a=b c=d", "{{edge.v}}", "\0", "\r\n", "é", "\ud800", "",
])  # fmt: skip
VALUES = st.one_of(EVIL, st.text(max_size=20), st.lists(EVIL, max_size=3).map("".join))


def shape(page):
    """Elements and the names of their attributes, in order: what no value may change."""
    document = turbohtml.parse(page.decode("utf-8", "replace"))
    return [(element.tag, sorted(element.attrs)) for element in document.select("*")]


@pytest.mark.parametrize(("page", "slot"), PLACES)
@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_no_value_makes_an_element_an_attribute_or_a_script(page, slot, value):
    page = FRAME % page
    template = compile_page(page, PageRules([slot]), "utf-8")
    assert template.inputs == ("v",)
    refused = []
    made = template.render_bytes((value,), refused)
    expected = shape(template.render_bytes(("harmless",)))
    assert shape(made) == (shape(page) if refused else expected)
    assert scripts(made) <= {None, "http", "https", "mailto", "tel"}


def scripts(page):
    """The schemes of all URLs, as a browser finds them."""
    document = turbohtml.parse(page.decode("utf-8", "replace"))
    urls = [str(element.attr(name)) for name in ("href", "src") for element in document.select(f"[{name}]")]
    return {scheme_of(url) for url in urls}


def scheme_of(url):
    url = "".join(c for c in url if c not in "\t\r\n").lstrip("".join(map(chr, range(33))))
    scheme, colon, _ = url.partition(":")
    named = colon and scheme[:1].isascii() and scheme[:1].isalpha() and all(c.isalnum() or c in "+-." for c in scheme)
    return scheme.lower() if named else None


@given(VALUES)
def test_text_comes_out_as_it_went_in(value):
    value = value.replace("\0", "").replace("\r", "").encode("utf-8", "replace").decode()
    (element,) = turbohtml.parse(f"<p>{escape_value(value, 'text').decode()}</p>").select("p")
    assert element.text == value
    (element,) = turbohtml.parse(f"<p title='{escape_value(value, 'quoted').decode()}'>").select("p")
    assert element.attr("title") == value


@pytest.mark.parametrize(
    ("value", "url", "local_url"),
    [
        ("/a?b=1&c", b"/a?b=1&amp;c", b"/a?b=1&amp;c"),
        ("a.html", b"a.html", b"a.html"),
        ("?a:b", b"?a:b", b"?a:b"),
        ("", b"", b""),
        ("https://shop.example/", b"https://shop.example/", None),
        ("HTTPS:x", b"HTTPS:x", None),
        ("mailto:a@b", b"mailto:a@b", None),
        ("//evil.example/a", b"//evil.example/a", None),
        ("/\\evil.example", b"/\\evil.example", None),
        ("\\\\evil.example", b"\\\\evil.example", None),
        ("javascript:alert(1)", None, None),
        ("JavaScript:alert(1)", None, None),
        ("data:text/html,x", None, None),
        ("java\nscript:x", None, None),
        (" javascript:x", None, None),
        ("/a\tb", None, None),
        ("x:y", None, None),
    ],
)
def test_url_is_harmless_or_refused(value, url, local_url):
    assert escape_value(value, "url") == url
    assert escape_value(value, "local_url") == local_url


def test_part_of_a_url_is_one_component():
    assert escape_value("a/b?c=d&e#f ü\\.~", "url_part") == b"a%2Fb%3Fc%3Dd%26e%23f%20%C3%BC%5C.~"
    assert escape_value(".", "url_part") is escape_value("..", "url_part") is None
    assert escape_value("...", "url_part") == b"..." and escape_value("%2e%2e", "url_part") == b"%252e%252e"


@pytest.mark.parametrize(
    ("page", "value", "made"),
    [
        (b"<script src='//{{edge.v}}/a.js'>", "evil.example", None),
        (b"<script src='https://{{edge.v}}/a.js'>", "evil.example", None),
        (b"<script src='/{{edge.v}}.js'>", "/evil.example/a", b"<script src='/%2Fevil.example%2Fa.js'>"),
        (b"<script src='//cdn.example/{{edge.v}}.js'>", "a", b"<script src='//cdn.example/a.js'>"),
        (b"<a href='javascript:f({{edge.v}})'>", "1", None),
        (b"<a href='javascript&colon;/{{edge.v}}'>", "1", None),
        (b"<a href='{{edge.v}}{{edge.v}}'>", "javascript:", None),
        (b"<a href='{{edge.v}}:1'>", "javascript", None),
        (b"<img src='/{{edge.v}}'>", "a b", b"<img src='/a%20b'>"),
        (b"<div style='color:{{edge.v}}'>", "red", None),
        (b"<iframe srcdoc='{{edge.v}}'>", "a", None),
        (b"<meta http-equiv=refresh content='0;url={{edge.v}}'>", "a", None),
        (b"<svg><animate to='{{edge.v}}'/>", "a", None),
    ],
)
def test_url_is_put_together_so_that_the_page_says_where_it_leads(page, value, made):
    template = compile_page(page, PageRules([Slot("v")]), "utf-8")
    assert template.render_bytes((value,) * len(template.inputs)) == (made or page)


def test_raw_lifts_the_checks_of_attributes_and_not_their_quotes():
    template = compile_page(b"<a onclick='f({{edge.v}})'>", PageRules([Slot("v", raw=True)]), "utf-8")
    assert template.render_bytes(("'x'",)) == b"<a onclick='f(&#39;x&#39;)'>"


def test_refused_value_leaves_the_page_s_own_and_is_told():
    template = compile_page(b"<a href='{{edge.a}}'>{{edge.b}}", PageRules([Slot("a"), Slot("b")]), "utf-8")
    refused = []
    assert template.render_bytes(("javascript:x", "B"), refused) == b"<a href='{{edge.a}}'>B"
    assert [template.inputs[number] for number in refused] == ["a"]
    assert template.render_bytes(("/a", "x" * (html_value_bytes_max + 1)), refused) == b"<a href='/a'>{{edge.b}}"
    assert [template.inputs[number] for number in refused] == ["a", "b"]


def test_value_of_another_type_is_our_own_mistake():
    with pytest.raises(TypeError, match="bytes or str, not int"):
        escape_value(1, "text")
