"""Invariant: without a valid token no request passes, and what an origin hears of claims comes from a token alone."""

import inspect
import json
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokens_by_hand import CLAIMS, NOW, SECRET, make, public_set, signed

from fastedge import CONTINUE, Context, Pipeline, Plan, Request, Response, When
from fastedge._core.accesslog import LogBuffer
from fastedge._core.jwtgate import JwtGate
from fastedge._core.keyslot import KeySlot
from fastedge._core.pipeline import Wait
from fastedge.engine import Engine, Exchange, Site
from fastedge.errors import ConfigError
from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.stages.jwt_auth import JwtAuth

AUTH = {"issuer": "https://id.shop.example", "audience": "shop", "keys": "shop"}


BEARER = ("Authorization", "Bearer " + make())


def snapshot(secret: bytes = SECRET) -> SimpleNamespace:
    return SimpleNamespace(keys={"shop": KeySet.from_secret(secret)}, revocations=None)


def gate(**options: Any) -> JwtGate:
    return JwtAuth(**{"issuer": "https://id.shop.example", "audience": "shop", "keys": "shop", **options}).bind(
        snapshot()
    )


def begun(stage: Any, request: Request) -> Exchange:
    """The exchange of a request, as a pipeline of this stage has decided about it."""
    engine = Engine({"*": Site("", Pipeline(stage).bind(snapshot()), "main")}, ["main"])
    exchange = engine.begin(request, NOW, bytes(16))
    assert exchange is not None
    exchange.step_start()
    return exchange


def planned(stage: Any, headers: Any, method: str = "GET") -> Plan:
    return begun(stage, Request(method, "/", headers)).ctx.plan


def ask(
    bound: JwtGate, authorization: str | None = None, *, now: float = NOW, method: str = "GET", headers: Any = ()
) -> tuple[Any, Context]:
    lines = list(headers) + ([] if authorization is None else [("Authorization", authorization)])
    ctx = Context(now=now)
    return bound.decide(Request(method, "/", lines), ctx), ctx


def refusal(bound: JwtGate, authorization: str | None = None, **more: Any) -> tuple[int, str, str]:
    """(status, challenge, reason), after checking what is true of every refusal."""
    verdict, ctx = ask(bound, authorization, **more)
    assert isinstance(verdict, Response)
    assert ctx.claims == {} and ctx.plan.header_edits == []
    assert verdict.headers["cache-control"] == "no-store"
    assert verdict.body in (b"Unauthorized\n", b"Bad Request\n")
    return verdict.status, verdict.headers["www-authenticate"], ctx.notes["JwtAuth"]


INVALID = 'Bearer realm="edge", error="invalid_token"'

# --- passing ---------------------------------------------------------------------------------------------------------


def test_valid_token_passes_with_its_claims() -> None:
    bound = gate()
    for _ in range(3):  # first sight, then from the table
        verdict, ctx = ask(bound, "Bearer " + make())
        assert verdict is CONTINUE
        assert ctx.claims == CLAIMS
        assert ctx.plan.header_edits == [("authorization", None, True)]
        assert ctx.plan.is_storable
    assert (bound.tokens.hits, bound.tokens.misses, len(bound.tokens)) == (2, 1, 1)


@pytest.mark.parametrize("scheme", ["bearer ", "BEARER ", "bEaReR  ", "Bearer     "])
def test_scheme_is_read_in_any_case(scheme: str) -> None:
    assert ask(gate(), scheme + make())[0] is CONTINUE


def test_token_is_forwarded_only_on_request() -> None:
    _, ctx = ask(gate(forward_token=True), "Bearer " + make())
    assert ctx.plan.header_edits == []


def test_claims_are_read_only_for_policies() -> None:
    bound = gate()
    _, ctx = ask(bound, "Bearer " + make(roles=["a"], org={"id": 1}))
    with pytest.raises(TypeError):
        ctx.claims["sub"] = "root"  # type: ignore[index]
    with pytest.raises(TypeError):
        ctx.claims["org"]["id"] = 2
    assert ctx.claims["roles"] == ("a",)


def test_pipeline_runs_the_gate() -> None:
    pipeline = Pipeline(JwtAuth(issuer="https://id.shop.example", audience="shop", keys="shop"))
    (hook,) = pipeline.bind(snapshot()).hooks()
    assert (hook.stage, hook.name, hook.fail_open) == ("JwtAuth", "on_request", False)


# --- an optional gate ------------------------------------------------------------------------------------------------


def test_stranger_passes_an_optional_gate_without_claims() -> None:
    for authorization in (None, "Basic YTpi", ""):
        verdict, ctx = ask(gate(optional=True), authorization)
        assert verdict is CONTINUE
        assert ctx.claims == {} and ctx.notes == {}


def test_strangers_and_customers_ask_the_origin_the_same() -> None:
    stage = JwtAuth(**AUTH, optional=True)
    assert planned(stage, []).header_edits == planned(stage, [BEARER]).header_edits == [("authorization", None, True)]


@pytest.mark.parametrize("forward_token", [False, True])
def test_what_an_optional_gate_has_not_checked_reaches_no_origin(forward_token: bool) -> None:
    _, ctx = ask(gate(optional=True, forward_token=forward_token), "Basic YTpi")
    assert ctx.plan.header_edits == [("authorization", None, True)]


def test_bad_token_is_refused_by_an_optional_gate_too() -> None:
    bound = gate(optional=True)
    assert refusal(bound, "Bearer " + make(aud="another")) == (401, INVALID, "audience")
    assert refusal(bound, "Bearer x.y.z") == (401, INVALID, "malformed")
    assert refusal(bound, "Bearer " + make(), headers=[BEARER])[::2] == (400, "several")


# --- refusing --------------------------------------------------------------------------------------------------------


def test_no_credentials_are_challenged_without_an_error() -> None:
    for authorization in (None, "Basic YTpi", "", "Bearerx abc", "Beare", 'Digest username="x"', "Bear er x"):
        assert refusal(gate(), authorization) == (401, 'Bearer realm="edge"', "missing")


def test_realm_is_in_the_challenge() -> None:
    assert refusal(gate(realm="the shop, EU"))[1] == 'Bearer realm="the shop, EU"'


def test_several_authorization_fields_are_a_bad_request() -> None:
    good = ("authorization", "Bearer " + make())
    for other in (good, ("Authorization", "Basic YTpi"), ("AUTHORIZATION", "")):
        for lines in ([good, other], [other, good]):
            status, challenge, reason = refusal(gate(), headers=lines)
            assert (status, reason) == (400, "several")
            assert challenge == 'Bearer realm="edge", error="invalid_request"'


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "malformed"),
        ("abc", "malformed"),
        (make() + " ", "ok"),  # white space around a field value is not part of it
        (make() + "=", "malformed"),
        (make() + " " + make(), "malformed"),
        (make() + ", Bearer " + make(), "malformed"),
        ("\t" + make(), "malformed"),
        ("a" * 8193, "too_large"),
        (make(secret=b"another secret of 32 bytes ....."), "signature"),
        (make(exp=NOW), "ok"),
        (make(exp=NOW - 30), "expired"),
        (make(nbf=NOW + 31), "not_yet"),
        (make(iss="https://id.other.example"), "issuer"),
        (make(aud="other"), "audience"),
        (make(exp=None), "missing_claim"),
        (make(exp="never"), "invalid_claim"),
        (make(deep=json.loads("[" * 20 + "]" * 20)), "malformed"),
    ],
)
def test_bad_token_is_refused_with_its_reason_in_the_log_only(token: str, reason: str) -> None:
    if reason == "ok":
        assert ask(gate(), "Bearer " + token)[0] is CONTINUE
    else:
        assert refusal(gate(), "Bearer " + token) == (401, INVALID, reason)


def test_response_hooks_cannot_edit_the_next_refusal() -> None:
    bound = gate()
    first, _ = ask(bound)
    first.headers.set("www-authenticate", "none")
    assert refusal(bound)[1] == 'Bearer realm="edge"'


def test_token_is_refused_from_the_moment_it_expires_although_it_was_seen() -> None:
    bound = gate(leeway_s=5)
    authorization = "Bearer " + make(exp=NOW + 10, nbf=NOW)
    assert ask(bound, authorization, now=NOW + 14.9)[0] is CONTINUE
    assert len(bound.tokens) == 1
    assert refusal(bound, authorization, now=NOW + 15) == (401, INVALID, "expired")
    assert refusal(bound, authorization, now=NOW - 5.1) == (401, INVALID, "not_yet")
    assert ask(bound, authorization, now=NOW - 5)[0] is CONTINUE


def test_no_near_equal_token_passes_after_the_good_one_was_seen() -> None:
    bound = gate()
    token = make()
    assert ask(bound, "Bearer " + token)[0] is CONTINUE
    for position in range(len(token)):
        for replacement in ("A", "b", "-", ".", "="):
            near = token[:position] + replacement + token[position + 1 :]
            if near != token:
                assert refusal(bound, "Bearer " + near)[0] == 401
    assert len(bound.tokens) == 1


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60))
def test_no_field_value_passes_or_raises(value: str) -> None:
    assert refusal(gate(), value)[0] == 401
    assert refusal(gate(), "Bearer " + value)[0] == 401


def test_new_keys_start_with_an_empty_table() -> None:
    stage = JwtAuth(issuer="https://id.shop.example", audience="shop", keys="shop")
    old, authorization = stage.bind(snapshot()), "Bearer " + make()
    assert ask(old, authorization)[0] is CONTINUE
    new = stage.bind(snapshot(b"the next secret of 32 bytes ...."))
    assert refusal(new, authorization) == (401, INVALID, "signature")


def test_trace_names_the_check_that_failed_and_no_token() -> None:
    token = make(exp=NOW - 100)
    rows = gate().trace(Request("GET", "/", {"authorization": "Bearer " + token}), Context(now=NOW))
    assert ("signature", "holds") in rows
    assert rows[-1] == ("exp", "100 s ago (expired)")
    assert token not in repr(rows)


# --- preflights ------------------------------------------------------------------------------------------------------

PREFLIGHT = [("origin", "https://a.example"), ("access-control-request-method", "PUT")]


def test_preflight_passes_only_where_it_is_allowed() -> None:
    assert refusal(gate(), method="OPTIONS", headers=PREFLIGHT)[2] == "missing"
    for forward_token in (False, True):
        bound = gate(allow_preflight=True, forward_token=forward_token, forward_claims={"sub": "x-user"})
        verdict, ctx = ask(bound, "Bearer junk", method="OPTIONS", headers=[*PREFLIGHT, ("x-user", "root")])
        assert verdict is CONTINUE
        assert ctx.claims == {}
        assert ctx.plan.header_edits == [("authorization", None, True)]


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET", PREFLIGHT), ("OPTIONS", PREFLIGHT[:1]), ("OPTIONS", PREFLIGHT[1:]), ("options", PREFLIGHT)],
)
def test_what_is_no_preflight_needs_a_token(method: str, headers: Any) -> None:
    assert refusal(gate(allow_preflight=True), method=method, headers=headers)[2] == "missing"


# --- claims to the origin --------------------------------------------------------------------------------------------


def test_forwarded_claim_is_for_this_client_alone() -> None:
    bound = gate(forward_claims={"sub": "X-User", "roles": "x-roles"})
    for _ in range(2):
        _, ctx = ask(bound, "Bearer " + make(roles=["a", "b"]))
        assert ctx.plan.header_edits == [
            ("authorization", None, True),
            ("x-user", "ann", False),
            ("x-roles", '["a","b"]', False),
        ]
        assert ctx.plan.unstorable_reason == "private"


def test_keyed_claim_leaves_the_answer_storable() -> None:
    bound = gate(forward_claims={"sub": "x-user", "tier": "x-tier"}, key_claims=["tier"])
    _, ctx = ask(bound, "Bearer " + make(sub=None, tier="gold"))
    assert ctx.plan.header_edits == [("authorization", None, True), ("x-tier", "gold", True)]
    assert ctx.plan.is_storable
    _, ctx = ask(bound, "Bearer " + make(tier="gold"))
    assert not ctx.plan.is_storable


def test_forged_field_is_dropped_although_the_claim_is_absent() -> None:
    plan = planned(JwtAuth(**AUTH, forward_claims={"email": "x-email"}), [("X-Email", "root@shop.example"), BEARER])
    assert plan.header_edits == [("x-email", None, False), ("authorization", None, True)]


def test_forged_field_is_dropped_where_the_gate_does_not_stand() -> None:
    elsewhere = When("/account/*", JwtAuth(**AUTH, forward_claims={"sub": "x-user"}))
    assert planned(elsewhere, [("X-User", "root")]).header_edits == [("x-user", None, False)]


@pytest.mark.parametrize(
    ("field", "forged", "dropped"),
    [
        ("x-user-id", "x_user_id", True),
        ("x-user-id", "X_User-Id", True),
        ("x-user-id", "x-user_ix", False),
        ("x_user", "x-user", True),
        ("x_user-id", "x-user_id", True),
        ("x-user-id", "accept-en", False),
    ],
)
def test_forged_lookalike_is_dropped(field: str, forged: str, dropped: bool) -> None:
    stage = JwtAuth(**AUTH, forward_claims={"sub": field}, allow_preflight=True)
    for method, headers in (("GET", [BEARER]), ("OPTIONS", PREFLIGHT)):
        plan = planned(stage, [*headers, (forged, "root")], method)
        assert ((forged.lower(), None, False) in plan.header_edits) == dropped


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.integers() | st.lists(st.booleans(), max_size=3)
)
def test_no_claim_breaks_out_of_its_field(value: Any) -> None:
    _, ctx = ask(gate(forward_claims={"name": "x-name"}), "Bearer " + make(name=value))
    ((name, text, _),) = ctx.plan.header_edits[1:]
    assert name == "x-name" and text is not None
    assert all(" " <= character <= "~" for character in text)


def test_claim_too_long_for_a_field_is_refused() -> None:
    bound = gate(forward_claims={"name": "x-name"})
    assert ask(bound, "Bearer " + make(name="a" * 4096))[0] is CONTINUE
    assert refusal(bound, "Bearer " + make(name="a" * 4097)) == (401, INVALID, "too_large")
    assert refusal(bound, "Bearer " + make(name="\u00e9" * 700)) == (401, INVALID, "too_large")


@given(st.sampled_from(["sub", "tier"]), st.sampled_from([(), ("tier",), ("sub", "tier")]))
def test_two_users_share_an_answer_only_if_the_origin_heard_the_same(claim: str, keyed: tuple[str, ...]) -> None:
    bound = gate(forward_claims={"sub": "x-user", "tier": "x-tier"}, key_claims=keyed)
    plans: list[Plan] = []
    for value in ("one", "two"):
        _, ctx = ask(bound, "Bearer " + make(**{"sub": None, claim: value}))
        plans.append(ctx.plan)
    heard = [[(name, value) for name, value, _ in plan.header_edits] for plan in plans]
    key = [[edit for edit in plan.header_edits if edit[2]] for plan in plans]
    assert heard[0] != heard[1]
    assert key[0] != key[1] or not any(plan.is_storable for plan in plans)


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_table_of_tokens_is_bounded() -> None:
    bound = gate(cache_tokens=10)
    for number in range(50):
        assert ask(bound, "Bearer " + make(jti=str(number)))[0] is CONTINUE
    assert len(bound.tokens) == 10


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"text": "x" * 4000},
        {"text": "x" * 3000 + "\U0001f600"},
        {str(i): i + 0.5 for i in range(250)},
        {"nested": [[] for _ in range(900)]},
        {"nested": [{"k": 1.5} for _ in range(400)]},
        {"nested": ["é"] * 400},
    ],
)
def test_cost_of_a_token_is_an_upper_bound(extra: dict[str, Any]) -> None:
    bound = gate(cache_tokens=1, forward_claims={"sub": "x-user"})
    authorizations = ["Bearer " + make(**extra, jti=str(number)) for number in range(2)]
    ask(bound, authorizations[0])
    bound.tokens.clear()
    request, ctx = Request("GET", "/", {"authorization": authorizations[1]}), Context(now=NOW)
    tracemalloc.start()
    try:
        assert bound.decide(request, ctx) is CONTINUE
        del ctx
        assert tracemalloc.get_traced_memory()[0] <= bound.tokens.bytes_used
    finally:
        tracemalloc.stop()


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"issuer": None}, "issuer=...): say whom to accept, or require_issuer=False"),
        ({"audience": None}, "audience=...): say whom to accept, or require_audience=False"),
        ({"issuer": ""}, "issuer=...): a text"),
        ({"issuer": []}, "issuer=...): an empty list"),
        ({"audience": ["a", 5]}, "audience=...): a text"),
        ({"audience": 5}, "audience=...): a list of texts"),
        ({"keys": ""}, "keys=...): a text"),
        ({"algorithms": ["none"]}, "algorithms=...): 'none' is none of HS256, HS384, "),
        ({"types": []}, "types=...): an empty list"),
        ({"types": [5]}, "types=...): a text"),
        ({"algorithms": "HS256"}, "algorithms=...): a list of texts"),
        ({"algorithms": []}, "algorithms=...): an empty list"),
        ({"leeway_s": -1}, "leeway_s=...): a number from 0 to 600"),
        ({"leeway_s": 601}, "leeway_s=...): a number from 0 to 600"),
        ({"leeway_s": float("nan")}, "leeway_s=...): a number from 0 to 600"),
        ({"leeway_s": True}, "leeway_s=...): a number from 0 to 600"),
        ({"realm": 'a"b'}, "realm=...): printable ASCII"),
        ({"realm": "a\nb"}, "realm=...): printable ASCII"),
        ({"allow_preflight": "no"}, "allow_preflight=...): True or False"),
        ({"require_expiry": 1}, "require_expiry=...): True or False"),
        ({"forward_claims": ["sub"]}, "forward_claims=...): {\"claim\": \"field\"}"),
        ({"forward_claims": {"sub": "x user"}}, "forward_claims=...): 'x user' is not a field name"),
        ({"forward_claims": {"sub": "host"}}, "forward_claims=...): host is written by the edge"),
        ({"forward_claims": {"sub": "Authorization"}}, "two things cannot both be 'authorization'"),
        ({"forward_claims": {"sub": "x", "jti": "X"}}, "forward_claims=...): two things cannot both be 'x'"),
        ({"forward_claims": {"sub": 5}}, "forward_claims=...): a text"),
        ({"key_claims": ["sub"]}, "key_claims=...): 'sub' is not in forward_claims"),
        ({"required": "sub"}, "required=...): a list of texts"),
        ({"cache_tokens": 0}, "cache_tokens=...): a number from 1 to 1000000"),
    ],
)  # fmt: skip
def test_wrong_option_is_named(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        gate(**options)
    assert str(caught.value).startswith("JwtAuth(") and problem in str(caught.value)


def test_secret_in_the_place_of_a_name_is_not_printed() -> None:
    with pytest.raises(ConfigError, match=r"keys=\.\.\.\): a text is expected, not bytes$"):
        gate(keys=SECRET)


def test_unknown_key_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"there is no \[keys.store\]; known: shop"):
        gate(keys="store")


def test_algorithms_that_the_keys_cannot_do_are_refused_when_bound() -> None:
    with pytest.raises(ConfigError, match=r"the keys 'shop' can verify HS256 only"):
        gate(algorithms=["RS256"])


def test_two_gates_in_a_row_say_together_who_it_is() -> None:
    ctx = Context(now=NOW)
    request = Request("GET", "/", {"authorization": "Bearer " + make(sub="ann"), "x-device": make(sub="phone", os="a")})
    assert gate().decide(request, ctx) is CONTINUE
    assert gate(token_from="header:x-device").decide(request, ctx) is CONTINUE
    assert (ctx.claims["sub"], ctx.claims["os"]) == ("ann", "a")  # of two claims of one name, the first is the one


# --- where a token may stand -----------------------------------------------------------------------------------------


def shown(*places: str, target: str = "/", **headers: str) -> tuple[Any, Context]:
    ctx = Context(now=NOW, plan=Plan(origin="main", target=target))
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return gate(token_from=places).decide(Request("GET", target, fields), ctx), ctx


@pytest.mark.parametrize("place", ["header", "header:x-token", "cookie:session", "query:access_token"])
def test_token_is_taken_from_its_place_and_goes_no_further(place: str) -> None:
    token = make()
    fields = {"authorization": "Bearer " + token, "x_token": token, "cookie": f"a=1; session={token}; b=2"}
    verdict, ctx = shown(place, target=f"/p?x=1&access_token={token}&y=2", **fields)
    assert verdict is CONTINUE and ctx.claims["sub"] == "ann"
    edits = {
        "header": [("authorization", None, True)],
        "header:x-token": [("x-token", None, True)],
        "cookie:session": [("cookie", "a=1; b=2", False)],
        "query:access_token": [],
    }
    assert ctx.plan.header_edits == edits[place]
    assert (token in ctx.plan.target) == (place != "query:access_token")
    assert ctx.plan.target.startswith("/p?x=1&") and ctx.plan.target.endswith("y=2")


def test_only_cookie_leaves_no_cookie_field() -> None:
    _, ctx = shown("cookie:session", cookie=f"session={make()}")
    assert ctx.plan.header_edits == [("cookie", None, False)]


def test_places_that_agree_are_one_credential() -> None:
    token = make()
    verdict, ctx = shown("header", "cookie:session", authorization="Bearer " + token, cookie=f"session={token}")
    assert verdict is CONTINUE
    assert ctx.plan.header_edits == [("authorization", None, True), ("cookie", None, False)]


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        ("/", {"authorization": "Bearer {1}", "cookie": "session={2}"}),
        ("/?t={2}", {"authorization": "Bearer {1}"}),
        ("/?t={1}&t={2}", {}),
        ("/?t={1}&%74={2}", {}),
        ("/", {"cookie": "session={1}; session={2}"}),
        ("/?t={1}", {"cookie": "session={2}"}),
        ("/?t={1}&t=", {}),
    ],
)
def test_credentials_that_differ_are_never_chosen_from(target: str, fields: dict[str, str]) -> None:
    def filled(text: str) -> str:
        return text.replace("{1}", make(sub="ann")).replace("{2}", make(sub="bob"))

    verdict, ctx = shown(
        "header", "cookie:session", "query:t", target=filled(target), **{n: filled(v) for n, v in fields.items()}
    )
    assert isinstance(verdict, Response) and verdict.status == 400
    assert verdict.headers["www-authenticate"] == 'Bearer realm="edge", error="invalid_request"'
    assert ctx.notes == {"JwtAuth": "several"}


@pytest.mark.parametrize("place", ["body", "header:", "cookie:a b", "cookie:", "query:", "query:a*", "query:a&b", ""])
def test_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(ConfigError, match="token_from"):
        gate(token_from=[place])


def test_query_token_is_never_forwarded() -> None:
    with pytest.raises(ConfigError, match="never forwarded"):
        gate(token_from=["header", "query:t"], forward_token=True)


def test_log_does_not_see_a_token_in_the_query_on_any_path() -> None:
    stage = When("/account/*", JwtAuth(**AUTH, token_from=["query:t"]))
    log = LogBuffer()
    for target in ("/account/1?a=1&t=secret&b=2", "/other?t=secret", "/other?%74=secret"):
        exchange = begun(stage, Request("GET", target))
        log.write(exchange.request, exchange.ctx)
    lines = [json.loads(line) for line in log.take_batch().splitlines()]
    assert [line["query"] for line in lines] == ["a=1&b=2", None, None]


@pytest.mark.parametrize(
    ("referers", "kept"),
    [
        (["https://a.example/account/1?a=1&t=secret"], "https://a.example/account/1?a=1"),
        (["https://a.example/?%74=secret"], "https://a.example/"),
        (["https://a.example/?x=t", "https://a.example/?t=secret"], "https://a.example/?x=t"),
    ],
)
def test_page_that_was_asked_for_with_a_token_does_not_tell_it_as_referer(referers: list[str], kept: str) -> None:
    stage = When("/account/*", JwtAuth(**AUTH, token_from=["query:t"]))
    log = LogBuffer()
    exchange = begun(stage, Request("GET", "/style.css", [("referer", one) for one in referers]))
    log.write(exchange.request, exchange.ctx)
    assert json.loads(log.take_batch())["referer"] == kept
    assert exchange.ctx.plan.header_edits == [("referer", kept, False)]
    untouched = begun(stage, Request("GET", "/style.css", {"referer": "https://a.example/?x=t"}))
    assert untouched.ctx.plan.header_edits == []


# --- keys that change ------------------------------------------------------------------------------------------------


def live_gate(slot: KeySlot, **options: Any) -> JwtGate:
    return JwtAuth(**AUTH, **options).bind(SimpleNamespace(keys={"shop": slot}, revocations=None))


def test_swapped_keys_are_in_force_from_the_next_request_on() -> None:
    slot, authorization = KeySlot(KeySet.from_secret(SECRET)), "Bearer " + make()
    bound = live_gate(slot)
    assert ask(bound, authorization)[0] is CONTINUE
    slot.swap(KeySet.from_secret(b"the next secret of 32 bytes ...."))
    assert refusal(bound, authorization)[2] == "signature"
    slot.swap(KeySet.from_secret(SECRET))
    assert ask(bound, authorization)[0] is CONTINUE


def test_without_keys_it_is_the_edges_fault() -> None:
    verdict, ctx = ask(live_gate(KeySlot(None, renew=lambda: None)), "Bearer " + make())
    assert (verdict.status, verdict.headers["retry-after"]) == (503, "5")
    assert "www-authenticate" not in verdict.headers
    assert ctx.notes == {"JwtAuth": "keys_unavailable"}


def rotating(step: Any) -> tuple[KeySlot, str]:
    """A slot whose key set has another kid, and the token that its owner has signed with a new key."""
    return KeySlot(KeySet.from_jwks(public_set("old")), renew=lambda: step), "Bearer " + signed("new")


def test_unknown_kid_waits_for_newer_keys_once() -> None:
    async def step() -> None: ...

    slot, authorization = rotating(step)
    bound = live_gate(slot)
    verdict, ctx = ask(bound, authorization)
    assert isinstance(verdict, Wait) and verdict.step is step
    refused = verdict.then(None)  # nothing new came
    assert (refused.status, ctx.notes) == (401, {"JwtAuth": "no_key"})
    verdict, ctx = ask(bound, authorization)
    slot.swap(KeySet.from_jwks(public_set("new")))
    assert verdict.then(None) is CONTINUE
    assert ctx.claims["sub"] == "ann"
    assert ctx.plan.header_edits == [("authorization", None, True)]


def test_unknown_kid_is_refused_at_once_while_nobody_may_ask() -> None:
    slot, authorization = rotating(None)
    assert refusal(live_gate(slot), authorization)[2] == "no_key"


# --- docs ------------------------------------------------------------------------------------------------------------


def test_docs_name_every_option_and_every_reason() -> None:
    text = (Path(__file__).parents[2] / "docs/stages/jwt_auth.md").read_text()
    options, reasons = (
        {line.split("`")[1] for line in text.split(f"| {head} |")[1].split("\n\n")[0].splitlines() if "`" in line[:4]}
        for head in ("option", "reason")
    )
    assert options == set(inspect.signature(JwtAuth).parameters)
    assert reasons == {refusal.value for refusal in TokenRefusal}
