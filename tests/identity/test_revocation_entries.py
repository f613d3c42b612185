"""Revocations as they are written: what is understood, and what is refused by its place and never by its name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.errors import ConfigError
from fastedge.identity.revocations import Change, Revocation, parse_change, parse_list
from fastedge.limits import revocation_name_bytes_max, revocation_request_items_max, revocations_errors_max

NOW = 1_800_000_000.4


def change(**members: Any) -> Change:
    return parse_change(json.dumps(members).encode(), NOW)


def test_entries_of_a_request() -> None:
    asked = change(
        revoke=[
            {"jti": "a"},
            {"jti": "b", "expires": 1_900_000_000},
            {"sub": "ann"},
            {"sub": "bob", "issued_before": 1_700_000_000, "expires": 1_900_000_000.5},
            {"issued_before": 1_600_000_000.001},
            {"everyone": True, "expires": 5},
        ],
        restore=[{"jti": "c"}, {"sub": "a"}],
    )
    assert asked.revoke == (
        Revocation("jti", "a"),
        Revocation("jti", "b", None, 1_900_000_000),
        Revocation("sub", "ann", 1_800_000_001),
        Revocation("sub", "bob", 1_700_000_000, 1_900_000_001),
        Revocation("everyone", None, 1_600_000_001),
        Revocation("everyone", None, 1_800_000_001, 5),
    )
    assert asked.restore == (Revocation("jti", "c"), Revocation("sub", "a"))
    assert change(restore=[{"everyone": True}]).restore == (Revocation("everyone", None),)


ONE = "expected exactly one of jti, sub and"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "nothing to do"),
        (b'{"revoke":[],"restore":[]}', "nothing to do"),
        (b'{"revoked":[{"jti":"a"}]}', "unknown field `revoked`"),
        (b'{"revoke":{"jti":"a"}}', "Expected `array`, got `object` - at `$.revoke`"),
        (b'{"revoke":[{"jti":"a"},{"jti":5}]}', "Expected `str`, got `int` - at `$.revoke[1].jti`"),
        (b'{"revoke":[{"jti":null}]}', "at `$.revoke[0].jti`"),
        (b'{"revoke":[{"jti":null,"issued_before":5}]}', "at `$.revoke[0].jti`"),
        (b'{"revoke":[{"jti":"a"},{}]}', f'{ONE} "everyone": true - at `$.revoke[1]`'),
        (b'{"revoke":[{"expires":5}]}', ONE),
        (b'{"revoke":[{"everyone":false}]}', ONE),
        (b'{"revoke":[{"everyone":false,"issued_before":5}]}', ONE),
        (b'{"revoke":[{"everyone":true,"sub":"ann"}]}', ONE),
        (b'{"revoke":[{"jti":"a","sub":"ann"}]}', ONE),
        (b'{"revoke":[{"jti":""}]}', "a jti has from 1 to 8192 bytes - at `$.revoke[0]`"),
        (b'{"revoke":[{"sub":"%s"}]}' % ("é" * 4097).encode(), "a sub has from 1 to 8192 bytes"),
        (b'{"revoke":[{"jti":"a","issued_before":5}]}', "expected no issued_before"),
        (b'{"revoke":[{"jti":"a","expires":1800000000000}]}', "expires is no time in seconds since 1970"),
        (b'{"revoke":[{"sub":"a","issued_before":0}]}', "issued_before is no time in seconds"),
        (b'{"revoke":[{"sub":"a","issued_before":-5}]}', "issued_before is no time in seconds"),
        (b'{"revoke":[{"sub":"a","issued_before":"now"}]}', "Expected `float`, got `str`"),
        (b'{"revoke":[{"sub":"a","issued_before":true}]}', "Expected `float`, got `bool`"),
        (b'{"revoke":[{"sub":"a","issued_before":NaN}]}', "JSON is malformed"),
        (b'{"revoke":[{"sub":"a","issued_before":1e999}]}', "`$.revoke[0].issued_before`"),
        (b'{"revoke":[{"sub":"a","until":5}]}', "unknown field `until` - at `$.revoke[0]`"),
        (b'{"restore":[{"jti":"a"},{"sub":"a","issued_before":5}]}', "expected no time"),
        (b'{"restore":[{"issued_before":5}]}', "expected no time"),
        (b'{"restore":[{"jti":"a","expires":5}]}', "at `$.restore[0]`"),
        (
            b'{"revoke":[{"sub":"a"}],"restore":[{"jti":"a"},{"sub":"a"}]}',
            "revoked and restored at once - at `$.restore[1]`",
        ),
        (b'{"revoke":[{"jti":"\\ud800xxxxxx"}]}', "JSON is malformed"),
    ],
)
def test_mistake_is_named(body: bytes, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_change(body, NOW)
    assert message in str(caught.value)


def test_no_message_repeats_a_name() -> None:
    for entry in ({"jti": "the-name", "issued_before": 5}, {"sub": "the-name", "jti": "x"}, {"sub": "the-name" * 2000}):
        with pytest.raises(ValueError) as caught:
            change(revoke=[entry])
        assert "the-name" not in str(caught.value)


def test_too_many_entries_are_refused() -> None:
    half = [{"jti": str(i)} for i in range(revocation_request_items_max // 2)]
    other = [{"sub": str(i)} for i in range(revocation_request_items_max // 2)]
    assert len(change(revoke=half, restore=other).revoke) == len(half)
    with pytest.raises(ValueError, match="10001 entries; one request may have 10000"):
        change(revoke=[*half, {"sub": "ann"}], restore=other)


def test_longest_name_is_one() -> None:
    assert change(revoke=[{"jti": "x" * revocation_name_bytes_max}]).revoke[0].kind == "jti"


_times = st.none() | st.integers(1, 0xFFFFFFFE)
_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_revocations = (
    st.builds(Revocation, st.just("jti"), _names, st.none(), _times)
    | st.builds(Revocation, st.just("sub"), _names, st.integers(1, 0xFFFFFFFE), _times)
    | st.builds(Revocation, st.just("everyone"), st.none(), st.integers(1, 0xFFFFFFFE), _times)
)


@given(
    st.lists(_revocations, min_size=1, max_size=5),
    st.lists(st.builds(Revocation, st.just("jti"), _names, st.none(), st.none()), max_size=3),
)
def test_change_is_read_as_it_was_written(revoke: list[Revocation], restore: list[Revocation]) -> None:
    revoked = {one.who for one in revoke}
    whole = Change(tuple(revoke), tuple(one for one in restore if one.who not in revoked))
    assert whole.to_line().endswith(b"\n")
    assert parse_change(whole.to_line(), None) == whole


# --- a file -----------------------------------------------------------------------------------------------------


def test_lines_of_a_file() -> None:
    data = b'{"jti":"a"}\n\n  \r\n{"sub":"ann","issued_before":5}\r\n{"issued_before":6,"expires":7}'
    assert list(parse_list("revoked.jsonl", data)) == [
        Revocation("jti", "a"),
        Revocation("sub", "ann", 5),
        Revocation("everyone", None, 6, 7),
    ]
    assert list(parse_list("empty", b"")) == []


def test_broken_lines_are_named_all_at_once() -> None:
    data = b'{"jti":"a"}\n{"jti":5}\n{"sub":"the-name"}\n\nthe-name\n{"everyone":true}\n\xff\n'
    with pytest.raises(ConfigError) as caught:
        list(parse_list("revoked.jsonl", data))
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"revoked.jsonl, line {number}" for number in (2, 3, 5, 6, 7)]
    assert lines[1] == "revoked.jsonl, line 3: issued_before is missing"
    assert "the-name" not in str(caught.value)


def test_file_that_is_none_is_not_told_line_by_line() -> None:
    with pytest.raises(ConfigError) as caught:
        list(parse_list("f", b"x\n" * 1000))
    lines = str(caught.value).splitlines()
    assert len(lines) == revocations_errors_max + 1
    assert lines[-1] == "f: and 980 more"
