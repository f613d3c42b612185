import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from handmade import CLAIMS, sign


@pytest.fixture
def make() -> Callable[..., bytes]:
    """make(sub="bob", exp=None, ...): a token of the standard claims, these changed; None leaves a claim out."""

    def build(header: Mapping[str, Any] | bytes = b'{"alg":"HS256"}', **changes: Any) -> bytes:
        claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        return sign(raw, json.dumps(claims).encode())

    return build


@pytest.fixture(scope="session")
def rsa_private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def rsa_other() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
