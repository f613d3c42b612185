"""Invariant: a trace ends in what `verify` says, and shows neither the token nor anything unprintable of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from handmade import CLAIMS, NOW, SECRET, b64, sign
from hypothesis import given
from hypothesis import strategies as st

from fastedge.identity.jwt import Verified, Verifier
from fastedge.identity.keys import KeySet
from fastedge.identity.rules import Rules

KEYS = KeySet.from_jwks(json.dumps({"keys": [{"kty": "oct", "k": b64(SECRET).decode(), "kid": "k1"}]}).encode())
RULES = Rules(
    frozenset({"HS256"}),
    frozenset({CLAIMS["iss"]}),
    frozenset({"shop"}),
    30.0,
    required=("sub",),
    types=frozenset({"JWT"}),
)
VERIFIER = Verifier(KEYS, RULES)
HEADER = b'{"alg":"HS256","typ":"JWT","kid":"k1"}'


def trace(header: bytes = HEADER, secret: bytes = SECRET, **changes: Any) -> list[tuple[str, str]]:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return VERIFIER.trace(sign(header, json.dumps(claims).encode(), secret), NOW)


def test_trace_of_a_good_token_names_every_check() -> None:
    assert trace(nbf=NOW - 20.0) == [
        ("algorithm", "'HS256'"),
        ("type", "'JWT'"),
        ("key", "kid 'k1'"),
        ("signature", "holds"),
        ("claims", "6 members"),
        ("iss", "'https://id.shop.example'"),
        ("aud", "'shop'"),
        ("exp", "in 600 s"),
        ("nbf", "20 s ago"),
        ("iat", "10 s ago"),
    ]


@pytest.mark.parametrize(
    ("made", "last"),
    [
        (lambda: VERIFIER.trace(b"a.b", NOW), ("form", "3 bytes, 2 parts (malformed)")),
        (lambda: VERIFIER.trace(b"a" * 9000, NOW), ("form", "9000 bytes, 1 parts (too_large)")),
        (lambda: trace(b"[]"), ("header", "cannot be used (malformed)")),
        (lambda: trace(b'{"alg":"HS256","crit":["x"]}'), ("header", "cannot be used (critical)")),
        (lambda: trace(b'{"alg":"none"}'), ("algorithm", "'none' (algorithm)")),
        (lambda: trace(b'{"alg":"HS256"}'), ("type", "absent (type)")),
        (lambda: trace(b'{"alg":"HS256","typ":"at+jwt"}'), ("type", "'at+jwt' (type)")),
        (lambda: trace(b'{"alg":"HS256","typ":"JWT","kid":"k2"}'), ("key", "kid 'k2': none, or several (no_key)")),
        (lambda: VERIFIER.trace(sign(HEADER, b"{}") + b"=", NOW), ("encoding", "not base64url (malformed)")),
        (lambda: trace(secret=b"x" * 32), ("signature", "does not hold (signature)")),
        (
            lambda: VERIFIER.trace(sign(HEADER, b"[]"), NOW),
            ("claims", "not a JSON object, too deep, or a member twice (malformed)"),
        ),
        (lambda: trace(sub=None), ("claims", "without sub (missing_claim)")),
        (lambda: trace(jti=5), ("claims", "6 members (invalid_claim)")),
        (lambda: trace(iss="https://evil.example"), ("iss", "'https://evil.example' (issuer)")),
        (lambda: trace(iss=None), ("iss", "absent (missing_claim)")),
        (lambda: trace(aud=["a", "b"]), ("aud", "['a', 'b'] (audience)")),
        (lambda: trace(exp=NOW - 312), ("exp", "312 s ago (expired)")),
        (lambda: trace(exp=None), ("exp", "absent (missing_claim)")),
        (lambda: trace(exp="soon"), ("exp", "'soon' is no date (invalid_claim)")),
        (lambda: trace(iat=NOW + 45), ("iat", "in 45 s (not_yet)")),
        (lambda: trace(nbf=NOW + 45), ("nbf", "in 45 s (not_yet)")),
        (lambda: trace(nbf=[], iat="x"), ("nbf", "[] is no date (invalid_claim)")),
    ],
)
def test_trace_ends_with_the_check_that_fails(made: Callable[[], Any], last: tuple[str, str]) -> None:
    assert made()[-1] == last


JSON = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=90)
)


@given(
    st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "cty"]), JSON | st.just("HS256"), max_size=3),
    st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "jti"]), JSON | st.lists(JSON), max_size=3
    ),
)
def test_trace_ends_as_verify_does_and_is_short_and_printable(header: dict[str, Any], changes: dict[str, Any]) -> None:
    head = json.dumps({"alg": "HS256", "typ": "JWT", **header}).encode()
    token = sign(head, json.dumps({**CLAIMS, **changes}).encode())
    rows, verified = VERIFIER.trace(token, NOW), VERIFIER.verify(token, NOW)
    for name, outcome in rows:
        assert name.isalpha() and outcome.isascii() and outcome.isprintable() and len(outcome) < 130
    refused = [outcome for _, outcome in rows if outcome.endswith(")")]
    assert refused == ([] if isinstance(verified, Verified) else [rows[-1][1]])
    if not isinstance(verified, Verified):
        assert rows[-1][1].endswith(f"({verified.value})")
    for part in token.split(b"."):
        assert part.decode() not in repr(rows)
