"""Overrides as texts: what is signed is what is read, and nothing else is an override."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.routing.overrides import make_override, read_override


def mac(text):
    return hmac.digest(b"key", text, "sha256")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@pytest.mark.parametrize("variant", ["new", "v1.2:a/b", "a=b!", "*~|^`'"])
def test_override_is_read_as_it_was_made(variant):
    found = read_override(make_override("checkout", variant, 1_800_000_000, mac).encode())
    assert found is not None
    assert (found.experiment, found.variant, found.expires_s) == ("checkout", variant, 1_800_000_000)
    assert found.signature == mac(found.signed)
    assert found.signed.startswith(b"edge-variant-override\0checkout=")


@given(st.binary(max_size=80) | st.text("eyJ0.-_=;ab", max_size=80).map(str.encode))
def test_any_other_text_is_none(text):
    assert read_override(text) is None


@pytest.mark.parametrize(
    "granted", [b"a=b", b"a=b;", b"a=b;-1", b"a=b;1e9", b"a;5", b"=b;5", b"a=;5", b"a=b;5\n", b"a=b c;5"]
)
def test_grants_of_another_form_are_none(granted):
    assert read_override(b64(granted) + b"." + b64(mac(granted))) is None


def test_texts_that_are_not_base64url_are_none():
    whole = make_override("a", "b", 5, mac).encode()
    assert read_override(whole) is not None
    for text in (whole + b"=", whole + b".x", whole.replace(b".", b""), b"." + whole, whole + b" "):
        assert read_override(text) is None
