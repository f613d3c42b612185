"""What a bearer token costs: seen before, and at first sight beside the bare signature check.

A pool of 10,000 different tokens of about 400 bytes, asked for in random order, each time as new objects, as they come
off the wire. `--benchmark-enable` measures; a round goes through `POOL` tokens, at first sight `ROUND`: divide by it.
"""

import base64
import hmac
import json
import os
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import xxhash
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fastedge import Context, Request
from fastedge._core.base64url import decode as b64decode
from fastedge._core.jwtgate import JwtGate
from fastedge._core.pipeline import NativeStage
from fastedge._core.tokens import VerifiedTokens
from fastedge.identity.algorithms import ALGORITHMS
from fastedge.identity.jwt import Verified, Verifier
from fastedge.identity.keys import KeySet
from fastedge.identity.rules import Rules
from fastedge.identity.signature import raw_to_der
from fastedge.stages.jwt_auth import JwtAuth

NOW = 1_800_000_000.0
SECRET = bytes(range(32, 64))
KEYS = KeySet.from_secret(SECRET)
POOL = 1_000
ROUND = 20
TOKENS = 10_000
RULES = Rules(frozenset(ALGORITHMS), frozenset({"https://id.shop.example"}), frozenset({"shop"}), 30.0)


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


def bound(keys: KeySet = KEYS, **options: Any) -> JwtGate:
    stage = JwtAuth(issuer="https://id.shop.example", audience="shop", keys="shop", **options)
    return stage.bind(SimpleNamespace(keys={"shop": keys}, revocations=None))


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


def _pair(token: bytes, now: float = NOW) -> tuple[Request, Context]:
    return Request("GET", "/", {"accept": "*/*", "authorization": "Bearer " + token.decode()}), Context(now=now)


# --- first sight -----------------------------------------------------------------------------------------------------

Sign = Callable[[bytes], bytes]


class Signer(NamedTuple):
    keys: KeySet
    sign: Sign
    verify: Callable[..., object]  # the library called bare: (signature, signing input, *more)
    more: tuple[object, ...] = ()


def _hs256() -> Signer:
    def verify(signature: bytes, body: bytes) -> None:
        assert hmac.compare_digest(hmac.digest(SECRET, body, "sha256"), signature)

    return Signer(KEYS, lambda body: hmac.digest(SECRET, body, "sha256"), verify)


def _public(private: Any, sign: Sign, *more: object) -> Signer:
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Signer(KeySet.from_pem(pem), sign, private.public_key().verify, more)


def _rs256() -> Signer:
    private, more = rsa.generate_private_key(65537, 2048), (padding.PKCS1v15(), SHA256())
    return _public(private, lambda body: private.sign(body, *more), *more)


def _es256() -> Signer:
    private, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(SHA256())

    def sign(body: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(body, algorithm))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return _public(private, sign, algorithm)


def _eddsa() -> Signer:
    private = ed25519.Ed25519PrivateKey.generate()
    return _public(private, private.sign)


SIGNERS = {"HS256": _hs256, "RS256": _rs256, "ES256": _es256, "EdDSA": _eddsa}


@pytest.fixture(scope="module", params=SIGNERS)
def signed(request: pytest.FixtureRequest) -> tuple[Signer, list[bytes]]:
    """Some tokens of one algorithm and what checks them."""
    signer = SIGNERS[request.param]()
    bodies = [signing_input(request.param, number) for number in range(ROUND)]
    return signer, [body + b"." + b64(signer.sign(body)) for body in bodies]


def test_first_sight_bare_check(benchmark: Any, signed: tuple[Signer, list[bytes]]) -> None:
    """The floor: nothing but the signature, by the library that makes it."""
    signer, tokens = signed
    asked = []
    for token in tokens:
        body, _, signature = token.rpartition(b".")
        raw = b64decode(signature)
        asked.append((raw_to_der(raw) if "ES256" in signer.keys.algorithms else raw, body, *signer.more))

    def run() -> None:
        verify = signer.verify
        for arguments in asked:
            verify(*arguments)

    benchmark.pedantic(run, rounds=300)


def test_first_sight_by_the_verifier(benchmark: Any, signed: tuple[Signer, list[bytes]]) -> None:
    signer, tokens = signed
    verify = Verifier(signer.keys, RULES).verify

    def run() -> None:
        for token in tokens:
            verify(token, NOW)

    benchmark.pedantic(run, rounds=300)
    assert isinstance(verify(tokens[0], NOW), Verified)


def test_first_sight_through_the_gate(benchmark: Any, signed: tuple[Signer, list[bytes]]) -> None:
    signer, tokens = signed
    gate = bound(signer.keys)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        gate.tokens.clear()
        return ([_pair(token) for token in tokens],), {}

    benchmark.pedantic(_run(gate), setup=setup, rounds=300)
    assert len(gate.tokens) == ROUND


def test_refused_again_through_the_gate(benchmark: Any, signed: tuple[Signer, list[bytes]]) -> None:
    """Good signatures, but they have expired."""
    signer, tokens = signed
    gate = bound(signer.keys)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return ([_pair(token, NOW + 10_000) for token in tokens],), {}

    benchmark.pedantic(_run(gate), setup=setup, rounds=300, warmup_rounds=1)
    assert len(gate.tokens) == 0
