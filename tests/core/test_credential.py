"""Invariant: one credential is found or none is chosen, and after `conceal` the origin is told none of its bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Plan, Request
from fastedge._core.credential import CredentialSource, conceal

SECRET = "c3ViOmFubg.e30.c2ln"


def shown(text: str, target: str = "/", headers: Any = (), **options: Any) -> Any:
    return CredentialSource(text, **options).shown(Request("GET", target, headers))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([("Authorization", "Bearer a.b.c")], b"a.b.c"),
        ([("Authorization", "bEaReR   a.b.c")], b"a.b.c"),
        ([("Authorization", "Bearer")], b""),
        ([("Authorization", "Bearer ")], b""),
        ([("Authorization", "Bearera.b.c")], None),
        ([("Authorization", "Basic a.b.c")], None),
        ([("Authorization", "Bearer\ta")], None),
        ([("Authorization", "")], None),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer a")], "several"),
        ([("Authorization", "Basic a"), ("Authorization", "Bearer a")], "several"),
        ([("X-Authorization", "Bearer a")], None),
    ],
)
def test_shown_in_authorization(headers: Any, expected: Any) -> None:
    assert shown("header", "/", headers) == expected
    assert shown("header:Authorization", "/", headers) == expected


def test_shown_behind_another_scheme() -> None:
    headers = [("Authorization", "ApiKey k1")]
    assert shown("header", "/", headers, scheme="ApiKey") == b"k1"
    assert shown("header", "/", headers) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([("X-Key", "k 1")], b"k 1"),
        ([("X-Key", "")], b""),
        ([("x-key", "k"), ("X-KEY", "k")], "several"),
    ],
)
def test_shown_in_a_field(headers: Any, expected: Any) -> None:
    assert shown("header:X-Key", "/", headers) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        (["a=1"], None),
        (["a=1; sid=t; b=2"], b"t"),
        (["sid="], b""),
        (["sid=t; sid=t"], b"t"),
        (["sid=t; sid=u"], "several"),
        (["sid=t", "sid=u"], "several"),
        (["sid=t", "a=1; sid=t"], b"t"),
        (["sid=t; sid="], "several"),
        (["SID=t"], None),
        (["xsid=t; sidx=u"], None),
        (['sid="t"'], b'"t"'),
    ],
)
def test_shown_in_cookies(lines: list[str], expected: Any) -> None:
    assert shown("cookie:sid", "/", [("Cookie", line) for line in lines]) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", None),
        ("/?", None),
        ("/t=1", None),
        ("/?t=x", b"x"),
        ("/?a=1&t=x&b=2", b"x"),
        ("/?t", b""),
        ("/?t=", b""),
        ("/?%74=x", b"x"),
        ("/?t=x%2Ey", b"x%2Ey"),
        ("/?t=a=b", b"a=b"),
        ("/?t=x&t=x", b"x"),
        ("/?t=x&t=y", "several"),
        ("/?t=x&%74=y", "several"),
        ("/?tt=x&T=y", None),
        ("/?&&t=x&", b"x"),
    ],
)
def test_shown_in_the_query(target: str, expected: Any) -> None:
    assert shown("query:t", target) == expected


def test_name_of_a_parameter_is_compared_decoded() -> None:
    assert shown("query:my token", "/?my+token=x") == b"x"
    assert shown("query:my token", "/?my%20token=x") == b"x"


PAIRS = st.lists(
    st.tuples(st.sampled_from(["t", "a", "%74", "tt", " t", "t ", ""]), st.sampled_from(["", "1", SECRET])), max_size=6
)


def concealed(text: str, request: Request) -> Plan:
    plan = Plan(origin="main", target=request.target)
    conceal(CredentialSource(text), request, plan)
    return plan


@given(PAIRS)
def test_query_without_the_credential_keeps_all_else(pairs: list[tuple[str, str]]) -> None:
    pairs = [(name.replace(" ", "+"), value) for name, value in pairs]
    target = "/p?" + "&".join(f"{name}={value}" for name, value in pairs)
    kept = [f"{name}={value}" for name, value in pairs if name not in ("t", "%74")] if pairs else [""]
    assert concealed("query:t", Request("GET", target)).target == ("/p?" + "&".join(kept) if kept else "/p")


@given(PAIRS, PAIRS)
def test_cookies_without_the_credential_keep_all_else(one: Any, other: Any) -> None:
    lines = ["; ".join(f"{name}={value}" for name, value in pairs) for pairs in (one, other) if pairs]
    request = Request("GET", "/", [("cookie", line) for line in lines])
    plan = concealed("cookie:t", request)
    everything = [pair.strip() for line in lines for pair in line.split(";")]
    kept = [pair for pair in everything if pair.partition("=")[0].strip() != "t"]
    if not plan.header_edits:
        assert kept == everything
        return
    ((name, value, keyed),) = plan.header_edits
    assert (name, keyed) == ("cookie", False)
    assert [pair.strip() for pair in (value or "").split(";") if pair.strip()] == [pair for pair in kept if pair]


def test_cookie_that_a_stage_has_set_loses_the_credential_and_stays_in_the_key() -> None:
    plan = Plan(origin="main")
    plan.set_header("cookie", f"a=1; t={SECRET}")
    conceal(CredentialSource("cookie:t"), Request("GET", "/", {"cookie": f"t={SECRET}; b=2"}), plan)
    assert plan.header_edits[-1] == ("cookie", "a=1", True)


def test_cookies_that_a_stage_has_removed_stay_removed() -> None:
    plan = Plan(origin="main")
    plan.remove_header("cookie")
    conceal(CredentialSource("cookie:t"), Request("GET", "/", {"cookie": f"t={SECRET}; b=2"}), plan)
    assert plan.header_edits == [("cookie", None, True)]


@pytest.mark.parametrize(
    "text", ["", "headers", "header:", "header:a b", "cookie", "cookie:", "cookie:a=b", "query:", "query:a=b"]
)
def test_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        CredentialSource(text)
