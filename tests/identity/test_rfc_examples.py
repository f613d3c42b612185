"""What RFCs publish as examples is accepted where it is a signed token, and refused where it is another thing."""

import json

import pytest
from handmade import b64
from rfc_examples import (
    A1,
    A2,
    A3,
    A4,
    A5,
    A6,
    CLAIMS,
    COOKBOOK_1,
    COOKBOOK_2,
    COOKBOOK_3,
    COOKBOOK_4,
    ED25519,
    THUMBPRINTS,
    UNENCODED,
    Example,
)

from fastedge._core.base64url import decode
from fastedge.identity.algorithms import ALGORITHMS
from fastedge.identity.jwt import Verified, Verifier
from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.rules import Rules

ANY = Rules(frozenset(ALGORITHMS), None, None, require_issuer=False, require_audience=False, require_expiry=False)
BEFORE, AT_EXPIRY = 1300819379.0, 1300819380.0


def keys_of(*examples: Example) -> KeySet:
    return KeySet.from_jwks(json.dumps({"keys": [example.jwk for example in examples]}).encode())


@pytest.mark.parametrize("example", [A1, A2, A3], ids=["A.1", "A.2", "A.3"])
def test_token_of_rfc_7515_is_accepted_until_it_expires(example: Example) -> None:
    verifier = Verifier(keys_of(example), ANY)
    verified = verifier.verify(example.token, BEFORE)
    assert isinstance(verified, Verified)
    assert verified.claims == CLAIMS
    assert verifier.verify(example.token, AT_EXPIRY) is TokenRefusal.EXPIRED
    assert verifier.verify(example.token[:-2] + b"AA", BEFORE) is TokenRefusal.SIGNATURE


@pytest.mark.parametrize(
    "example",
    [A4, COOKBOOK_1, COOKBOOK_2, COOKBOOK_3, COOKBOOK_4, ED25519],
    ids=["7515 A.4", "7520 4.1", "7520 4.2", "7520 4.3", "7520 4.4", "8037 A.4"],
)
def test_signature_over_a_text_holds_and_the_text_is_no_set_of_claims(example: Example) -> None:
    keys = keys_of(example)
    signing_input, _, encoded = example.token.rpartition(b".")
    key = keys.choose(example.algorithm, example.jwk.get("kid"))
    signature = decode(encoded)
    assert key is not None and signature is not None
    assert key.checks[example.algorithm](signing_input, signature)
    assert not key.checks[example.algorithm](signing_input + b"A", signature)
    assert Verifier(keys, ANY).verify(example.token, BEFORE) is TokenRefusal.MALFORMED


def test_unsecured_token_of_rfc_7515_a5_is_refused() -> None:
    assert Verifier(keys_of(A1), ANY).verify(A5, BEFORE) is TokenRefusal.ALGORITHM


def test_json_serialisation_of_rfc_7515_a6_is_refused() -> None:
    """A.6 is the general JSON serialisation: several signatures, no compact form, nothing that a bearer token can be."""
    assert Verifier(keys_of(A2, A3), ANY).verify(A6, BEFORE) is TokenRefusal.MALFORMED


def test_unencoded_payload_of_rfc_7797_is_refused_although_its_signature_holds() -> None:
    head, payload, signature = UNENCODED
    keys = keys_of(A1)
    key, raw = keys.choose("HS256", None), decode(signature)
    assert key is not None and raw is not None
    assert key.checks["HS256"](head + b"." + payload, raw)
    for middle in (payload.replace(b".", b"-"), b"", b64(payload)):  # with its dot it would have four parts
        assert Verifier(keys, ANY).verify(b".".join((head, middle, signature)), BEFORE) is TokenRefusal.CRITICAL
    assert Verifier(keys, ANY).verify(b".".join(UNENCODED), BEFORE) is TokenRefusal.MALFORMED


@pytest.mark.parametrize(("jwk", "thumbprint"), THUMBPRINTS, ids=["7638 3.1", "8037 A.3"])
def test_thumbprint(jwk: dict[str, str], thumbprint: str) -> None:
    (key,) = KeySet.from_jwks(json.dumps({"keys": [jwk]}).encode()).keys
    assert b64(key.thumbprint).decode() == thumbprint
