"""Globs with captures say the same as a regular expression with reluctant groups."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.wildcard import match


@pytest.mark.parametrize(
    ("pattern", "text", "captures"),
    [
        (b"/a", b"/a", []),
        (b"/*", b"/", [b""]),
        (b"/*/old/*", b"/shop/old/x/y", [b"shop", b"x/y"]),
        (b"/*/old/*", b"/a/b/old/", [b"a/b", b""]),
        (b"/*/old/*", b"/a/old/b/old/c", [b"a", b"b/old/c"]),
        (b"/*.html", b"/a.html/b.html", [b"a.html/b"]),
        (b"/a*b*c", b"/abbc", [b"", b"b"]),
        (b"/*a", b"/", None),
        (b"/a*a", b"/a", None),
        (b"/a", b"/ab", None),
    ],
)
def test_match_of_examples(pattern, text, captures):
    assert match(pattern, text) == captures


@given(st.text("a/*", max_size=8).filter(lambda p: "**" not in p), st.text("a/", max_size=14))
def test_match_equals_reluctant_groups(pattern, text):
    # The last `*` is reluctant too, but at the end of a full match it takes the rest all the same.
    expected = re.fullmatch("(.*?)".join(map(re.escape, pattern.split("*"))), text, re.DOTALL)
    assert match(pattern.encode(), text.encode()) == (
        None if expected is None else [group.encode() for group in expected.groups()]
    )


def test_match_stays_polynomial_on_a_hostile_text():
    started = time.process_time()
    assert match(b"/" + b"*a" * 60 + b"b", b"/" + b"a" * 8000) is None
    assert time.process_time() - started < 1
