import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from handmade import SECRET, b64

from fastedge.errors import ConfigError
from fastedge.identity.keys import KeySet

K = b64(SECRET).decode()
PEM = serialization.Encoding.PEM
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def jwk_of(key: rsa.RSAPublicKey, **more: Any) -> dict[str, Any]:
    numbers = key.public_numbers()
    n, e = (b64(x.to_bytes((x.bit_length() + 7) // 8, "big")).decode() for x in (numbers.n, numbers.e))
    return {"kty": "RSA", "n": n, "e": e, **more}


def refused(data: bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        KeySet.from_jwks(data, name="keys.shop")
    assert K not in str(caught.value) and SECRET.decode() not in str(caught.value)
    assert str(caught.value).startswith("keys.shop: ")
    return str(caught.value)


# --- secrets ------------------------------------------------------------------------------------------------------


def test_secret_of_31_bytes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"keys\.shop: an HMAC secret has at least 32 bytes, this one has 31"):
        KeySet.from_secret(b"s" * 31, name="keys.shop")
    assert KeySet.from_secret(b"s" * 32).algorithms == {"HS256"}


@pytest.mark.parametrize("start", [b"-----BEGIN PUBLIC KEY-----", b"\n-----BEGIN X", b"ssh-rsa AAAA", b'{"keys":[]}'])
def test_secret_that_is_a_key_file_is_refused(start: bytes) -> None:
    with pytest.raises(ConfigError, match="not an HMAC secret"):
        KeySet.from_secret(start.ljust(64, b"x"))


def test_repr_shows_no_material() -> None:
    text = repr(KeySet.from_jwks(jwks({"kty": "oct", "k": K, "kid": "one"})))
    assert "'one'" in text
    assert K not in text and SECRET.decode() not in text


# --- PEM ----------------------------------------------------------------------------------------------------------


def test_pem_public_key_verifies_rs256_only(rsa_private: rsa.RSAPrivateKey) -> None:
    keys = KeySet.from_pem(rsa_private.public_key().public_bytes(PEM, SPKI))
    assert keys.algorithms == {"RS256"}
    assert keys.choose("RS256", "any") is keys.keys[0]
    assert keys.choose("HS256", None) is None


def test_pem_private_key_is_refused(rsa_private: rsa.RSAPrivateKey) -> None:
    data = rsa_private.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(ConfigError, match="holds a private key"):
        KeySet.from_pem(data)


def test_pem_of_another_kind_is_refused() -> None:
    data = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(PEM, SPKI)
    for bad in (data, b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", data * 2):
        with pytest.raises(ConfigError, match=r"keys: .*PEM block"):
            KeySet.from_pem(bad)


def test_pem_of_1024_bits_is_refused() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    with pytest.raises(ConfigError, match="2048 to 8192 bits, this one has 1024"):
        KeySet.from_pem(weak.public_bytes(PEM, SPKI))
    assert "keys[0]: an RSA key has 2048 to 8192 bits, this one has 1024" in refused(jwks(jwk_of(weak)))


# --- JWK sets -----------------------------------------------------------------------------------------------------


def test_jwks_chooses_by_kid(rsa_private: rsa.RSAPrivateKey, rsa_other: rsa.RSAPrivateKey) -> None:
    keys = KeySet.from_jwks(
        jwks(jwk_of(rsa_private.public_key(), kid="a"), jwk_of(rsa_other.public_key(), kid="b"), {"kty": "oct", "k": K})
    )
    assert keys.choose("RS256", "a") is keys.keys[0]
    assert keys.choose("RS256", "b") is keys.keys[1]
    assert keys.choose("RS256", "c") is None
    assert keys.choose("RS256", None) is None  # two fit
    assert keys.choose("HS256", None) is keys.keys[2]
    assert keys.choose("HS256", "a") is keys.keys[2]  # the only one without a kid
    assert keys.choose("ES256", "a") is None


def test_jwks_passes_over_keys_unfit_for_verifying(rsa_private: rsa.RSAPrivateKey) -> None:
    good = jwk_of(rsa_private.public_key(), kid="good", use="sig", key_ops=["verify"], alg="RS256")
    keys = KeySet.from_jwks(
        jwks(
            jwk_of(rsa_private.public_key(), use="enc"),
            jwk_of(rsa_private.public_key(), key_ops=["encrypt"]),
            jwk_of(rsa_private.public_key(), alg="RSA-OAEP"),
            jwk_of(rsa_private.public_key(), alg="HS256"),
            {"kty": "oct", "k": K, "alg": "RS256"},
            {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
            {"kty": "new"},
            good,
        )
    )
    assert [key.kid for key in keys.keys] == ["good"]
    assert keys.algorithms == {"RS256"}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (5, 'keys[0]: an object with a "kty"'),
        ({"k": K}, 'keys[0]: an object with a "kty"'),
        ({"kty": "oct"}, "keys[0].k: base64url"),
        ({"kty": "oct", "k": K + "="}, "keys[0].k: base64url"),
        ({"kty": "oct", "k": 5}, "keys[0].k: base64url"),
        ({"kty": "oct", "k": "AAAA"}, "keys[0]: an HMAC secret has at least 32 bytes"),
        ({"kty": "oct", "k": K, "kid": 5}, "keys[0].kid: a string"),
        ({"kty": "oct", "k": K, "use": 5}, "keys[0].use: a string"),
        ({"kty": "oct", "k": K, "key_ops": "verify"}, "keys[0].key_ops: an array"),
        ({"kty": "RSA", "n": "AAAA"}, "keys[0].e: base64url"),
        ({"kty": "RSA", "n": "AQAB", "e": "AQAB"}, "keys[0]: an RSA key has 2048"),
        ({"kty": "RSA", "n": "_" * 341 + "w", "e": "Ag"}, "keys[0]: not an RSA public key"),
        ({"kty": "RSA", "n": "_" * 341 + "w", "e": "AQAB", "d": "AQAB"}, "keys[0]: is a private key"),
        ({"kty": "RSA", "n": "_" * 3000, "e": "AQAB"}, "keys[0]: an RSA key has 2048 to 8192 bits"),
        ({"kty": "EC"}, "holds no key that can verify HS256 or RS256"),
    ],
)
def test_jwks_that_is_wrong_names_the_place(entry: Any, problem: str) -> None:
    assert problem in refused(jwks(entry))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[],"keys":[]}', b"\xff", SECRET])
def test_jwks_that_is_no_set_is_refused(data: bytes) -> None:
    assert "a JWK Set is expected" in refused(data)


def test_jwks_with_one_kid_twice_is_refused() -> None:
    twice = {"kty": "oct", "k": K, "kid": "a"}
    assert "two oct keys have the kid 'a'" in refused(jwks(twice, twice))


def test_jwks_beyond_its_bounds_is_refused() -> None:
    assert "at most 1024 are allowed" in refused(jwks(*({"kty": "oct", "k": K, "kid": str(i)} for i in range(1025))))
    assert "at most 1048576 are read" in refused(b" " * (1024 * 1024 + 1))
