"""What an API key, a remembered password and a signed URL cost, beside the hash that they rest on.

Every round goes through `POOL` requests, so divide by it: milliseconds are microseconds a request.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from fastedge import CONTINUE, Context, Plan, Request, sign_url
from fastedge._core.gate import Gate
from fastedge._core.pipeline import NativeStage, Wait
from fastedge.identity.api_keys import ApiKeys, key_hash
from fastedge.identity.keys import KeySet
from fastedge.identity.passwords import Users, new_hash
from fastedge.stages import ApiKeyAuth, BasicAuth, SignedUrl

NOW = 1_800_000_000.0
SECRET = bytes(range(32))
SALT = bytes(16)
POOL = 1_000
KEYS = [f"fastedge_{number:043}" for number in range(POOL)]


def snapshot() -> SimpleNamespace:
    consumers = [{"name": f"c{number}", "keys": [key_hash(SALT, key)]} for number, key in enumerate(KEYS)]
    api_keys = ApiKeys.from_json(json.dumps({"salt": "A" * 22, "consumers": consumers}).encode())
    users = Users.from_lines(f"ann:{new_hash('a password', SALT)}".encode())
    return SimpleNamespace(keys={"shop": KeySet.from_secret(SECRET)}, credentials={"keys": api_keys, "users": users})


SNAPSHOT = snapshot()


def request_of(target: str, fields: list[tuple[str, str]]) -> Request:
    return Request("GET", target, [("accept", "*/*"), *fields], host="shop.example")


def measure(benchmark: Any, stage: NativeStage, ask: Callable[[int], tuple[str, list[tuple[str, str]]]]) -> None:
    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        asked = [ask(number) for number in range(POOL)]
        pairs = [(request_of(target, fields), Context(now=NOW, plan=Plan(target=target))) for target, fields in asked]
        if isinstance(stage, Gate):
            assert stage.decide(*pairs[0]) is CONTINUE
        return (pairs,), {}

    def run(pairs: list[tuple[Request, Context]]) -> None:
        decide = stage.decide
        for request, ctx in pairs:
            decide(request, ctx)

    benchmark.pedantic(run, setup=setup, rounds=100)


def by_key(number: int) -> tuple[str, list[tuple[str, str]]]:
    return "/a?x=1", [("x-api-key", KEYS[number])]


def by_password(number: int) -> tuple[str, list[tuple[str, str]]]:
    return "/a?x=1", [("authorization", "Basic " + base64.b64encode(b"ann:a password").decode())]


def by_url(number: int) -> tuple[str, list[tuple[str, str]]]:
    url = sign_url(f"https://shop.example/a?x={number}", key_id="2026-11", secret=SECRET, expires=NOW + 60)
    return url.removeprefix("https://shop.example"), []


@pytest.mark.benchmark(group="API key")
def test_nothing_beside_api_key(benchmark: Any) -> None:
    measure(benchmark, NativeStage(), by_key)


@pytest.mark.benchmark(group="API key")
def test_api_key(benchmark: Any) -> None:
    measure(benchmark, ApiKeyAuth(credentials="keys").bind(SNAPSHOT), by_key)


@pytest.mark.benchmark(group="password")
def test_nothing_beside_password(benchmark: Any) -> None:
    measure(benchmark, NativeStage(), by_password)


@pytest.mark.benchmark(group="password")
def test_password_remembered(benchmark: Any) -> None:
    gate = BasicAuth(credentials="users").bind(SNAPSHOT)
    target, fields = by_password(0)
    wait = gate.decide(Request("GET", target, fields), Context(now=NOW))
    assert isinstance(wait, Wait)
    assert wait.then(wait.step()) is CONTINUE
    measure(benchmark, gate, by_password)


@pytest.mark.benchmark(group="password")
def test_password_at_first_sight(benchmark: Any) -> None:
    """Off the loop; milliseconds are milliseconds here."""
    knows = SNAPSHOT.credentials["users"].knows
    assert benchmark(knows, "ann", b"a password")


@pytest.mark.benchmark(group="signed URL")
def test_nothing_beside_signed_url(benchmark: Any) -> None:
    measure(benchmark, NativeStage(), by_url)


@pytest.mark.benchmark(group="signed URL")
def test_signed_url(benchmark: Any) -> None:
    measure(benchmark, SignedUrl(keys={"2026-11": "shop"}).bind(SNAPSHOT), by_url)


# --- what they rest on -----------------------------------------------------------------------------------------------


@pytest.mark.benchmark(group="bare")
def test_bare_hash_of_a_key(benchmark: Any) -> None:
    benchmark(SNAPSHOT.credentials["keys"].hashing(), KEYS[0].encode())


@pytest.mark.benchmark(group="bare")
def test_bare_hmac_digest_of_a_key(benchmark: Any) -> None:
    benchmark(hmac.digest, SALT, KEYS[0].encode(), "sha256")


@pytest.mark.benchmark(group="bare")
def test_bare_keyed_blake2b(benchmark: Any) -> None:
    benchmark(lambda: hashlib.blake2b(KEYS[0].encode(), key=SECRET).digest())
