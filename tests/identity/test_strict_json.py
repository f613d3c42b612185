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
        b'{"a":' + b"[" * 17 + b"]" * 17 + b"}",
        b'{"a":' * 18 + b"1" + b"}" * 18,
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\x01"}',
        b'{"a":1}\x00',
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
        b'{"a":1,"b":"\\":\\":","a":2}',
        b'{"a" :1,"a" :2}',
        b'{"a"\n:1,"a"\t:2," :":" :"}',
        b'{"":1,"":2}',
        b'{"\\"":1,"\\u0022":2}',
        b'{"' + b"a" * 200 + b'":1,"' + b"a" * 200 + b'":1}',
    ],
)
def test_parse_object_refuses_a_member_twice_at_any_depth(data: bytes) -> None:
    assert parse_object(data) is None


def test_parse_object_takes_one_name_in_two_objects() -> None:
    assert parse_object(b'{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}') == {"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}


@pytest.mark.parametrize(
    "value",
    [
        {"iss": "https://id.shop.example", "a": '":": :'},
        {'":': " :", ":": ": "},
        {"\\": "\\", "b": '\\":'},
        {"a": "{[" * 30, "b": "]}" * 30},
        {"a": [[[]], [{}], [{"b": [{}, {}]}]] * 3},
        {str(i): i for i in range(300)},
        {"a": 2**64, "b": -(10**40)},
        {"a": [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]},
        {},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_parse_object_is_not_misled_by_what_strings_hold(value: dict[str, object], indent: int | None) -> None:
    assert parse_object(json.dumps(value, indent=indent).encode()) == value
    assert parse_object(json.dumps(value, indent=indent, separators=(",", ":")).encode()) == value


PIECES = st.sampled_from(["a", "b", ":", '\\"', "\\\\", "{", "[", " ", "\\u0061", "é"])


@given(st.lists(st.tuples(st.lists(PIECES, max_size=3), st.lists(PIECES, max_size=3)), max_size=4), st.booleans())
def test_parse_object_takes_a_text_if_and_only_if_no_name_comes_twice(
    members: list[tuple[list[str], list[str]]], nested: bool
) -> None:
    text = ",".join(f'"{"".join(name)}" : "{"".join(value)}"' for name, value in members)
    names = [json.loads(f'"{"".join(name)}"') for name, _ in members]
    text = f'{{"x":[{{{text}}}]}}' if nested else f"{{{text}}}"
    assert (parse_object(text.encode()) is not None) == (len(set(names)) == len(names))
