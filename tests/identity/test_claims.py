"""Invariant: whatever a claim says, its field is printable ASCII, and a string comes back by decoding once."""

import json
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.identity.claims import field_value, read_only

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(TEXTS | st.text(" %a\r\n\0é", max_size=6))
def test_field_value_of_a_string_is_printable_and_decodes_once(text: str) -> None:
    value = field_value(text)
    assert all(" " <= character <= "~" for character in value)
    assert value == value.strip()
    assert unquote(value, errors="strict") == text


@given(JSON.filter(lambda value: not isinstance(value, str)))
def test_field_value_of_anything_else_is_json(value: Any) -> None:
    text = field_value(value)
    assert all(" " <= character <= "~" for character in text)
    assert json.loads(text) == value


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("ann", "ann"),
        ("Ann Lee <ann@shop.example>", "Ann Lee <ann@shop.example>"),
        ("100%", "100%25"),
        (" a b ", "%20a b%20"),
        ("  ", "%20%20"),
        ("", ""),
        ("a\r\nx-admin: 1", "a%0D%0Ax-admin: 1"),
        ("Zoë", "Zo%C3%AB"),
        ("\u2028", "%E2%80%A8"),
        (5, "5"),
        (1.5, "1.5"),
        (True, "true"),
        (["a", "ë"], '["a","\\u00eb"]'),
        ({"a": [1, None]}, '{"a":[1,null]}'),
    ],
)
def test_field_value(claim: Any, value: str) -> None:
    assert field_value(claim) == value


def test_read_only_cannot_be_changed_at_any_depth() -> None:
    claims, count = read_only({"sub": "ann", "roles": ["a", ["b"]], "org": {"id": 1, "tags": []}})
    assert claims == {"sub": "ann", "roles": ("a", ("b",)), "org": {"id": 1, "tags": ()}}
    assert count == 3 + 3 + 2
    assert isinstance(claims, MappingProxyType) and isinstance(claims["org"], MappingProxyType)
    with pytest.raises(TypeError):
        claims["sub"] = "bob"  # type: ignore[index]


def test_read_only_of_an_empty_object() -> None:
    assert read_only({}) == ({}, 0)
