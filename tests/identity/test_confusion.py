"""Invariant: neither a header nor anything public makes a key out of something that is none (RFC 8725 §2 and §3)."""

import json
from typing import Any

import pytest
from handmade import CLAIMS, NOW, SECRET, Issuer, b64, issuer, sign

from fastedge._core.base64url import decode
from fastedge.identity.algorithms import ALGORITHMS
from fastedge.identity.jwt import Verified, Verifier
from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.rules import Rules

RULES = Rules(frozenset(ALGORITHMS), frozenset({CLAIMS["iss"]}), frozenset({"shop"}))
PAYLOAD = json.dumps(CLAIMS).encode()
PUBLIC = ["RS256", "ES256", "Ed25519"]


def keys_of(*entries: dict[str, Any]) -> KeySet:
    return KeySet.from_jwks(json.dumps({"keys": entries}).encode())


def public_jwk(who: Issuer, **more: Any) -> dict[str, Any]:
    """The issuer's public key as it publishes it."""
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    kind = {"R": RSAKey, "E": OKPKey if who.algorithm.startswith("Ed") else ECKey}[who.algorithm[0]]
    return {**kind.import_key(who.pem).as_dict(private=False), **more}


def outcome(keys: KeySet, token: bytes) -> TokenRefusal | str:
    result = Verifier(keys, RULES).verify(token, NOW)
    return "ok" if isinstance(result, Verified) else result


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_public_key_is_never_a_secret(algorithm: str) -> None:
    """All that an attacker can take for the secret: the PEM, its DER, the JWK, the JWK Set, the raw numbers."""
    who = issuer(algorithm)
    jwk = public_jwk(who)
    keys = [
        KeySet.from_pem(who.pem),
        keys_of(jwk),
        keys_of({**jwk, "kid": "a"}, {"kty": "oct", "k": b64(SECRET).decode()}),
    ]
    members = [decode(value.encode()) or b"" for name, value in jwk.items() if name in ("n", "x", "y")]
    candidates = [
        who.pem, who.pem.strip(), b"".join(who.pem.splitlines()[1:-1]), json.dumps(jwk).encode(),
        json.dumps({"keys": [jwk]}).encode(), *members, b"".join(members), b"",
    ]  # fmt: skip
    for secret in candidates:
        for header in (
            {"alg": "HS256"},
            {"alg": "HS256", "kid": "a"},
            {"alg": algorithm},
            {"alg": algorithm, "kid": "a"},
        ):
            forged = sign(json.dumps(header).encode(), PAYLOAD, secret)
            assert {outcome(one, forged) for one in keys} <= {TokenRefusal.NO_KEY, TokenRefusal.SIGNATURE}


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", " HS256", "HS256\0", "RS256 ", "A128KW", "dir"])
def test_no_other_name_is_an_algorithm(name: str) -> None:
    body = b64(json.dumps({"alg": name}).encode()) + b"." + b64(PAYLOAD)
    for signature in (b"", b64(SECRET), sign(b"{}", b"{}").rpartition(b".")[2]):
        assert outcome(KeySet.from_secret(SECRET), body + b"." + signature) is TokenRefusal.ALGORITHM


def test_key_of_another_issuer_is_not_taken_for_its_kid() -> None:
    mine, other = issuer("ES256"), issuer("RS256")
    keys = keys_of(public_jwk(mine, kid="a"), public_jwk(other, kid="b"))
    assert outcome(keys, mine.token(kid="a")) == outcome(keys, other.token(kid="b")) == "ok"
    assert outcome(keys, mine.token(kid="b")) is outcome(keys, other.token(kid="a")) is TokenRefusal.NO_KEY


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null", "/dev/null", "file:///etc/passwd", "a' OR '1'='1", "a\0", "\0", "", "A", "a ", " a", "a/../a",
        "https://evil.example/jwks.json", "|cat /etc/passwd", "${jndi:ldap://evil}", "a" * 4000, "\u202ea", "\uff41",
    ],
)  # fmt: skip
def test_kid_is_a_name_and_nothing_else(kid: str) -> None:
    keys = keys_of(public_jwk(issuer("ES256"), kid="a"))
    token = issuer("ES256").token(kid=kid)
    assert outcome(keys, token) is TokenRefusal.NO_KEY
    for secret in (b"", b"\0", kid.encode()):
        forged = sign(json.dumps({"alg": "HS256", "kid": kid}).encode(), PAYLOAD, secret)
        assert outcome(keys, forged) is TokenRefusal.NO_KEY


@pytest.mark.parametrize("algorithm", PUBLIC)
@pytest.mark.parametrize("where", ["jwk", "jku", "x5u", "x5c", "x5t"])
def test_key_that_a_token_brings_is_not_looked_at(algorithm: str, where: str) -> None:
    """CVE-2018-0114 and its kin: the token is signed well, by the key that it carries."""
    attacker, mine = issuer(algorithm), KeySet.from_pem(issuer("ES384").pem)
    brought: Any = {
        "jwk": public_jwk(attacker),
        "x5c": [b64(attacker.pem).decode()],
    }.get(where, "https://evil.example/keys")
    assert outcome(mine, attacker.token(**{where: brought})) is TokenRefusal.NO_KEY
    assert outcome(mine, issuer("ES384").token(**{where: brought})) == "ok"
