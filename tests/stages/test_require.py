"""Invariant: whoever breaks one rule gets a 403 that does not say which, and the log does."""

from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import CONTINUE, ConfigError, Context, Request
from fastedge.identity.claims import read_only
from fastedge.stages import Require


def ask(stage: Require, claims: dict[str, Any] | None) -> tuple[Any, Context]:
    ctx = Context()
    if claims is not None:
        frozen = read_only(dict(claims))
        assert frozen is not None
        ctx.claims = frozen[0]
    return stage.bind(None).decide(Request(), ctx), ctx


def reason(stage: Require, claims: dict[str, Any] | None) -> str | None:
    """Why these claims are refused, or None, after checking what is true of every refusal."""
    verdict, ctx = ask(stage, claims)
    if verdict is CONTINUE:
        assert ctx.notes == {}
        return None
    assert (verdict.status, verdict.body) == (403, b"Forbidden\n")
    assert verdict.headers["cache-control"] == "no-store"
    return ctx.notes["Require"]


SCOPES = Require(scopes=["orders:read", "orders:write"])
ROLES = Require(roles=["admin", "ops"])
NESTED = Require(roles=["admin"], roles_claim=("realm_access", "roles"))


@pytest.mark.parametrize(
    ("stage", "claims", "refused"),
    [
        (SCOPES, {"scope": "orders:write profile orders:read"}, None),
        (SCOPES, {"scope": ["orders:read", "orders:write"]}, None),
        (SCOPES, {"scp": "orders:read orders:write"}, None),
        (SCOPES, {"scp": ["orders:write", "orders:read", 3]}, None),
        (SCOPES, {"scope": "orders:read"}, "scopes"),
        (SCOPES, {"scope": "orders:readers orders:write"}, "scopes"),
        (SCOPES, {"scope": "orders:read,orders:write"}, "scopes"),
        (SCOPES, {"scope": "x", "scp": "orders:read orders:write"}, "scopes"),
        (SCOPES, {}, "scopes"),
        (SCOPES, {"scope": None}, "scopes"),
        (SCOPES, {"scope": {"orders:read": 1, "orders:write": 1}}, "scopes"),
        (ROLES, {"roles": ["user", "ops"]}, None),
        (ROLES, {"role": "admin"}, None),
        (ROLES, {"roles": ["user"], "role": "admin"}, "roles"),
        (ROLES, {"roles": "admin ops"}, "roles"),
        (ROLES, {"roles": [["admin"]]}, "roles"),
        (NESTED, {"realm_access": {"roles": ["admin"]}}, None),
        (NESTED, {"realm_access": ["admin"]}, "roles"),
        (NESTED, {"realm_access.roles": ["admin"], "roles": ["admin"]}, "roles"),
        (Require(equals={"tenant": "acme"}), {"tenant": "acme"}, None),
        (Require(equals={"tenant": "acme"}), {"tenant": ["acme"]}, "equals tenant"),
        (Require(equals={"tenant": "acme"}), {"tenant": "ACME"}, "equals tenant"),
        (Require(equals={"verified": True}), {"verified": True}, None),
        (Require(equals={"verified": True}), {"verified": 1}, "equals verified"),
        (Require(equals={"level": 1}), {"level": True}, "equals level"),
        (Require(equals={"level": 1}), {"level": 1.0}, None),
        (Require(equals={"level": 1}), {"level": "1"}, "equals level"),
        (Require(equals={("org", "id"): "7"}), {"org": {"id": "7"}}, None),
        (Require(equals={("org", "id"): "7"}), {"org": "7"}, "equals org.id"),
        (Require(one_of={"plan": ["gold", "silver"]}), {"plan": "silver"}, None),
        (Require(one_of={"plan": ["gold", "silver"]}), {"plan": "free"}, "one_of plan"),
        (Require(contains={"groups": "staff"}), {"groups": ["staff", "all"]}, None),
        (Require(contains={"groups": ["staff", "all"]}), {"groups": ["staff"]}, "contains groups"),
        (Require(contains={"groups": "staff"}), {"groups": "staff"}, "contains groups"),
        (Require(scopes=["a"], equals={"tenant": "acme"}), {"scope": "a", "tenant": "other"}, "equals tenant"),
        (SCOPES, None, "no_claims"),
    ],
)
def test_rule(stage: Require, claims: dict[str, Any] | None, refused: str | None) -> None:
    assert reason(stage, claims) == refused


class Tier(StrEnum):
    GOLD = "gold"


class Level(IntEnum):
    ONE = 1


@pytest.mark.parametrize("odd", [{}, [], [{}], [[]], {"a": 1}, "other", 2, True, None])
@pytest.mark.parametrize("wanted", [Tier.GOLD, Level.ONE])
def test_member_of_an_enumeration_stands_for_its_value_alone(wanted: Any, odd: Any) -> None:
    options: dict[str, Any]
    for option in ("equals", "contains"):
        options = {option: {"tier": wanted}}
        assert reason(Require(**options), {"tier": odd}) == f"{option} tier"
    assert reason(Require(equals={"tier": wanted}), {"tier": wanted.value}) is None
    assert reason(Require(scopes=[Tier.GOLD]), {"scope": odd}) == "scopes"
    assert reason(Require(roles=[Tier.GOLD]), {"role": odd}) == "roles"
    assert reason(Require(scopes=[Tier.GOLD]), {"scope": "silver gold"}) is None


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\t", "\n", "\x1f", "\x85"])
def test_scopes_are_apart_by_spaces_and_nothing_else(space: str) -> None:
    assert reason(Require(scopes=["admin"]), {"scope": f"x{space}admin"}) == "scopes"


def test_lack_of_scope_is_said_as_rfc_6750_has_it() -> None:
    verdict, _ = ask(SCOPES, {})
    assert verdict.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
    assert "www-authenticate" not in ask(ROLES, {})[0].headers


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["scope", "scp", "roles", "role", "tenant", "groups", "realm_access"]), JSON)
def test_no_claim_raises_or_passes_by_accident(name: str, value: Any) -> None:
    strict = Require(scopes=["a very long scope"], roles=["a very long role"], equals={"tenant": "a very long tenant"})
    assert reason(strict, {name: value}) in ("scopes", "roles", "equals tenant")
    assert reason(NESTED, {name: value}) == "roles"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "without a rule"),
        ({"scopes": "orders:read"}, "scopes=.*a list of texts"),
        ({"roles": [""]}, "roles=.*a text is expected"),
        ({"roles_claim": "groups"}, "needs roles"),
        ({"equals": {"tenant": None}}, "texts, numbers, True or False"),
        ({"equals": {"tenant": ["a"]}}, "texts, numbers, True or False"),
        ({"one_of": {"plan": "gold"}}, "1 to 1024 values"),
        ({"one_of": {"plan": []}}, "1 to 1024 values"),
        ({"contains": ["groups"]}, "is expected"),
        ({"equals": {(): "a"}}, "a claim has a name"),
        ({"equals": {3: "a"}}, "a list of texts"),
    ],
)
def test_rules_that_make_no_sense_are_errors(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Require(**options)


def test_claims_without_any_are_not_nobody() -> None:
    assert reason(Require(equals={"a": 1}), {}) == "equals a"
    assert Context().claims == MappingProxyType({})
