import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.identity.strict_json import parse_object

CHARACTERS = st.characters(exclude_categories=["Cs"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(CHARACTERS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(CHARACTERS), VALUES, max_size=5), st.booleans(), st.sampled_from([None, 2]))
def test_parse_object_reads_what_any_writer_writes(
    value: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    assert parse_object(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"1",
        b'"a"',
        b"null",
        b"{",
        b"{}x",
        b'{"a":1,}',
        b"{'a':1}",
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        b'{"a":1e999}',
        b'{"a":-1e999}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":"\\ud800"}',
        b"{" * 5000,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
)
def test_parse_object_refuses_what_is_no_object(data: bytes) -> None:
    assert parse_object(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":1, "a":2}',
        b'{"a":1,"\\u0061":2}',
        b'{"x":{"a":1,"a":2}}',
        b'{"x":[{"a":1,"a":2}]}',
        b'{"a":{},"b":1,"a":[]}',
    ],
)
def test_parse_object_refuses_a_member_twice_at_any_depth(data: bytes) -> None:
    assert parse_object(data) is None


def test_parse_object_takes_one_name_in_two_objects() -> None:
    assert parse_object(b'{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}') == {"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}
