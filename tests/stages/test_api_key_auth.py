"""Invariant: nobody passes without a key of theirs, and a key reaches neither origin nor cache key."""

import base64
import inspect
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import CONTINUE, Context, Pipeline, Plan, Request, Response
from fastedge._core.apikeygate import REASONS, ApiKeyGate
from fastedge.errors import ConfigError
from fastedge.identity.api_keys import ApiKeys, key_hash
from fastedge.identity.keys import KeySet
from fastedge.identity.passwords import Users, new_hash
from fastedge.stages import ApiKeyAuth

NOW = 1_800_000_000.0
SALT = b"a salt of 16 byt"
KEY = "fastedge_" + "a" * 43
OLD = "fastedge_" + "b" * 43
PEPPER = b"p" * 32


def api_keys(pepper: bytes | None = None) -> ApiKeys:
    consumers = [
        {"name": "acme", "keys": [key_hash(SALT, KEY, pepper), {"hash": key_hash(SALT, OLD, pepper), "expires": NOW}]},
        {"name": "bolt", "keys": [key_hash(SALT, "k" * 22, pepper)], "claims": {"tier": "gold", "n": [1]}},
    ]
    salt = base64.urlsafe_b64encode(SALT).rstrip(b"=").decode()
    return ApiKeys.from_json(json.dumps({"salt": salt, "consumers": consumers}).encode())


def snapshot() -> SimpleNamespace:
    users = Users.from_lines(f"ann:{new_hash('a', SALT)}".encode())
    keys = {"pepper": KeySet.from_secret(PEPPER), "fetched": KeySet.from_jwks(JWKS)}
    return SimpleNamespace(
        keys=keys, credentials={"shop": api_keys(), "users": users, "peppered": api_keys(PEPPER)}, tables={}, origins=()
    )


JWKS = json.dumps({"keys": [{"kty": "oct", "k": "A" * 43}]}).encode()
SNAPSHOT = snapshot()


def gate(**options: Any) -> ApiKeyGate:
    return ApiKeyAuth(**{"credentials": "shop", **options}).bind(SNAPSHOT)


def ask(bound: ApiKeyGate, *keys: str, target: str = "/", now: float = NOW, fields: Any = ()) -> tuple[Any, Context]:
    ctx = Context(now=now, plan=Plan(target=target))
    return bound.decide(Request("GET", target, [*(("X-Api-Key", key) for key in keys), *fields]), ctx), ctx


def refusal(bound: ApiKeyGate, *keys: str, **more: Any) -> tuple[int, str]:
    verdict, ctx = ask(bound, *keys, **more)
    assert isinstance(verdict, Response)
    assert ctx.claims == {} and ctx.plan.header_edits == []
    assert verdict.headers["www-authenticate"] == 'ApiKey realm="edge"'
    assert verdict.headers["cache-control"] == "no-store"
    assert verdict.body in (b"Unauthorized\n", b"Bad Request\n")
    return verdict.status, ctx.notes["ApiKeyAuth"]


def test_key_passes_with_the_claims_of_its_consumer() -> None:
    verdict, ctx = ask(gate(), "k" * 22)
    assert verdict is CONTINUE
    assert ctx.claims == {"sub": "bolt", "tier": "gold", "n": (1,)}
    assert ctx.plan.header_edits == [("x-api-key", None, True)]
    assert ctx.plan.is_storable


def test_reasons_of_refusals() -> None:
    bound = gate()
    assert refusal(bound) == (401, "missing")
    assert refusal(bound, KEY, "k" * 22) == (400, "several")
    assert refusal(bound, "x" * 513) == (401, "too_large")
    assert refusal(bound, KEY[:-1]) == (401, "unknown")
    assert refusal(bound, "") == (401, "unknown")
    assert refusal(bound, OLD) == (401, "expired")
    assert ask(bound, OLD, now=NOW - 0.1)[0] is CONTINUE


def test_documented_reasons_are_those_that_there_are() -> None:
    assert set(REASONS) == {"several", "too_large", "unknown", "expired"}


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60))
def test_no_other_key_passes_or_raises(key: str) -> None:
    assert refusal(GATE, key)[0] == 401


GATE = gate()


@pytest.mark.parametrize("position", range(len(KEY)))
def test_no_near_equal_key_passes(position: int) -> None:
    assert refusal(GATE, KEY[:position] + "c" + KEY[position + 1 :]) == (401, "unknown")


def test_key_of_the_query_is_kept_from_origin_and_key() -> None:
    bound = gate(key_from="query:api_key")
    for target in (
        f"/a?x=1&api_key={KEY}&y=2",
        f"/a?x=1&api%5Fkey={KEY}&y=2",
        f"/a?x=1&api_key={KEY}&y=2&api_key={KEY}",
    ):
        verdict, ctx = ask(bound, target=target)
        assert verdict is CONTINUE
        assert ctx.plan.target == "/a?x=1&y=2"
    assert bound.hidden_parameters == ("api_key",)
    assert refusal(bound, target=f"/?api_key={KEY}&api_key={OLD}") == (400, "several")
    assert refusal(bound, KEY) == (401, "missing")


def test_keys_in_two_places_have_to_agree() -> None:
    bound = gate(key_from=["header:x-api-key", "query:api_key", "header"])
    verdict, ctx = ask(bound, KEY, target=f"/?api_key={KEY}", fields=[("Authorization", f"ApiKey {KEY}")])
    assert verdict is CONTINUE
    assert ctx.plan.target == "/"
    assert {name for name, value, _ in ctx.plan.header_edits if value is None} == {"x-api-key", "authorization"}
    assert refusal(bound, KEY, target="/?api_key=x") == (400, "several")
    assert refusal(bound, fields=[("Authorization", f"Bearer {KEY}")]) == (401, "missing")


def test_pepper_is_needed_where_hashes_were_made_with_it() -> None:
    assert ask(gate(credentials="peppered", pepper="pepper"), KEY)[0] is CONTINUE
    assert refusal(gate(credentials="peppered"), KEY) == (401, "unknown")


def test_claims_are_told_to_the_origin_and_split_the_cache_where_they_are_keyed() -> None:
    forward = {"sub": "X-Consumer", "tier": "x-tier"}
    _, ctx = ask(gate(forward_claims=forward), "k" * 22)
    assert ctx.plan.header_edits[1:] == [("x-consumer", "bolt", False), ("x-tier", "gold", False)]
    assert ctx.plan.unstorable_reason == "private"
    _, ctx = ask(gate(forward_claims=forward, key_claims=["sub", "tier"]), KEY)
    assert ctx.plan.header_edits[1:] == [("x-consumer", "acme", True)]
    assert ctx.plan.is_storable
    assert gate(forward_claims=forward).reserved_fields == ("x-consumer", "x-tier")


def test_key_that_is_forwarded_makes_the_answer_private() -> None:
    _, ctx = ask(gate(forward_key=True), KEY)
    assert ctx.plan.header_edits == []
    assert ctx.plan.unstorable_reason == "private"


def test_pipeline_runs_the_gate() -> None:
    (hook,) = Pipeline(ApiKeyAuth(credentials="shop")).bind(SNAPSHOT).hooks()
    assert (hook.stage, hook.name, hook.fail_open) == ("ApiKeyAuth", "on_request", False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"credentials": "other"},
            r"ApiKeyAuth\(credentials='other'\): there is no \[credentials.other\]; known: peppered, shop",
        ),
        ({"credentials": "users"}, r"\[credentials.users\] holds users, not API keys"),
        ({"credentials": ""}, r"credentials=...\): a text is expected, not nothing"),
        ({"key_from": "somewhere"}, r'key_from=...\): "header", "header:NAME"'),
        ({"key_from": []}, r"at least one place, each once"),
        ({"key_from": "query:k", "forward_key": True}, r"never forwarded"),
        ({"pepper": "none"}, r"there is no \[keys.none\]"),
        ({"pepper": "fetched"}, r"\[keys.fetched\] is no secret_env or secret_file"),
        ({"realm": 'a"b'}, r"without quotes"),
        ({"key_claims": ["sub"]}, r"'sub' is not in forward_claims"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        gate(**options)


def test_claim_too_long_for_a_field_is_an_error_before_the_first_request() -> None:
    salt = base64.urlsafe_b64encode(SALT).rstrip(b"=").decode()
    consumers = [{"name": "acme", "keys": [key_hash(SALT, KEY)], "claims": {"t": "x" * 5000}}]
    keys = ApiKeys.from_json(json.dumps({"salt": salt, "consumers": consumers}).encode())
    with pytest.raises(ConfigError, match="a claim of acme is too long for a field"):
        ApiKeyAuth(credentials="c", forward_claims={"t": "x-t"}).bind(SimpleNamespace(keys={}, credentials={"c": keys}))


def test_options_are_keyword_only() -> None:
    assert all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(ApiKeyAuth).parameters.values())


def test_trace_tells_whose_key_it_is_and_no_key() -> None:
    def trace(*keys: str) -> list[tuple[str, str]]:
        return gate().trace(Request("GET", "/", [("x-api-key", key) for key in keys]), Context(now=NOW))

    assert trace() == [("header:x-api-key", "no key")]
    assert trace("x") == [("header:x-api-key", "a key"), ("key", "of nobody (unknown)")]
    assert trace(KEY)[1:] == [("key", "of acme"), ("expires", "never")]
    assert trace(OLD)[1:] == [("key", "of acme"), ("expires", "1800000000 (expired)")]
