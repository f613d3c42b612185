"""Invariant: only a token that a key of the set signed, byte for byte, and whose claims hold now, gives claims."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from handmade import ALGORITHMS, CLAIMS, NOW, SECRET, b64, issuer, sign
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.base64url import decode
from fastedge.identity import algorithms
from fastedge.identity.jwt import Verified, Verifier
from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.rules import Rules

KEYS = KeySet.from_secret(SECRET)
HS256 = frozenset({"HS256"})
RULES = Rules(HS256, frozenset({"https://id.shop.example"}), frozenset({"shop"}))
ANY = Rules(
    frozenset(algorithms.ALGORITHMS), None, None, require_issuer=False, require_audience=False, require_expiry=False
)
Make = Callable[..., bytes]


def verify(token: bytes, keys: KeySet, rules: Rules, now: float) -> Verified | TokenRefusal:
    """By a verifier that has not seen the header and by one that has: they must agree."""
    verifier = Verifier(keys, rules)
    first, second = verifier.verify(token, now), verifier.verify(token, now)
    if isinstance(first, Verified) and isinstance(second, Verified):
        assert (first.claims, first.not_before, first.expires) == (second.claims, second.not_before, second.expires)
    else:
        assert first is second
    return first


def outcome(token: bytes, rules: Rules = RULES, keys: KeySet = KEYS, now: float = NOW) -> TokenRefusal | str:
    result = verify(token, keys, rules, now)
    return "ok" if isinstance(result, Verified) else result


# --- header and form ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b'{"alg":"none"}', TokenRefusal.ALGORITHM),
        (b'{"alg":"None"}', TokenRefusal.ALGORITHM),
        (b'{"alg":"hs256"}', TokenRefusal.ALGORITHM),
        (b'{"alg":"HS512"}', TokenRefusal.ALGORITHM),
        (b'{"alg":"RS256"}', TokenRefusal.ALGORITHM),
        (b"{}", TokenRefusal.MALFORMED),
        (b'{"alg":["HS256"]}', TokenRefusal.MALFORMED),
        (b'{"alg":"HS256","kid":7}', TokenRefusal.MALFORMED),
        (b'{"alg":"HS256","alg":"HS256"}', TokenRefusal.MALFORMED),
        (b'{"alg":"none","alg":"HS256"}', TokenRefusal.MALFORMED),
        (b'["HS256"]', TokenRefusal.MALFORMED),
        (b"", TokenRefusal.MALFORMED),
        (b'{"alg":"HS256","crit":["exp"]}', TokenRefusal.CRITICAL),
        (b'{"alg":"HS256","crit":[]}', TokenRefusal.CRITICAL),
        (b'{"alg":"HS256","b64":false,"crit":["b64"]}', TokenRefusal.CRITICAL),
        (b'{"alg":"HS256","b64":false}', TokenRefusal.CRITICAL),
        (b'{"alg":"HS256","typ":5}', TokenRefusal.MALFORMED),
        (b'{"alg":"HS256","typ":null}', TokenRefusal.MALFORMED),
        (b'{"alg":"HS256","kid":null}', TokenRefusal.MALFORMED),
        (b'{"alg":"HS256","cty":"JWT"}', TokenRefusal.TYPE),
        (b'{"alg":"HS256","cty":"json"}', TokenRefusal.TYPE),
        (b'{"alg":"HS256","cty":5}', TokenRefusal.MALFORMED),
        (b'{"alg":"HS256","x":' + b"[" * 17 + b"]" * 17 + b"}", TokenRefusal.MALFORMED),
        (b'{"alg":"HS256","x":' + b"[" * 16 + b"]" * 16 + b"}", "ok"),
        (b'{"alg":"HS256","typ":"JWT"}', "ok"),
        (b' {"typ" : "JWT",\r\n "alg" : "HS256"} ', "ok"),
        (b'{"alg":"HS256","kid":"any"}', "ok"),
    ],
)
def test_verify_reads_the_header_strictly(make: Make, header: bytes, reason: TokenRefusal | str) -> None:
    assert outcome(make(header)) == reason


def test_verify_refuses_other_forms(make: Make) -> None:
    token = make()
    head, payload, signature = token.split(b".")
    for bad in (
        b"",
        b".",
        b"..",
        b"...",
        head,
        head + b"." + payload,
        token + b".",
        token + b"." + signature,
        token + b"..",
        token + b".e30.e30",  # five parts: a JWE (RFC 7516 §7.1)
        token + b"=",
        token + b" ",
        b" " + token,
        token + b"\n",
        head + b".." + signature,
        b"." + payload + b"." + signature,
        token.replace(b".", b".\n", 1),
        token + b"A",
        token + b"AA",
        token[:-1] + b"+",
        token[:-1] + b"\xe9",
    ):
        assert outcome(bad) in (TokenRefusal.MALFORMED, TokenRefusal.SIGNATURE), bad
    assert outcome(head + b"." + payload + b".") is TokenRefusal.SIGNATURE


def test_verify_refuses_a_token_of_8193_bytes_unread() -> None:
    assert outcome(b"a" * 8193) is TokenRefusal.TOO_LARGE
    assert outcome(b"a" * 8192) is TokenRefusal.MALFORMED


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'"joe"',
        b"{",
        b'{"sub":"a","sub":"b"}',
        b'{"x":{"a":1,"a":2}}',
        b'{"sub":"\xff"}',
        b'{"a":1e999}',
        b'{"exp":1e400}',
        b'{"exp":NaN}',
        b'{"exp":Infinity}',
        b'{"a":' + b"9" * 4400 + b"}",
        b'{"a":' + b"[" * 17 + b"]" * 17 + b"}",
        sign(b'{"alg":"HS256"}', b"{}"),  # a token in a token (RFC 7519 §5.2)
    ],
)
def test_verify_refuses_signed_claims_that_are_no_object(payload: bytes) -> None:
    assert outcome(sign(b'{"alg":"HS256"}', payload), ANY) is TokenRefusal.MALFORMED


# --- claims ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "ok"),
        ({"iss": None}, TokenRefusal.MISSING_CLAIM),
        ({"iss": "https://id.shop.example/"}, TokenRefusal.ISSUER),
        ({"iss": ["https://id.shop.example"]}, TokenRefusal.INVALID_CLAIM),
        ({"aud": None}, TokenRefusal.MISSING_CLAIM),
        ({"aud": "Shop"}, TokenRefusal.AUDIENCE),
        ({"aud": []}, TokenRefusal.AUDIENCE),
        ({"aud": ["other", "shop"]}, "ok"),
        ({"aud": ["shop", 5]}, TokenRefusal.INVALID_CLAIM),
        ({"aud": {"shop": 1}}, TokenRefusal.INVALID_CLAIM),
        ({"sub": 5}, TokenRefusal.INVALID_CLAIM),
        ({"jti": ["a"]}, TokenRefusal.INVALID_CLAIM),
        ({"sub": None}, "ok"),
        ({"exp": None}, TokenRefusal.MISSING_CLAIM),
        ({"exp": NOW}, TokenRefusal.EXPIRED),
        ({"exp": NOW + 0.5}, "ok"),
        ({"exp": NOW - 1}, TokenRefusal.EXPIRED),
        ({"exp": -1}, TokenRefusal.EXPIRED),
        ({"exp": str(NOW + 9)}, TokenRefusal.INVALID_CLAIM),
        ({"exp": True}, TokenRefusal.INVALID_CLAIM),
        ({"exp": [NOW + 9]}, TokenRefusal.INVALID_CLAIM),
        ({"exp": 10**40}, "ok"),
        ({"exp": 10**400}, TokenRefusal.INVALID_CLAIM),
        ({"exp": "exp"}, TokenRefusal.INVALID_CLAIM),
        ({"iat": -(10**400)}, TokenRefusal.INVALID_CLAIM),
        ({"nbf": NOW}, "ok"),
        ({"nbf": NOW + 1}, TokenRefusal.NOT_YET),
        ({"nbf": "0"}, TokenRefusal.INVALID_CLAIM),
        ({"iat": NOW + 1}, TokenRefusal.NOT_YET),
        ({"iat": False}, TokenRefusal.INVALID_CLAIM),
    ],
)
def test_verify_checks_the_registered_claims(make: Make, changes: dict[str, Any], reason: TokenRefusal | str) -> None:
    assert outcome(make(**changes)) == reason


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "nbf", "iat", "sub", "jti"])
def test_verify_refuses_null_for_a_registered_claim_it_needs(name: str) -> None:
    token = sign(b'{"alg":"HS256"}', json.dumps({**CLAIMS, name: None}).encode())
    assert outcome(token) in (TokenRefusal.INVALID_CLAIM, TokenRefusal.MISSING_CLAIM)


def test_verify_allows_leeway_on_both_ends(make: Make) -> None:
    rules = Rules(HS256, RULES.issuers, RULES.audiences, leeway_s=30)
    token = make(nbf=NOW, exp=NOW + 100)
    result = verify(token, KEYS, rules, NOW)
    assert isinstance(result, Verified)
    assert (result.not_before, result.expires) == (NOW - 30, NOW + 130)
    assert outcome(token, rules, now=NOW - 30) == "ok"
    assert outcome(token, rules, now=NOW - 30.1) is TokenRefusal.NOT_YET
    assert outcome(token, rules, now=NOW + 129.9) == "ok"
    assert outcome(token, rules, now=NOW + 130) is TokenRefusal.EXPIRED


def test_verify_asks_for_required_claims(make: Make) -> None:
    rules = Rules(HS256, RULES.issuers, RULES.audiences, required=("scope", "sub"))
    assert outcome(make(scope=""), rules) == "ok"
    assert outcome(make(), rules) is TokenRefusal.MISSING_CLAIM


def test_verify_without_issuer_and_audience_checks_neither(make: Make) -> None:
    assert outcome(make(iss=None, aud=None, exp=None), ANY) == "ok"
    assert outcome(make(iss="x", aud="y"), ANY) == "ok"
    optional = Rules(HS256, RULES.issuers, RULES.audiences, require_issuer=False, require_audience=False)
    assert outcome(make(iss=None, aud=None), optional) == "ok"
    assert outcome(make(aud="other"), optional) is TokenRefusal.AUDIENCE
    assert outcome(make(iss="other"), optional) is TokenRefusal.ISSUER


def test_verify_without_a_fitting_key_says_so(make: Make) -> None:
    entry = {"kty": "oct", "k": b64(SECRET).decode(), "kid": "a"}
    keys = KeySet.from_jwks(json.dumps({"keys": [entry]}).encode())
    assert outcome(make({"alg": "HS256", "kid": "b"}), keys=keys) is TokenRefusal.NO_KEY
    assert outcome(make({"alg": "HS256", "kid": "a"}), keys=keys) == "ok"
    assert outcome(make(), keys=keys) == "ok"


# --- typ ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "typ", "reason"),
    [
        ({"at+jwt"}, "at+jwt", "ok"),
        ({"at+jwt"}, "AT+JWT", "ok"),
        ({"at+jwt"}, "application/at+jwt", "ok"),
        ({"Application/AT+JWT"}, "at+jwt", "ok"),
        ({"at+jwt", "JWT"}, "jwt", "ok"),
        ({"at+jwt"}, "JWT", TokenRefusal.TYPE),
        ({"at+jwt"}, "text/at+jwt", TokenRefusal.TYPE),
        ({"at+jwt"}, "at+jwt ", TokenRefusal.TYPE),
        ({"at+jwt"}, "", TokenRefusal.TYPE),
        ({"at+jwt"}, None, TokenRefusal.TYPE),
    ],
)
def test_verify_compares_types_as_media_types(
    make: Make, types: set[str], typ: str | None, reason: TokenRefusal | str
) -> None:
    header = {"alg": "HS256"} if typ is None else {"alg": "HS256", "typ": typ}
    rules = Rules(HS256, RULES.issuers, RULES.audiences, types=frozenset(types))
    assert outcome(make(header), rules) == reason


# --- all algorithms -------------------------------------------------------------------------------------------------


@cache
def keys_of(algorithm: str) -> KeySet:
    who = issuer(algorithm)
    return KeySet.from_secret(who.private) if algorithm.startswith("HS") else KeySet.from_pem(who.pem)


def test_the_table_has_exactly_these_algorithms() -> None:
    assert list(algorithms.ALGORITHMS) == ALGORITHMS


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_verify_accepts_each_algorithm_and_no_other_in_its_place(algorithm: str) -> None:
    token, keys = issuer(algorithm).token(), keys_of(algorithm)
    assert outcome(token, ANY, keys) == "ok"
    _, _, rest = token.partition(b".")
    for other in [*ALGORITHMS, "none", algorithm.lower()]:
        if other != algorithm:
            switched = b64(json.dumps({"alg": other}).encode()) + b"." + rest
            assert outcome(switched, ANY, keys) in (
                TokenRefusal.ALGORITHM, TokenRefusal.NO_KEY, TokenRefusal.SIGNATURE
            )  # fmt: skip
    narrow = Rules(frozenset({"HS256" if algorithm != "HS256" else "HS384"}), None, None, 0, False, False, False)
    assert outcome(token, narrow, keys) is TokenRefusal.ALGORITHM


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_verify_accepts_no_other_signature(algorithm: str) -> None:
    signing_input, _, _ = issuer(algorithm).token().rpartition(b".")
    keys = keys_of(algorithm)
    signature = issuer(algorithm).sign(signing_input)
    for bad in (
        b"",
        signature[:-1],
        signature + b"\0",
        b"\0" + signature,
        bytes(len(signature)),
        b"\xff" * len(signature),
        signature[::-1],
        bytes((signature[0] ^ 1,)) + signature[1:],
        signature[:-1] + bytes((signature[-1] ^ 1,)),
        issuer(algorithm).sign(signing_input + b"A"),
    ):
        assert outcome(signing_input + b"." + b64(bad), ANY, keys) is TokenRefusal.SIGNATURE


# --- mutation -------------------------------------------------------------------------------------------------------

VALID = sign(b'{"alg":"HS256","typ":"JWT"}', json.dumps({**CLAIMS, "roles": ["a", {"b": 1}]}).encode())
WIDE = Rules(ANY.algorithms, RULES.issuers, RULES.audiences)
SIGNED = {
    algorithm: issuer(algorithm).token({**CLAIMS, "roles": ["a", {"b": 1}]}, typ="JWT") for algorithm in ALGORITHMS
}


def test_verify_accepts_no_token_with_one_byte_changed() -> None:
    assert outcome(VALID) == "ok"
    for position in range(len(VALID)):
        for byte in (0, 10, 32, 43, 46, 61, 65, 95, 122, 255, VALID[position] ^ 1, VALID[position] ^ 0x20):
            if byte != VALID[position]:
                mutant = VALID[:position] + bytes((byte,)) + VALID[position + 1 :]
                assert isinstance(verify(mutant, KEYS, RULES, NOW), TokenRefusal), (position, byte)


@given(st.sampled_from(ALGORITHMS), st.data())
def test_verify_accepts_no_spliced_token(algorithm: str, data: st.DataObject) -> None:
    token = SIGNED[algorithm]
    start, end = (data.draw(st.integers(0, len(token))) for _ in range(2))
    mutant = token[:start] + data.draw(st.binary(max_size=8)) + token[end:]
    assert (mutant == token) == isinstance(verify(mutant, keys_of(algorithm), WIDE, NOW), Verified)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.sampled_from(ALGORITHMS),
    st.sampled_from([0, 1]),
    st.sampled_from(["alg", "typ", "kid", "crit", *CLAIMS, "roles"]) | st.text(max_size=5),
    VALUES,
)
def test_verify_accepts_no_token_with_one_field_changed(algorithm: str, part: int, name: str, value: Any) -> None:
    """Under the old signature: nobody but the issuer can say anything, not even the same in other bytes."""
    parts = SIGNED[algorithm].split(b".")
    fields = json.loads(decode(parts[part]) or b"")
    parts[part] = b64(json.dumps({**fields, name: value}).encode())
    mutant = b".".join(parts)
    assert (mutant == SIGNED[algorithm]) == isinstance(verify(mutant, keys_of(algorithm), WIDE, NOW), Verified)


@given(
    st.sampled_from(["alg", "typ", "kid", "b64", "crit", "cty"]),
    VALUES,
    st.sampled_from([*CLAIMS, "nbf", "jti"]),
    VALUES,
)
def test_verify_never_raises_for_what_an_issuer_signs(name: str, value: Any, claim: str, said: Any) -> None:
    header = json.dumps({"alg": "HS256", name: value}).encode()
    token = sign(header, json.dumps({**CLAIMS, claim: said}).encode())
    assert isinstance(verify(token, KEYS, RULES, NOW), TokenRefusal | Verified)


@given(st.binary(max_size=300))
def test_verify_never_raises_for_bytes(data: bytes) -> None:
    assert isinstance(verify(data, KEYS, ANY, NOW), TokenRefusal)


@given(st.binary(max_size=80), st.binary(max_size=120))
def test_verify_never_raises_for_signed_bytes(header: bytes, payload: bytes) -> None:
    assert isinstance(verify(sign(header, payload), KEYS, ANY, NOW), TokenRefusal | Verified)
