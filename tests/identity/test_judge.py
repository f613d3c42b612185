"""Invariant: what is remembered of a refusal is never what time or another token could turn into an admission."""

import json
from typing import Any

import pytest
from handmade import CLAIMS, NOW, SECRET, sign

from fastedge._core.gate import Admission
from fastedge._core.tokens import VerifiedTokens
from fastedge.identity.judge import Judge
from fastedge.identity.jwt import Verifier
from fastedge.identity.keys import KeySet
from fastedge.identity.rules import Rules

RULES = Rules(frozenset({"HS256"}), frozenset({CLAIMS["iss"]}), frozenset({"shop"}), 30.0)
KEYS = KeySet.from_secret(SECRET)


class Court:
    """A judge with its tables."""

    def __init__(self, *forward: tuple[str, str, bool], refused_max: int = 16) -> None:
        self.tokens = VerifiedTokens(100, 1 << 20, bytes(range(48)))
        self.refused = VerifiedTokens(refused_max, 1 << 20, bytes(range(48)), True)
        self.judge = Judge(Verifier(KEYS, RULES), forward, self.tokens, self.refused).judge


def make(secret: bytes = SECRET, **changes: Any) -> bytes:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return sign(b'{"alg":"HS256"}', json.dumps(claims).encode(), secret)


def test_admission_says_what_the_token_says_and_is_kept() -> None:
    court = Court(("sub", "x-user", False))
    token = make(jti="j1", roles=["a"])
    admission = court.judge(token, NOW)
    assert isinstance(admission, Admission)
    assert admission.claims == {**CLAIMS, "jti": "j1", "roles": ("a",)}
    assert admission.private
    revocable = admission.revocable
    assert revocable is not None
    assert (revocable.jti, revocable.sub, revocable.issued_s) == ("j1", "ann", NOW - 10)
    assert court.tokens.get(token, NOW) is admission
    assert court.tokens.get(token, NOW + 630) is None
    assert len(court.refused) == 0


def test_admission_of_a_token_without_names_concerns_every_revocation_by_time() -> None:
    admission = Court().judge(make(sub=None, iat=None), NOW)
    assert isinstance(admission, Admission) and admission.revocable is not None and not admission.private
    revocable = admission.revocable
    assert (revocable.jti, revocable.sub, revocable.issued_s) == (None, None, float("-inf"))


@pytest.mark.parametrize(
    ("forward", "changes", "private"),
    [
        ((("sub", "x-user", True),), {}, False),
        ((("sub", "x-user", False),), {"sub": None}, False),
        ((("sub", "x-user", True), ("tier", "x-tier", False)), {"tier": "gold"}, True),
    ],
)
def test_admission_is_private_where_an_unkeyed_claim_is_told(forward: Any, changes: Any, private: bool) -> None:
    admission = Court(*forward).judge(make(**changes), NOW)
    assert isinstance(admission, Admission)
    assert admission.private == private


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (make(secret=b"x" * 32), "signature"),
        (make(iss="https://evil.example"), "issuer"),
        (make(aud="other"), "audience"),
        (make(exp=None), "missing_claim"),
        (make(exp="never"), "invalid_claim"),
        (sign(b'{"alg":"HS256"}', b'{"a":1,"a":2}'), "malformed"),
        (make(name="n" * 5000), "too_large"),
    ],
)
def test_refusal_that_nothing_changes_is_remembered(token: bytes, reason: str) -> None:
    court = Court(("name", "x-name", True))
    for now in (NOW, NOW - 1e6, NOW + 1e6):
        assert court.judge(token, now) == reason
    assert (court.refused.hits, len(court.refused), len(court.tokens)) == (2, 1, 0)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (sign(b'{"alg":"HS512"}', json.dumps(CLAIMS).encode()), "algorithm"),
        (sign(b'{"alg":"HS256","crit":["x"]}', json.dumps(CLAIMS).encode()), "critical"),
        (b"a" * 9000, "too_large"),
        (b"a" * 100, "malformed"),
    ],
)
def test_refusal_that_cost_no_signature_check_is_not_remembered(token: bytes, reason: str) -> None:
    court = Court()
    assert court.judge(token, NOW) == reason
    assert len(court.refused) == 0


def test_token_without_a_key_is_looked_at_again() -> None:
    keys = KeySet.from_jwks(json.dumps({"keys": [{"kty": "oct", "k": "A" * 43, "kid": "a"}]}).encode())
    refused = VerifiedTokens(16, 1 << 20, bytes(48), True)
    judge = Judge(Verifier(keys, RULES), (), VerifiedTokens(16, 1 << 20, bytes(48)), refused).judge
    assert judge(sign(b'{"alg":"HS256","kid":"b"}', json.dumps(CLAIMS).encode()), NOW) == "no_key"
    assert len(refused) == 0


def test_expired_is_remembered_for_as_long_as_it_is_true() -> None:
    court, token = Court(), make(exp=NOW)
    assert court.judge(token, NOW + 30) == "expired"
    assert court.judge(token, NOW + 31) == "expired"
    assert court.refused.hits == 1
    assert isinstance(court.judge(token, NOW + 29), Admission)  # a clock that was set back


def test_not_yet_is_remembered_until_its_time() -> None:
    court, token = Court(), make(nbf=NOW + 100)
    assert court.judge(token, NOW) == court.judge(token, NOW + 69) == "not_yet"
    assert court.refused.hits == 1
    assert isinstance(court.judge(token, NOW + 70), Admission)


def test_near_equal_token_is_judged_by_itself() -> None:
    court, token = Court(), make(secret=b"x" * 32)
    assert court.judge(token, NOW) == "signature"
    for position in range(0, len(token), 5):
        other = token[:position] + (b"A" if token[position] != 65 else b"B") + token[position + 1 :]
        assert isinstance(court.judge(other, NOW), str)
    assert court.refused.hits == 0
    assert isinstance(court.judge(make(), NOW), Admission)


def test_flood_of_refusals_is_bounded_and_displaces_no_good_token() -> None:
    court = Court(refused_max=16)
    good = make()
    admission = court.judge(good, NOW)
    for number in range(200):
        assert court.judge(make(secret=b"x" * 32, jti=str(number)), NOW) == "signature"
    assert len(court.refused) == 16
    assert court.tokens.get(good, NOW) is admission
