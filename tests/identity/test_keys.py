import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from handmade import SECRET, b64, issuer, rsa_key
from hypothesis import given
from hypothesis import strategies as st
from rfc_examples import A3

from fastedge.errors import ConfigError
from fastedge.identity.keys import KeySet

K = b64(SECRET).decode()
P256 = A3.jwk
JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2)
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


@pytest.mark.parametrize(
    ("size", "algorithms"),
    [(32, {"HS256"}), (47, {"HS256"}), (48, {"HS256", "HS384"}), (64, {"HS256", "HS384", "HS512"})],
)
def test_secret_verifies_with_hashes_no_longer_than_itself(size: int, algorithms: set[str]) -> None:
    assert KeySet.from_secret(b"s" * size).algorithms == algorithms
    entry = {"kty": "oct", "k": b64(b"s" * size).decode(), "alg": "HS512"}
    if size < 64:
        assert f"keys[0]: a secret for HS512 has at least 64 bytes, this one has {size}" in refused(jwks(entry))
    else:
        assert KeySet.from_jwks(jwks(entry)).algorithms == {"HS512"}


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


@pytest.mark.parametrize(
    ("algorithm", "algorithms"),
    [
        ("RS256", {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        ("ES256", {"ES256"}),
        ("ES384", {"ES384"}),
        ("ES512", {"ES512"}),
        ("ES256K", {"ES256K"}),
        ("Ed25519", {"EdDSA", "Ed25519"}),
        ("Ed448", {"EdDSA", "Ed448"}),
    ],
)
def test_pem_public_key_verifies_what_its_type_and_curve_allow(algorithm: str, algorithms: set[str]) -> None:
    keys = KeySet.from_pem(issuer(algorithm).pem)
    assert keys.algorithms == algorithms
    assert keys.choose(algorithm, "any") is keys.choose(algorithm, None) is keys.keys[0]
    assert keys.choose("HS256", None) is None


def test_pem_of_an_rsa_public_key_alone_is_read() -> None:
    """RFC 8017 A.1.1: "BEGIN RSA PUBLIC KEY"."""
    data = rsa_key().public_key().public_bytes(PEM, serialization.PublicFormat.PKCS1)
    assert KeySet.from_pem(data).fingerprint == KeySet.from_pem(issuer("RS256").pem).fingerprint


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_pem_of_a_certificate_gives_its_key(algorithm: str) -> None:
    who = issuer(algorithm)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "id.shop.example")])
    start = datetime(2020, 1, 1)
    builder = x509.CertificateBuilder(name, name, who.private.public_key(), 1, start, start + timedelta(days=1))
    data = builder.sign(who.private, SHA256()).public_bytes(PEM)
    assert KeySet.from_pem(data).fingerprint == KeySet.from_pem(who.pem).fingerprint


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
def test_pem_private_key_is_refused(algorithm: str) -> None:
    formats = serialization.PrivateFormat
    for form in (formats.PKCS8, *((formats.TraditionalOpenSSL,) if algorithm != "Ed25519" else ())):
        data = issuer(algorithm).private.private_bytes(PEM, form, serialization.NoEncryption())
        with pytest.raises(ConfigError, match="holds a private key"):
            KeySet.from_pem(data)


def test_pem_of_another_kind_is_refused() -> None:
    data = issuer("ES256").pem
    for kind in (b"PUBLIC KEY", b"CERTIFICATE", b"RSA PUBLIC KEY", b"NOTHING"):
        junk = b"-----BEGIN %b-----\nAAAA\n-----END %b-----\n" % (kind, kind)
        for bad in (junk, b"", data * 2, junk + data):
            with pytest.raises(ConfigError, match=r"keys: .*PEM block"):
                KeySet.from_pem(bad)
    others = (ec.generate_private_key(ec.SECP224R1()), x25519.X25519PrivateKey.generate())
    for public in (other.public_key() for other in others):
        with pytest.raises(ConfigError, match=r"keys: a public key is expected, RSA, EC \(P-256, "):
            KeySet.from_pem(public.public_bytes(PEM, SPKI))


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
            {"kty": "EC", "crv": "P-192", "x": "AA", "y": "AA"},
            {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "alg": "ES384"},
            {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "alg": "ECDH-ES"},
            {"kty": "OKP", "crv": "X25519", "x": "AA"},
            {"kty": "OKP", "x": "AA"},
            {"kty": "new"},
            good,
        )
    )
    assert [key.kid for key in keys.keys] == ["good"]
    assert keys.algorithms == {"RS256"}
    assert keys.ignored == 0


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
        (
            {"kty": "RSA", "n": "_" * 341 + "w", "e": "AQAAAAAAAAAB"},
            "keys[0]: an RSA key's exponent has at most 64 bits",
        ),
        ({**P256, "d": "AQAB"}, "keys[0]: is a private key"),
        ({**P256, "x": 5}, "keys[0].x: base64url"),
        ({**P256, "crv": 5}, "keys[0].crv: a string"),
        ({**P256, "x": P256["y"]}, "keys[0]: not an EC public key"),  # beside the curve
        ({**P256, "x": b64(bytes(32)).decode(), "y": b64(bytes(32)).decode()}, "keys[0]: not an EC public key"),
        ({**P256, "x": b64(bytes(31)).decode()}, "keys[0]: a coordinate of P-256 has 32 bytes"),
        ({**P256, "x": b64(bytes(33)).decode()}, "keys[0]: a coordinate of P-256 has 32 bytes"),
        ({**P256, "crv": "P-384"}, "keys[0]: a coordinate of P-384 has 48 bytes"),
        ({**P256, "crv": "secp256k1"}, "keys[0]: not an EC public key"),
        ({"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(31)).decode()}, "keys[0]: not an OKP public key"),
        ({"kty": "OKP", "crv": "Ed448", "x": b64(bytes(32)).decode()}, "keys[0]: not an OKP public key"),
        ({"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32)).decode(), "d": "AA"}, "keys[0]: is a private key"),
        ({"kty": "EC"}, "holds no key that can verify HS256, HS384, "),
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


def test_fetched_set_has_a_bound_of_its_own() -> None:
    one = jwk_of(rsa.generate_private_key(65537, 2048).public_key())
    entries = [one | {"kid": str(i)} for i in range(101)]
    assert len(KeySet.from_jwks(jwks(*entries[:100]), fetched=True).keys) == 100
    with pytest.raises(ConfigError, match="holds 101 keys, at most 100 are allowed"):
        KeySet.from_jwks(jwks(*entries), fetched=True)


# --- sets that were fetched -------------------------------------------------------------------------------------------


def test_fetched_set_passes_over_what_is_broken_or_secret_and_counts_it(rsa_private: rsa.RSAPrivateKey) -> None:
    good = jwk_of(rsa_private.public_key(), kid="good")
    data = jwks(
        {"kty": "oct", "k": K},
        {**P256, "x": P256["y"]},
        {**good, "kid": "private", "d": "AQAB"},
        {"kty": "RSA", "n": "AAAA", "e": "AQAB"},
        {**good, "kid": 5},
        5,  # type: ignore[arg-type]
        {"kty": "new"},
        {**good, "use": "enc"},
        good,
        {**P256, "kid": "good"},  # another algorithm: no clash
        {**jwk_of(rsa_private.public_key(), kid="good"), "e": "Aw"},  # the same kid again
    )
    keys = KeySet.from_jwks(data, fetched=True)
    assert [(key.key_type, key.kid) for key in keys.keys] == [("RSA", "good"), ("EC", "good")]
    assert keys.ignored == 7
    assert keys.choose("RS256", "good") is keys.keys[0]
    refused(data)


def test_fetched_set_never_yields_a_secret() -> None:
    with pytest.raises(ConfigError, match="holds no key that can verify"):
        KeySet.from_jwks(jwks({"kty": "oct", "k": K}), fetched=True)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[],"keys":[]}', b"<html>"]
)
def test_fetched_set_without_a_usable_key_is_an_error(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^keys\.shop: "):
        KeySet.from_jwks(data, name="keys.shop", fetched=True)


@given(
    st.lists(st.sampled_from(["kty", "crv", "x", "y", "kid", "use", "alg", "key_ops"]), max_size=3, unique=True), JSON
)
def test_fetched_set_never_raises_but_a_config_error(names: list[str], value: Any) -> None:
    entry = {**P256, **dict.fromkeys(names, value)}
    keys = KeySet.from_jwks(jwks(entry, {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32)).decode()}), fetched=True)
    assert keys.choose("EdDSA", None) is not None


# --- has it changed? --------------------------------------------------------------------------------------------------


def test_fingerprint_is_of_what_can_be_verified(rsa_private: rsa.RSAPrivateKey) -> None:
    first, second = jwk_of(rsa_private.public_key(), kid="a"), {**P256, "kid": "b"}

    def print_of(*entries: dict[str, Any]) -> bytes:
        return KeySet.from_jwks(jwks(*entries)).fingerprint

    same = print_of(first, second)
    assert same == print_of(second, first)
    assert same == print_of({"x5t": "AA", **first, "use": "sig"}, {"kty": "new"}, second)
    changed = [
        print_of(first),
        print_of(first, {**second, "kid": "c"}),
        print_of({**first, "kid": "b"}, {**second, "kid": "a"}),
        print_of({**first, "alg": "RS256"}, second),
        print_of({**first, "e": "Aw"}, second),
    ]
    assert len({same, *changed}) == 1 + len(changed)
