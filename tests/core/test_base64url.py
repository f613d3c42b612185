"""Invariant: bytes have one spelling, and what decodes encodes back to the very same text."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.base64url import decode


def encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@given(st.binary(max_size=200))
def test_decode_gives_back_what_was_encoded(data: bytes) -> None:
    assert decode(encode(data)) == data


@given(st.text(alphabet="ABZaz059-_+/= \n.é\x00", max_size=12))
def test_decode_accepts_one_spelling_only(text: str) -> None:
    raw = text.encode("latin-1")
    data = decode(raw)
    assert data is None or encode(data) == raw


@pytest.mark.parametrize(
    "text", [b"A", b"AAAAA", b"AB", b"AAB", b"AA==", b"AA+A", b"AA/A", b" AAA", b"AAA\n", b"A\xffAA", b"A\0AA"]
)
def test_decode_refuses_what_is_not_strict(text: bytes) -> None:
    assert decode(text) is None


def test_decode_of_every_single_byte() -> None:
    assert [decode(encode(bytes((byte,)))) for byte in range(256)] == [bytes((byte,)) for byte in range(256)]
