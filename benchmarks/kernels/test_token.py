"""What a bearer token costs: seen before, and at first sight beside the bare signature check.

A pool of 10,000 different tokens of about 400 bytes, asked for in random order, each time as new objects, as they come
off the wire. `--benchmark-enable` measures; every round goes through `POOL` tokens, so divide by it.
"""

import base64
import hmac
import json
import os
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import xxhash
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fastedge import CONTINUE, Context, Request
from fastedge._core.jwtgate import JwtGate
from fastedge._core.pipeline import NativeStage
from fastedge._core.tokens import VerifiedTokens
from fastedge.identity.jwt import Rules, Verified, Verifier
from fastedge.identity.keys import KeySet
from fastedge.stages.jwt_auth import JwtAuth

NOW = 1_800_000_000.0
SECRET = bytes(range(32, 64))
KEYS = KeySet.from_secret(SECRET)
POOL = 1_000
TOKENS = 10_000
RULES = Rules(frozenset({"HS256", "RS256"}), frozenset({"https://id.shop.example"}), frozenset({"shop"}), 30.0)


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def signing_input(algorithm: str, number: int) -> bytes:
    claims = {
        "iss": "https://id.shop.example", "aud": "shop", "sub": f"user-{number:08}", "exp": int(NOW) + 3600,
        "iat": int(NOW) - 10, "jti": f"{number:032x}", "scope": "cart:read cart:write orders:read profile",
        "name": "A Shopper of the Shop",
    }  # fmt: skip
    header = json.dumps({"alg": algorithm, "typ": "JWT"}, separators=(",", ":")).encode()
    return b64(header) + b"." + b64(json.dumps(claims, separators=(",", ":")).encode())


def hs256(number: int) -> bytes:
    body = signing_input("HS256", number)
    return body + b"." + b64(hmac.digest(SECRET, body, "sha256"))


@pytest.fixture(scope="module")
def tokens() -> list[bytes]:
    made = [hs256(number) for number in range(TOKENS)]
    random.Random(7).shuffle(made)
    return made


def bound(**options: Any) -> JwtGate:
    stage = JwtAuth(issuer="https://id.shop.example", audience="shop", keys="shop", **options)
    return stage.bind(SimpleNamespace(keys={"shop": KEYS}))


def fresh(tokens: list[bytes], turn: list[int]) -> list[bytes]:
    """The next POOL tokens as new objects, so that nothing is equal by identity."""
    start = turn[0] = (turn[0] + POOL) % TOKENS
    return [bytes(bytearray(token)) for token in tokens[start : start + POOL]]


# --- a token seen before, µs per 1,000 -------------------------------------------------------------------------------


def test_seen_in_the_table(benchmark: Any, tokens: list[bytes]) -> None:
    table, turn = VerifiedTokens(TOKENS, 64 << 20, os.urandom(48)), [0]
    for token in tokens:
        table.put(token, token, 0.0, 1e18, 2000)

    def run(asked: list[bytes]) -> None:
        get = table.get
        for token in asked:
            get(token, NOW)

    benchmark.pedantic(run, setup=lambda: ((fresh(tokens, turn),), {}), rounds=200)
    assert table.misses == 0


def test_seen_in_a_dictionary(benchmark: Any, tokens: list[bytes]) -> None:
    table, turn = {token: token for token in tokens}, [0]

    def run(asked: list[bytes]) -> None:
        get = table.get
        for token in asked:
            get(token, NOW)

    benchmark.pedantic(run, setup=lambda: ((fresh(tokens, turn),), {}), rounds=200)


def test_seen_in_a_dictionary_by_xxh3(benchmark: Any, tokens: list[bytes]) -> None:
    table, turn = {xxhash.xxh3_64_intdigest(token): (token, token) for token in tokens}, [0]

    def run(asked: list[bytes]) -> None:
        get, digest = table.get, xxhash.xxh3_64_intdigest
        for token in asked:
            found = get(digest(token))
            assert found is not None and found[0] == token

    benchmark.pedantic(run, setup=lambda: ((fresh(tokens, turn),), {}), rounds=200)


def test_nothing_through_the_gate(benchmark: Any, tokens: list[bytes]) -> None:
    turn = [0]
    run = _run(NativeStage())
    benchmark.pedantic(run, setup=lambda: (([_pair(token) for token in fresh(tokens, turn)],), {}), rounds=100)


@pytest.mark.parametrize("options", [{}, {"forward_claims": {"sub": "x-user"}}], ids=["plain", "one claim forwarded"])
def test_seen_through_the_gate(benchmark: Any, tokens: list[bytes], options: dict[str, Any]) -> None:
    gate, turn = bound(**options), [0]
    pairs = [_pair(token) for token in tokens]
    for request, ctx in pairs:
        gate.decide(request, ctx)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return ([_pair(token) for token in fresh(tokens, turn)],), {}

    benchmark.pedantic(_run(gate), setup=setup, rounds=100)
    assert gate.tokens.misses == TOKENS


def _run(stage: NativeStage) -> Callable[[list[tuple[Request, Context]]], None]:
    def run(pairs: list[tuple[Request, Context]]) -> None:
        decide = stage.decide
        for request, ctx in pairs:
            decide(request, ctx)

    return run


def _pair(token: bytes) -> tuple[Request, Context]:
    return Request("GET", "/", {"accept": "*/*", "authorization": "Bearer " + token.decode()}), Context(now=NOW)


# --- first sight -----------------------------------------------------------------------------------------------------


def test_first_sight_of_hs256(benchmark: Any, tokens: list[bytes]) -> None:
    assert isinstance(benchmark(Verifier(KEYS, RULES).verify, tokens[0], NOW), Verified)


def test_first_sight_of_hs256_through_the_gate(benchmark: Any, tokens: list[bytes]) -> None:
    gate = bound()

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        gate.tokens.clear()
        return ([_pair(token) for token in tokens[:POOL]],), {}

    def run(pairs: list[tuple[Request, Context]]) -> None:
        decide = gate.decide
        for request, ctx in pairs:
            assert decide(request, ctx) is CONTINUE

    benchmark.pedantic(run, setup=setup, rounds=20)  # µs per 1,000


def test_bare_hmac_digest(benchmark: Any, tokens: list[bytes]) -> None:
    benchmark(hmac.digest, SECRET, tokens[0].rpartition(b".")[0], "sha256")


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_first_sight_of_rs256(benchmark: Any, private: rsa.RSAPrivateKey) -> None:
    body = signing_input("RS256", 1)
    token = body + b"." + b64(private.sign(body, padding.PKCS1v15(), SHA256()))
    keys = KeySet.from_pem(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert isinstance(benchmark(Verifier(keys, RULES).verify, token, NOW), Verified)


def test_bare_rsa_verify(benchmark: Any, private: rsa.RSAPrivateKey) -> None:
    body = signing_input("RS256", 1)
    signature = private.sign(body, padding.PKCS1v15(), SHA256())
    benchmark(private.public_key().verify, signature, body, padding.PKCS1v15(), SHA256())
