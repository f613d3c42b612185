"""The tokens that are sent: another library takes the good ones, and refuses each bad one for what is said of it."""

import random

import jwt
import pytest

from benchmarks import tokens
from benchmarks.tokens import HS256, RS256, Signer

NOW = 1_700_000_000  # past, so that a week has ended by any clock
OPTIONS = {"verify_exp": False, "verify_iat": False}
SIGNERS = pytest.mark.parametrize("signer", [HS256, RS256], ids=["HS256", "RS256"])


def claims_of(token: str, options: dict[str, bool] = OPTIONS) -> dict[str, object]:
    if jwt.get_unverified_header(token)["alg"] == "HS256":
        return jwt.decode(token, tokens.SECRET, ["HS256"], options, audience=tokens.AUDIENCE, issuer=tokens.ISSUER)
    key = jwt.PyJWKSet.from_json(tokens.jwk_set())[tokens.RSA_KEY_ID]
    return jwt.decode(token, key, ["RS256"], options, audience=tokens.AUDIENCE, issuer=tokens.ISSUER)


@SIGNERS
def test_token_is_valid_for_a_week(signer: Signer) -> None:
    claims = tokens.make_claims("user-1", NOW, random.Random(1))
    assert claims_of(tokens.make_token(signer, claims)) == claims
    assert claims["exp"] == NOW + 7 * 24 * 3600


@pytest.mark.parametrize(("signer", "least", "most"), [(HS256, 350, 450), (RS256, 650, 750)], ids=["HS256", "RS256"])
def test_token_is_of_ordinary_size(signer: Signer, least: int, most: int) -> None:
    token = tokens.make_token(signer, tokens.make_claims("user-000001", NOW, random.Random(1)))
    assert least <= len(token) <= most


@SIGNERS
@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("a forged token", jwt.InvalidSignatureError),
        ("an unsigned token", jwt.InvalidAlgorithmError),
        ("an expired token", jwt.ExpiredSignatureError),
        ("another issuer's token", jwt.InvalidIssuerError),
        ("a token for another audience", jwt.InvalidAudienceError),
    ],
)
def test_refused_token_is_wrong_in_what_it_says(signer: Signer, what: str, error: type[jwt.InvalidTokenError]) -> None:
    refused = tokens.refused_tokens(signer, NOW)
    assert len(refused) == 5
    expired = what == "an expired token"
    with pytest.raises(error):
        claims_of(refused[what], {"verify_exp": expired, "verify_iat": False})


def test_pem_and_jwk_set_hold_the_same_key() -> None:
    token = tokens.make_token(RS256, tokens.make_claims("user-1", NOW, random.Random(1)))
    claims = jwt.decode(token, tokens.public_pem(), ["RS256"], OPTIONS, audience=tokens.AUDIENCE)
    assert claims == claims_of(token)
    assert b"PRIVATE" not in tokens.public_pem()
    assert '"d"' not in tokens.jwk_set()
