"""The redirect table answers as a naive reading of its rows does, and never sends anyone to a host a client chose."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastedge._core.redirecttable import RedirectTable
from fastedge.limits import redirect_location_bytes_max
from fastedge.routing import table_of

TABLE = table_of(
    [
        ("/old", "/new"),
        ("/old/", "/new/", 308),
        ("/gone", "https://other.example/there?a=1#part", 302),
        ("/drop", "/dropped?a=1", 307, "drop"),
        ("/blog/*", "/news/*"),
        ("/blog/2020/*", "https://archive.example/*", 303),
        ("/blog/2020/best", "/best"),
        ("/flat/*", "/one-page"),
        ("/rooms/*", "/*"),
        ("/*/old/*", "/$1/new/$2"),
        ("/swap/*/*.html", "/$2/$1?from=$1&price=$$1"),
        ("shop.example/old", "/shop-new"),
        ("shop.example/blog/*", "/shop-news/*"),
    ]
)


@pytest.mark.parametrize(
    ("path", "query", "host", "answer"),
    [
        ("/old", "", "", (301, "/new")),
        ("/old", "a=1&b", "", (301, "/new?a=1&b")),
        ("/old/", "", "", (308, "/new/")),
        ("/gone", "", "", (302, "https://other.example/there?a=1#part")),
        ("/gone", "b=2", "", (302, "https://other.example/there?a=1&b=2#part")),
        ("/drop", "b=2", "", (307, "/dropped?a=1")),
        ("/blog/", "", "", (301, "/news/")),
        ("/blog/a%2Fb/c", "q", "", (301, "/news/a%2Fb/c?q")),
        ("/blog/2020/x", "", "", (303, "https://archive.example/x")),
        ("/blog/2020/best", "", "", (301, "/best")),
        ("/flat/a/b", "", "", (301, "/one-page")),
        ("/de/old/a", "x=1", "", (301, "/de/new/a?x=1")),
        ("/swap/a/b.html", "", "", (301, "/b/a?from=a&price=$1")),
        ("/old", "", "shop.example", (301, "/shop-new")),
        ("/old", "", "other.example", (301, "/new")),
        ("/blog/x", "", "shop.example", (301, "/shop-news/x")),
        ("/blog/2020/x", "", "shop.example", (303, "https://archive.example/x")),
    ],
)
def test_find_a_row(path, query, host, answer):
    assert TABLE.find(path, query, host) == answer


@pytest.mark.parametrize("path", ["", "/", "*", "/ol", "/oldx", "/blog", "/blogs/", "/OLD", "/flat", "old", "/%6Fld"])
def test_find_nothing(path):
    assert TABLE.find(path) is None


def test_find_nothing_in_an_empty_table():
    assert RedirectTable().find("/") is None
    assert table_of([]).find("/") is None
    assert len(table_of([])) == 0


@pytest.mark.parametrize(
    "rest",
    [
        "/evil.example",
        "//evil.example",
        "\\evil.example",
        "/\\evil.example",
        "\\/evil.example/x",
        "@evil.example",
        ":80/",
        "https://evil.example",
        "%2F%2Fevil.example",
        ".evil.example",
        "?",
        "..//evil.example",
        "/",
    ],
)
@pytest.mark.parametrize("source", ["/rooms/*", "/r*"])
def test_carried_rest_never_chooses_the_host(source, rest):
    table = table_of([(source, "/*")])
    _, location = table.find(source.replace("*", "") + rest)
    # What a browser makes of it: backslashes are slashes (WHATWG URL, "relative slash state").
    assert location.startswith("/")
    assert urlsplit(location.replace("\\", "/")).netloc == ""


@given(st.text("/\\.:@evil%2F?*$1", max_size=12), st.sampled_from(["/*", "/$1", "/$1/x", "/$2$1", "/$1$2"]))
def test_carried_parts_never_choose_the_host(text, target):
    table = table_of([("/a/*/b/*", target.replace("$2", "") if "*" in target else target)])
    answer = table.find(f"/a/{text}/b/{text}")
    assert answer is not None
    assert urlsplit(answer[1].replace("\\", "/")).netloc == ""


@pytest.mark.parametrize("byte", [*range(0x21), 0x7F, 0x80, 0xFF])
def test_carried_control_characters_are_no_redirect(byte):
    assert TABLE.find(b"/blog/" + bytes([byte])) is None
    assert TABLE.find(b"/old", bytes([byte])) is None


def test_path_with_more_slashes_than_a_source_has_bytes():
    assert TABLE.find("/blog/" + "/" * 5000)[1] == "/news/" + "/" * 5000
    assert TABLE.find("/nothing/" + "/" * 5000) is None


def test_location_that_gets_too_long_is_no_redirect():
    table = table_of([("/a/*", "/b/*")])
    room = redirect_location_bytes_max - len("/b/")
    assert table.find("/a/" + "x" * room) == (301, "/b/" + "x" * room)
    assert table.find("/a/" + "x" * (room + 1)) is None
    assert table.find("/a/x", "q" * redirect_location_bytes_max) is None


def test_row_tells_what_the_file_said():
    assert TABLE.row(0) == (1, "exact", "", "/old", "/new", 301, True)
    assert TABLE.row(5)[1:5] == ("prefix", "", "/blog/2020/*", "https://archive.example/$1")
    assert TABLE.row(10)[4] == "/$2/$1?from=$1&price=$$1"
    with pytest.raises(IndexError):
        TABLE.row(len(TABLE))


SEGMENTS = st.sampled_from(["a", "b", "ab", "", "*", "a*"])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
SOURCES = st.tuples(st.sampled_from(["", "h.example", "i.example"]), PATHS).map("".join).filter(lambda s: "**" not in s)


@settings(max_examples=300)
@given(
    st.lists(SOURCES, max_size=12, unique=True),
    st.sampled_from(["", "h.example", "x.example"]),
    st.lists(st.sampled_from(["a", "b", "ab", "", "c"]), max_size=5).map(lambda parts: "/" + "/".join(parts)),
)
def test_find_row_equals_a_naive_reading(sources, host, path):
    table = table_of([(source, f"/target{i}") for i, source in enumerate(sources)])
    found = table.find_row(path, host)
    assert (None if found < 0 else sources[found]) == naive(sources, host, path)


def naive(sources, host, path):
    """The rules of the documentation, one after the other, in the order of precedence."""

    def score(numbered):
        number, source = numbered
        source_host, slash, rest = source.partition("/")
        pattern = slash + rest
        if source_host and source_host != host:
            return None
        if re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), path) is None:
            return None
        if "*" not in pattern:
            return (0, 0, not source_host, 0)
        if pattern.endswith("/*") and pattern.count("*") == 1:
            return (1, -len(pattern), not source_host, 0)
        return (2, 0, 0, number)

    scored = [(score(numbered), numbered[1]) for numbered in enumerate(sources)]
    return min(((points, source) for points, source in scored if points), default=(None, None))[1]
