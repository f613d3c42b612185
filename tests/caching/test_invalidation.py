"""What an answer to an unsafe method makes invalid, and what it cannot reach."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Fields, Plan, Request
from fastedge._core.purges import name_hash
from fastedge.caching.invalidation import invalidated_names


def invalid(*lines, method="POST", status=200, scheme="http", host="a.example", target="/x/y?z"):
    request = Request(method, target, host=host, scheme=scheme)
    return invalidated_names(request, Plan(target=target), status, Fields(lines))


def urls(*names):
    return [name_hash(b"url", name) for name in names]


OWN = urls(b"http://a.example/x/y?z")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"])
@pytest.mark.parametrize("status", [200, 204, 302, 399])
def test_target_is_invalid_after_an_unsafe_method(method, status):
    assert invalid(method=method, status=status) == OWN


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_nothing_is_invalid_after_a_safe_method(method):
    assert invalid(("location", "/"), ("cache-group-invalidation", '"g"'), method=method) == []


@pytest.mark.parametrize("status", [400, 404, 500, 599])
def test_nothing_is_invalid_after_an_error(status):
    assert invalid(("location", "/"), status=status) == []


@pytest.mark.parametrize("name", ["location", "content-location"])
@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("/b", b"http://a.example/b"), ("b?c#d", b"http://a.example/x/b?c"), ("../b", b"http://a.example/b"),
        ("?b", b"http://a.example/x/y?b"), ("//A.example:80/b", b"http://a.example/b"), ("HTTP://a.EXAMPLE", b"http://a.example/"),
        ("http://a.example:80/b%2F", b"http://a.example/b%2F"),
    ],
)  # fmt: skip
def test_location_of_the_same_origin_is_invalid_too(name, reference, url):
    assert invalid((name, reference)) == OWN + urls(url)


@pytest.mark.parametrize(
    "reference",
    ["https://a.example/b", "http://b.example/b", "http://a.example:81/b", "//b.example/", "http://a.example:x/", "mailto:a",
     "http://[/", "/\xe4", "http://a.example@b.example/"],
)  # fmt: skip
def test_location_of_another_origin_is_not(reference):
    assert invalid(("location", reference)) == OWN


def test_both_locations_count():
    assert invalid(("content-location", "/c"), ("location", "/l")) == OWN + urls(
        b"http://a.example/l", b"http://a.example/c"
    )


def test_groups_are_those_of_the_origin():
    found = invalid(("cache-group-invalidation", '"g", "h"'), scheme="https", host="a.example:443")
    assert found[1:] == [name_hash(b"group", b"https://a.example\0" + group) for group in (b"g", b"h")]
    assert invalid(("cache-group-invalidation", '"g", h')) == OWN


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30))
def test_any_reference_has_an_answer(reference):
    assert invalid(("location", reference))[:1] == OWN
