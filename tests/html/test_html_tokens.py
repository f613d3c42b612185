"""Invariant: the start tags that are found, and their attributes, are those that a whole HTML parser finds."""

import pytest
import turbohtml
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge._core.htmlscan import Scan
from fastedge._core.htmlselectors import Selectors
from fastedge._core.htmltokens import read_attributes

ALL_WITH_N = Selectors([[("", [("present", b"n", b"")])]])
SOUP = st.lists(
    st.sampled_from([
        "<p n>", "<p n>", "<p n='a'>", '<p x="', "<p x='", "<p x=", "<P N=1>", "<p\tn\f/>", "</p>", "</p x='>'>", "</", "<", ">", "'", '"', "=", "/",
        "<!--", "-->", "--!>", "->", "--", "!", "-", "<!", "<!-->", "<!--->", "<?", "<![CDATA[", "]]>", "]", "<!DOCTYPE", "x", " ", "\n",
        "<script>", "</script>", "</script ", "</SCRIPT/>", "<script", "<style>", "</style>", "<title>", "</title>", "<textarea>",
        "</textarea>", "<svg>", "</svg>", "<svg/>", "<g/>", "<xmp>", "</xmp>", "<iframe>", "</iframe>", "\0", "é", "<é", "<p\0 n>",
    ]),
    max_size=14,
)  # fmt: skip


def oracle(page):
    return [
        (element.tag, str(element.attr("n") or "")) for element in turbohtml.parse(page, scripting=True).select("[n]")
    ]


def found(page):
    data = page.encode()
    rows = []
    for _, start, *_ in Scan(data, ALL_WITH_N).elements:
        name_end, attributes = read_attributes(data, start)
        values = [data[value:end] if value >= 0 else b"" for name, _, value, end, _, _ in attributes if name == b"n"]
        rows.append(
            (
                data[start + 1 : name_end].decode().replace("\0", "\ufffd").lower(),
                values[0].decode().replace("\0", "\ufffd"),
            )
        )
    return rows


@given(SOUP)
@settings(max_examples=500, deadline=None)
def test_start_tags_are_those_of_the_oracle(pieces):
    page = "<!doctype html><body>" + "".join(pieces)
    assert found(page) == oracle(page)


@pytest.mark.parametrize(
    ("page", "count"),
    [
        ("<!--><p n>", 1),
        ("<!---><p n>", 1),
        ("<!----><p n>", 1),
        ("<!-- --!><p n>", 1),
        ("<!--!><p n>-->", 0),
        ("<!-- <!-- --><p n>", 1),
        ("<!-- ><p n>", 0),
        ('<!doctype html ">"><p n>', 1),
        ("<?php echo '>' ?><p n>", 1),
        ("<![CDATA[<p n>]]>", 0),
        ("<svg><![CDATA[><p n>]]></svg><p n>", 1),
        ("<script><p n></script><p n>", 1),
        ("<script><!-- <script> </script> <p n> --></script><p n>", 1),
        ("<script><!-- <script> --> </script><p n>", 1),
        ("<script><!--></script><p n>", 1),
        ("<script>'</scripty>'<p n></script >", 0),
        ("<title></titles><p n></TITLE\n><p n>", 1),
        ("<textarea><p n></textarea/><p n>", 1),
        ("<svg><title><p n></title></svg>", 1),
        ("<svg><script><g n></g></script></svg>", 1),
        ("<noscript><p n></noscript><p n>", 1),
        ("<plaintext></plaintext><p n>", 0),
        ("<p a='>' n b=\">\">", 1),
        ("<p n a='", 0),
        ("< p n>", 0),
        ("</p n>", 0),
        ("<p/n>", 1),
        ("<p =n n>", 1),
    ],
)
def test_start_tags_of_examples(page, count):
    assert len(found("<body>" + page)) == count


def test_attributes_are_spans():
    page = b"<!--x--><A b C=d e = 'f g' h=\"i\"j k=l/m/>"
    name_end, rows = read_attributes(page, 8)
    assert page[:name_end].endswith(b"<A")
    shown = [(name, page[value:end] if value >= 0 else None, quote) for name, _, value, end, _, quote in rows]
    assert shown == [
        (b"b", None, b""), (b"c", b"d", b""), (b"e", b"f g", b"'"), (b"h", b"i", b'"'), (b"j", None, b""), (b"k", b"l/m/", b""),
    ]  # fmt: skip


@pytest.mark.parametrize(("page", "at"), [(b"a<p>", 0), (b"<p>", 5), (b"<p>", -1), (b"</p>", 0), (b"<p a='", 0)])
def test_attributes_of_no_tag_are_our_own_mistake(page, at):
    with pytest.raises(ValueError, match="tag"):
        read_attributes(page, at)
