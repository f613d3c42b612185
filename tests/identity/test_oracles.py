"""Differential: joserfc and PyJWT accept and refuse what we do, but for the differences that are named here."""

import json
from collections.abc import Callable
from typing import Any

import joserfc.errors
import joserfc.jwt
import jwt
import pytest
from handmade import ALGORITHMS, CLAIMS, NOW, SECRET, issuer, sign
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from fastedge.identity import algorithms
from fastedge.identity.jwt import Verified, Verifier
from fastedge.identity.keys import KeySet
from fastedge.identity.rules import Rules

ANY = Rules(
    frozenset(algorithms.ALGORITHMS), None, None, require_issuer=False, require_audience=False, require_expiry=False
)
FUTURE = 4_000_000_000  # the libraries have clocks of their own
KINDS = {"HS": OctKey, "RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}
OURS_ALONE = {"PyJWT": {"Ed25519", "Ed448"}, "joserfc": set()}  # algorithms that a library does not know by that name

Claims = dict[str, Any]


def by_us(token: bytes, algorithm: str) -> Claims | None:
    who = issuer(algorithm)
    keys = KeySet.from_secret(who.private) if algorithm.startswith("HS") else KeySet.from_pem(who.pem)
    result = Verifier(keys, ANY).verify(token, NOW)
    return result.claims if isinstance(result, Verified) else None


def by_pyjwt(token: bytes, algorithm: str) -> Claims | None:
    who = issuer(algorithm)
    key = who.private if algorithm.startswith("HS") else who.private.public_key()
    options: Any = {"verify_aud": False, "verify_iss": False, "verify_sub": True, "verify_jti": True}
    try:
        return dict(jwt.decode(token, key, algorithms=[algorithm], options=options))
    except jwt.PyJWTError:
        return None


def by_joserfc(token: bytes, algorithm: str) -> Claims | None:
    who = issuer(algorithm)
    key = KINDS[algorithm[:2]].import_key(who.private if algorithm.startswith("HS") else who.pem)
    try:
        decoded = joserfc.jwt.decode(token, key, registry=joserfc_jws.JWSRegistry(algorithms=[algorithm]))
        joserfc.jwt.JWTClaimsRegistry(now=int(NOW)).validate(decoded.claims)
    except (joserfc.errors.JoseError, ValueError):
        return None
    return dict(decoded.claims)


LIBRARIES: dict[str, Callable[[bytes, str], Claims | None]] = {"PyJWT": by_pyjwt, "joserfc": by_joserfc}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_they_accept_and_refuse_what_we_do(algorithm: str, library: str) -> None:
    if algorithm in OURS_ALONE[library]:
        pytest.skip(f"{library} does not know {algorithm}")
    claims = {**CLAIMS, "exp": FUTURE, "iat": 1}
    token = issuer(algorithm).token(claims)
    theirs = LIBRARIES[library]
    assert by_us(token, algorithm) == theirs(token, algorithm) == claims
    for position in range(0, len(token), 11):
        mutant = token[:position] + (b"A" if token[position] != 65 else b"B") + token[position + 1 :]
        assert by_us(mutant, algorithm) is None
        assert theirs(mutant, algorithm) is None


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.sampled_from(["scope", "name", "é", "a.b", ""]) | TEXTS.filter(
    lambda name: name not in {*CLAIMS, "nbf", "jti"}
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.booleans())
def test_they_read_the_claims_that_we_read(claims: Claims, ascii_only: bool) -> None:
    token = sign(b'{"alg":"HS256"}', json.dumps(claims, ensure_ascii=ascii_only).encode(), SECRET * 2)
    assert by_us(token, "HS256") == by_pyjwt(token, "HS256") == by_joserfc(token, "HS256") == claims


DATES = st.sampled_from([0, 1, -1, NOW - 1, NOW + 1e6, FUTURE, FUTURE + 0.5, "1", "x", True, None, [], {}])


@given(st.dictionaries(st.sampled_from(["exp", "nbf", "iat"]), DATES))
def test_what_we_accept_as_dates_they_accept(claims: Claims) -> None:
    """They accept more: a null, texts of digits, True."""
    token = sign(b'{"alg":"HS256"}', json.dumps(claims).encode(), SECRET * 2)
    if by_us(token, "HS256") is not None and all(not 1e9 < date < FUTURE for date in claims.values()):  # their clocks
        assert by_pyjwt(token, "HS256") == by_joserfc(token, "HS256") == claims


def header(**more: Any) -> bytes:
    return json.dumps({"alg": "HS256", **more}).encode()


GOOD = json.dumps({"sub": "ann", "exp": FUTURE}).encode()
DIFFERENCES = {
    "a member twice in the claims": (sign(header(), b'{"sub":"a","sub":"b"}', SECRET * 2), {"PyJWT", "joserfc"}),
    "a member twice in the header": (sign(b'{"alg":"HS256","alg":"HS256"}', GOOD, SECRET * 2), {"PyJWT", "joserfc"}),
    "padding": (sign(header(), GOOD, SECRET * 2) + b"=", {"PyJWT"}),
    "exp that is a text": (sign(header(), b'{"exp":"4000000000"}', SECRET * 2), {"PyJWT"}),
    "cty": (sign(header(cty="JWT"), GOOD, SECRET * 2), {"PyJWT", "joserfc"}),
    "typ that is no text": (sign(header(typ=5), GOOD, SECRET * 2), {"PyJWT"}),
    "too deep": (sign(header(), b'{"a":' + b"[" * 30 + b"]" * 30 + b"}", SECRET * 2), {"PyJWT", "joserfc"}),
    "too large": (sign(header(), json.dumps({"a": "x" * 9000}).encode(), SECRET * 2), {"PyJWT", "joserfc"}),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_what_we_refuse_and_they_accept(difference: str) -> None:
    token, accepted_by = DIFFERENCES[difference]
    assert by_us(token, "HS256") is None
    assert {name for name, theirs in LIBRARIES.items() if theirs(token, "HS256") is not None} == accepted_by
