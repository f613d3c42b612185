"""Invariant: only a token that a key of the set signed, byte for byte, and whose claims hold now, gives claims."""

import json
from collections.abc import Callable
from typing import Any

import joserfc.jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from handmade import CLAIMS, NOW, SECRET, b64, sign
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OctKey, RSAKey

from fastedge.identity.jwt import Verified, Verifier
from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.rules import Rules

KEYS = KeySet.from_secret(SECRET)
HS256 = frozenset({"HS256"})
RULES = Rules(HS256, frozenset({"https://id.shop.example"}), frozenset({"shop"}))
ANY = Rules(
    frozenset({"HS256", "RS256"}), None, None, require_issuer=False, require_audience=False, require_expiry=False
)
Make = Callable[..., bytes]


def verify(token: bytes, keys: KeySet, rules: Rules, now: float) -> Verified | TokenRefusal:
    """By a verifier that has not seen the header and by one that has: they must agree."""
    verifier = Verifier(keys, rules)
    first = verifier.verify(token, now)
    assert verifier.verify(token, now) == first
    return first


def outcome(token: bytes, rules: Rules = RULES, keys: KeySet = KEYS, now: float = NOW) -> TokenRefusal | str:
    result = verify(token, keys, rules, now)
    return "ok" if isinstance(result, Verified) else result


# --- RFC 7515 appendix A --------------------------------------------------------------------------------------------

A_PAYLOAD = b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
A_CLAIMS = {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
A1_KEY = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
A1 = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + A_PAYLOAD + b".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
A2_N = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgN"
    "MsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xs"
    "mtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
)
A2 = (
    b"eyJhbGciOiJSUzI1NiJ9."
    + A_PAYLOAD
    + b".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Q"
    b"c_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07"
    b"Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
    b"Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)


@pytest.mark.parametrize(
    ("token", "jwk"),
    [(A1, {"kty": "oct", "k": A1_KEY}), (A2, {"kty": "RSA", "n": A2_N, "e": "AQAB"})],
    ids=["A.1", "A.2"],
)
def test_verify_accepts_the_examples_of_rfc_7515(token: bytes, jwk: dict[str, str]) -> None:
    keys = KeySet.from_jwks(json.dumps({"keys": [jwk]}).encode())
    result = verify(token, keys, ANY, 1300819379.0)
    assert isinstance(result, Verified)
    assert result.claims == A_CLAIMS
    assert verify(token, keys, ANY, 1300819380.0) is TokenRefusal.EXPIRED
    assert verify(token[:-2] + b"AA", keys, ANY, 1300819379.0) is TokenRefusal.SIGNATURE


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
        (b'{"alg":"HS256","typ":"JWT"}', "ok"),
        (b' {"typ" : "JWT",\r\n "alg" : "HS256"} ', "ok"),
        (b'{"alg":"HS256","kid":"any"}', "ok"),
    ],
)
def test_verify_reads_the_header_strictly(make: Make, header: bytes, reason: TokenRefusal | str) -> None:
    assert outcome(make(header)) == reason


def test_verify_never_takes_a_public_key_for_a_secret(rsa_private: rsa.RSAPrivateKey) -> None:
    pem = rsa_private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = sign(b'{"alg":"HS256"}', json.dumps(CLAIMS).encode(), secret=pem)
    assert outcome(forged, ANY, KeySet.from_pem(pem)) is TokenRefusal.NO_KEY


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
    "payload", [b"", b"[]", b'"joe"', b"{", b'{"sub":"a","sub":"b"}', b'{"sub":"\xff"}', b'{"a":1e999}']
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


# --- mutation -------------------------------------------------------------------------------------------------------

VALID = sign(b'{"alg":"HS256","typ":"JWT"}', json.dumps({**CLAIMS, "roles": ["a", {"b": 1}]}).encode())


def test_verify_accepts_no_token_with_one_byte_changed() -> None:
    assert outcome(VALID) == "ok"
    for position in range(len(VALID)):
        for byte in (0, 10, 32, 43, 46, 61, 65, 95, 122, 255, VALID[position] ^ 1, VALID[position] ^ 0x20):
            if byte != VALID[position]:
                mutant = VALID[:position] + bytes((byte,)) + VALID[position + 1 :]
                assert isinstance(verify(mutant, KEYS, RULES, NOW), TokenRefusal), (position, byte)


@given(st.integers(0, len(VALID)), st.integers(0, len(VALID)), st.binary(max_size=8))
def test_verify_accepts_no_spliced_token(start: int, end: int, middle: bytes) -> None:
    mutant = VALID[:start] + middle + VALID[end:]
    assert (mutant == VALID) == isinstance(verify(mutant, KEYS, RULES, NOW), Verified)


@given(st.binary(max_size=300))
def test_verify_never_raises_for_bytes(data: bytes) -> None:
    assert isinstance(verify(data, KEYS, ANY, NOW), TokenRefusal)


@given(st.binary(max_size=80), st.binary(max_size=120))
def test_verify_never_raises_for_signed_bytes(header: bytes, payload: bytes) -> None:
    assert isinstance(verify(sign(header, payload), KEYS, ANY, NOW), TokenRefusal | Verified)


# --- oracle ---------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["sub", "scope", "name", "é", "a.b", ""])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(NAMES, TEXTS | st.lists(TEXTS, max_size=3), max_size=4), st.binary(min_size=32, max_size=150))
def test_verify_agrees_with_joserfc_on_hs256(claims: dict[str, Any], secret: bytes) -> None:
    claims.pop("sub", None)
    key = OctKey.import_key(secret)
    token = joserfc.jwt.encode({"alg": "HS256"}, {**claims, "exp": 2_000_000_000}, key).encode()
    result = verify(token, KeySet.from_secret(secret), ANY, NOW)
    assert isinstance(result, Verified)
    assert result.claims == joserfc.jwt.decode(token.decode(), key, algorithms=["HS256"]).claims


def test_verify_agrees_with_joserfc_on_rs256(rsa_private: rsa.RSAPrivateKey, rsa_other: rsa.RSAPrivateKey) -> None:
    pem = rsa_private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public = json.dumps({"keys": [RSAKey.import_key(pem).as_dict(private=False)]}).encode()
    token = joserfc.jwt.encode(
        {"alg": "RS256", "kid": "x"}, {"exp": 2_000_000_000}, RSAKey.import_key(rsa_private)
    ).encode()
    for keys in (KeySet.from_pem(pem), KeySet.from_jwks(public)):
        assert outcome(token, ANY, keys) == "ok"
        for position in range(0, len(token), 7):
            mutant = token[:position] + (b"A" if token[position] != 65 else b"B") + token[position + 1 :]
            assert isinstance(verify(mutant, keys, ANY, NOW), TokenRefusal)
    signing_input = token.rpartition(b".")[0]
    other = rsa_other.sign(signing_input, padding.PKCS1v15(), SHA256())
    assert outcome(signing_input + b"." + b64(other), ANY, KeySet.from_pem(pem)) is TokenRefusal.SIGNATURE
    pss = rsa_private.sign(signing_input, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
    assert outcome(signing_input + b"." + b64(pss), ANY, KeySet.from_pem(pem)) is TokenRefusal.SIGNATURE
