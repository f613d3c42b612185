"""Invariant: nobody passes without their password, no password is kept, and no flood of guesses makes a worker stand still."""

import base64
import gc
import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from fastedge import CONTINUE, Context, Pipeline, Request, Response, limits
from fastedge._core.basicgate import REASONS, BasicGate
from fastedge._core.pipeline import Wait
from fastedge.errors import ConfigError
from fastedge.identity.api_keys import ApiKeys
from fastedge.identity.passwords import Users
from fastedge.stages import BasicAuth

NOW = 1_800_000_000.0
SALT = b"0123456789abcdef"


def cheap_hash(password: str) -> str:
    digest = Argon2id(salt=SALT, length=32, iterations=1, lanes=1, memory_cost=8).derive(password.encode())
    salt, text = (base64.b64encode(data).rstrip(b"=").decode() for data in (SALT, digest))
    return f"$argon2id$v=19$m=8,t=1,p=1${salt}${text}"


USERS = Users.from_lines(f"ann:{cheap_hash('a secret')}\nbø:{cheap_hash('gø')}".encode())
API_KEYS = ApiKeys(SALT, {})
SNAPSHOT = SimpleNamespace(credentials={"people": USERS, "keys": API_KEYS}, keys={}, tables={}, origins=())


def gate(**options: Any) -> BasicGate:
    return BasicAuth(**{"credentials": "people", **options}).bind(SNAPSHOT)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def begin(bound: BasicGate, *authorization: str, now: float = NOW) -> tuple[Any, Context]:
    ctx = Context(now=now)
    return bound.decide(Request("GET", "/", [("Authorization", one) for one in authorization]), ctx), ctx


def ask(bound: BasicGate, *authorization: str, now: float = NOW) -> tuple[Any, Context]:
    verdict, ctx = begin(bound, *authorization, now=now)
    return (verdict.then(verdict.step()) if isinstance(verdict, Wait) else verdict), ctx


def refusal(bound: BasicGate, *authorization: str, **more: Any) -> tuple[int, str]:
    verdict, ctx = ask(bound, *authorization, **more)
    assert isinstance(verdict, Response)
    assert ctx.claims == {} and ctx.plan.header_edits == []
    if verdict.status != 503:
        assert verdict.headers["www-authenticate"] == 'Basic realm="edge", charset="UTF-8"'
    assert verdict.headers["cache-control"] == "no-store"
    return verdict.status, ctx.notes["BasicAuth"]


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC "])
def test_right_password_passes_with_the_name(scheme: str) -> None:
    verdict, ctx = ask(gate(), basic("ann", "a secret").replace("Basic", scheme))
    assert verdict is CONTINUE
    assert ctx.claims == {"sub": "ann"}
    assert ctx.plan.header_edits == [("authorization", None, True)]
    assert ctx.plan.is_storable


def test_name_and_password_are_utf8() -> None:
    _, ctx = ask(gate(), basic("bø", "gø"))
    assert ctx.claims == {"sub": "bø"}


@pytest.mark.parametrize(
    ("authorization", "status", "reason"),
    [
        ([], 401, "missing"),
        (["Bearer x.y.z"], 401, "missing"),
        ([basic("ann", "a secret"), basic("ann", "a secret")], 400, "several"),
        (["Basic"], 401, "malformed"),
        (["Basic " + "A" * 1025], 401, "too_large"),
        (["Basic !"], 401, "malformed"),
        ([basic("ann", "a secret") + "="], 401, "malformed"),
        ([basic("a\tnn", "a secret")], 401, "malformed"),
        (["Basic YW5u"], 401, "malformed"),
        ([basic("ann", "a secre")], 401, "password"),
        ([basic("ann", "a secret ")], 401, "password"),
        ([basic("bø", "a secret")], 401, "password"),
        ([basic("nobody", "a secret")], 401, "password"),
    ],
)
def test_reasons_of_refusals(authorization: list[str], status: int, reason: str) -> None:
    assert refusal(gate(), *authorization) == (status, reason)


def test_what_is_malformed_costs_no_check() -> None:
    for authorization in ("Basic", "Basic !", "Basic YW5u", basic("a\x00", "b")):
        assert isinstance(begin(gate(), authorization)[0], Response)


def test_right_password_is_remembered_for_its_time() -> None:
    bound = gate(remember_s=60)
    assert ask(bound, basic("ann", "a secret"))[0] is CONTINUE
    for now in (NOW, NOW + 59.9):
        assert begin(bound, basic("ann", "a secret"), now=now)[0] is CONTINUE
    assert isinstance(begin(bound, basic("ann", "a secret"), now=NOW + 60)[0], Wait)
    assert isinstance(begin(bound, basic("ann", "a secret "), now=NOW)[0], Wait)


def test_nothing_is_remembered_where_that_is_asked() -> None:
    bound = gate(remember_s=0)
    assert ask(bound, basic("ann", "a secret"))[0] is CONTINUE
    assert isinstance(begin(bound, basic("ann", "a secret"))[0], Wait)


def test_wrong_password_is_refused_without_another_check_for_a_moment() -> None:
    bound = gate()
    assert refusal(bound, basic("ann", "guess")) == (401, "password")
    assert isinstance(begin(bound, basic("ann", "guess"))[0], Response)
    assert isinstance(begin(bound, basic("ann", "guess"), now=NOW + limits.password_refused_s)[0], Wait)
    assert ask(bound, basic("ann", "a secret"))[0] is CONTINUE


def test_guesses_push_out_no_right_password() -> None:
    bound = gate()
    assert ask(bound, basic("ann", "a secret"))[0] is CONTINUE
    for number in range(limits.password_refused_max + 100):
        ask(bound, basic("ann", str(number)))
    assert len(bound.wrong) == limits.password_refused_max
    assert begin(bound, basic("ann", "a secret"))[0] is CONTINUE


def test_new_users_start_with_nothing_remembered() -> None:
    stage = BasicAuth(credentials="people")
    assert ask(stage.bind(SNAPSHOT), basic("ann", "a secret"))[0] is CONTINUE
    changed = Users.from_lines(f"ann:{cheap_hash('another')}".encode())
    bound = stage.bind(SimpleNamespace(credentials={"people": changed}))
    assert refusal(bound, basic("ann", "a secret")) == (401, "password")


def test_no_password_is_kept() -> None:
    bound = gate()
    ask(bound, basic("ann", "a secret"))
    ask(bound, basic("ann", "a gu3ss"))
    gc.collect()
    kept = [one for one in gc.get_objects() if type(one).__name__ == "Check"]
    assert kept == []


def test_checks_are_counted_and_beyond_the_bound_refused() -> None:
    bound = gate()
    waits = [
        begin(bound, basic("ann", str(number)))[0] for number in range(limits.step_threads + limits.password_queue_max)
    ]
    assert all(isinstance(wait, Wait) for wait in waits)
    verdict, ctx = begin(bound, basic("ann", "a secret"))
    assert (verdict.status, verdict.headers["retry-after"], ctx.notes) == (503, "1", {"BasicAuth": "busy"})
    for wait in waits:
        wait.step()  # whose clients have gone: nobody asks what came of it
    assert bound.waiting == 0
    assert ask(bound, basic("ann", "a secret"))[0] is CONTINUE


def test_same_credentials_meanwhile_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = itertools.count()
    monkeypatch.setattr(Users, "knows", lambda self, user, password: next(checked) >= 0)
    bound = gate()
    waits = [begin(bound, basic("ann", "a secret"))[0] for _ in range(5)]
    assert [wait.then(wait.step()) for wait in waits] == [CONTINUE] * 5
    assert next(checked) == 1


def test_check_that_fails_is_an_error_and_is_not_counted_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Any, user: str, password: bytes) -> bool:
        raise MemoryError

    monkeypatch.setattr(Users, "knows", fails)
    bound = gate()
    wait, _ = begin(bound, basic("ann", "a secret"))
    with pytest.raises(MemoryError):
        wait.step()
    with pytest.raises(MemoryError):
        wait.then(MemoryError())
    assert bound.waiting == 0


def test_password_is_forwarded_only_on_request() -> None:
    _, ctx = ask(gate(forward_password=True), basic("ann", "a secret"))
    assert ctx.plan.header_edits == []


def test_name_is_told_to_the_origin() -> None:
    _, ctx = ask(gate(forward_claims={"sub": "X-User"}), basic("bø", "gø"))
    assert ctx.plan.header_edits[1:] == [("x-user", "b%C3%B8", False)]
    assert ctx.plan.unstorable_reason == "private"
    bound = gate(forward_claims={"sub": "X-User"}, key_claims=["sub"])
    _, ctx = ask(bound, basic("ann", "a secret"))
    assert ctx.plan.header_edits[1:] == [("x-user", "ann", True)]
    assert ctx.plan.is_storable
    assert bound.reserved_fields == ("x-user",)


def test_pipeline_runs_the_gate() -> None:
    (hook,) = Pipeline(BasicAuth(credentials="people")).bind(SNAPSHOT).hooks()
    assert (hook.stage, hook.name, hook.fail_open) == ("BasicAuth", "on_request", False)


def test_documented_reasons_are_those_that_there_are() -> None:
    assert set(REASONS) == {"several", "too_large", "malformed", "password"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"credentials": "other"}, r"there is no \[credentials.other\]; known: keys, people"),
        ({"credentials": "keys"}, r"\[credentials.keys\] holds API keys, not users"),
        ({"remember_s": -1}, r"remember_s=...\): a number from 0 to 86400"),
        ({"forward_claims": {"mail": "x-mail"}}, r"""of a user "sub" is known, the name, and no 'mail'"""),
        ({"realm": ""}, r"realm=...\): a text is expected"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        gate(**options)


def test_trace_tells_whether_the_password_fits() -> None:
    def trace(*authorization: str) -> list[tuple[str, str]]:
        return gate().trace(Request("GET", "/", [("authorization", one) for one in authorization]), Context(now=NOW))

    assert trace() == [("header", "no password")]
    assert trace("Basic x") == [("header", "cannot be read (malformed)")]
    assert trace(basic("ann", "a secret")) == [("header", "a password of ann"), ("password", "fits")]
    assert trace(basic("ann", "guess")) == [("header", "a password of ann"), ("password", "does not fit (password)")]
