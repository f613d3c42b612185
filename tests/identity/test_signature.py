"""Invariant: one message, one key and one algorithm have no second form of a signature but what the mathematics allows."""

import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from handmade import CURVES, HASHES, issuer, rsa_key
from hypothesis import given
from hypothesis import strategies as st

from fastedge.identity.algorithms import ALGORITHMS
from fastedge.identity.signature import Check, EcdsaCheck, HmacCheck, raw_to_der

DATA = b"what is signed"
ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES256K": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}


def check_of(algorithm: str) -> Check:
    return ALGORITHMS[algorithm].check_with(issuer(algorithm).private.public_key())


# --- HMAC -----------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=300), st.binary(max_size=300), st.sampled_from(sorted(HASHES)))
def test_hmac_is_hmac_for_secrets_of_any_length(secret: bytes, data: bytes, bits: str) -> None:
    check = HmacCheck(secret, f"sha{bits}")
    digest = hmac.digest(secret, data, f"sha{bits}")
    for _ in range(2):  # a check leaves nothing behind
        assert check(data, digest)
        assert not check(data + b"\0", digest)
        assert not check(data, digest[:-1]) and not check(data, digest + b"\0") and not check(data, b"")


# --- ECDSA: r and s, each as long as a coordinate (RFC 7518 §3.4) -------------------------------------------------------


@pytest.mark.parametrize("algorithm", CURVES)
def test_ecdsa_takes_r_and_s_of_full_length_alone(algorithm: str) -> None:
    check, signature = check_of(algorithm), issuer(algorithm).sign(DATA)
    size = len(signature) // 2
    r, s = signature[:size], signature[size:]
    assert size == (CURVES[algorithm].key_size + 7) // 8
    assert check(DATA, r + s)
    der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    for bad in (
        der,
        der.ljust(2 * size, b"\0"),
        b"\0" + r + b"\0" + s,
        b"\0\0" + r + s,
        r + s + b"\0\0",
        r,
        r + s[:-1],
        s + r,
        bytes(size) + s,
        r + bytes(size),
        bytes(2 * size),
        b"\xff" * (2 * size),
        b"",
    ):
        assert not check(DATA, bad), bad


@pytest.mark.parametrize("algorithm", ORDERS)
def test_ecdsa_takes_no_number_beyond_the_order(algorithm: str) -> None:
    check, order = check_of(algorithm), ORDERS[algorithm]
    signature = issuer(algorithm).sign(DATA)
    size = len(signature) // 2
    r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
    for bad_r, bad_s in ((order, s), (r, order), (r + order, s), (r, s + order), (order, order)):
        if max(bad_r, bad_s) < 1 << 8 * size:
            assert not check(DATA, bad_r.to_bytes(size, "big") + bad_s.to_bytes(size, "big"))
    # The one other form that ECDSA has: -s. JWS does not forbid it, and whoever holds a valid token gains nothing by it.
    assert check(DATA, r.to_bytes(size, "big") + (order - s).to_bytes(size, "big"))


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_ecdsa_takes_small_numbers_with_their_zeros(curve: ec.EllipticCurve) -> None:
    """One r in 256 begins with a zero byte: whoever drops it, or does not take it, fails for one token in 128."""
    private = ec.generate_private_key(curve)
    check, size = EcdsaCheck(private.public_key(), SHA256()), (curve.key_size + 7) // 8
    for _ in range(400):
        r, s = decode_dss_signature(private.sign(DATA, ec.ECDSA(SHA256())))
        if min(r, s).bit_length() <= 8 * (size - 1):
            break
    assert check(DATA, r.to_bytes(size, "big") + s.to_bytes(size, "big"))


@given(st.integers(1, 2**528 - 1), st.integers(1, 2**528 - 1), st.integers(66, 120))
def test_der_is_what_the_library_writes(r: int, s: int, size: int) -> None:
    assert raw_to_der(r.to_bytes(size, "big") + s.to_bytes(size, "big")) == encode_dss_signature(r, s)


@given(st.integers(1, 2**256 - 1), st.integers(1, 2**16))
def test_der_of_short_numbers_is_what_the_library_writes(r: int, s: int) -> None:
    assert raw_to_der(r.to_bytes(32, "big") + s.to_bytes(32, "big")) == encode_dss_signature(r, s)


@pytest.mark.parametrize("raw", [b"", bytes(64), bytes(32) + b"\1" * 32, b"\1" * 32 + bytes(32), b"\1" * 300])
def test_der_of_zero_or_of_no_signature_is_none(raw: bytes) -> None:
    assert raw_to_der(raw) is None


# --- RSASSA-PSS: a salt as long as the hash (RFC 7518 §3.5) --------------------------------------------------------------


@pytest.mark.parametrize("bits", HASHES)
def test_pss_takes_a_salt_as_long_as_the_hash_alone(bits: str) -> None:
    private, hashed = rsa_key(), HASHES[bits]
    check = ALGORITHMS[f"PS{bits}"].check_with(private.public_key())
    for salt in (0, 8, hashed.digest_size - 1, hashed.digest_size, hashed.digest_size + 1, PSS.MAX_LENGTH):
        signature = private.sign(DATA, PSS(MGF1(hashed), salt), hashed)
        assert check(DATA, signature) == (salt == hashed.digest_size)


def test_pss_takes_no_other_mask_hash() -> None:
    private = rsa_key()
    signature = private.sign(DATA, PSS(MGF1(SHA1()), 32), SHA256())
    assert not ALGORITHMS["PS256"].check_with(private.public_key())(DATA, signature)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_rsa_takes_one_length_and_no_number_beyond_the_modulus(algorithm: str) -> None:
    check, signature = check_of(algorithm), issuer(algorithm).sign(DATA)
    modulus = rsa_key().public_key().public_numbers().n
    number = int.from_bytes(signature, "big") + modulus
    assert check(DATA, signature)
    for bad in (b"\0" + signature, signature + b"\0", signature[:-1], b"", b"\0", b"\xff" * len(signature)):
        assert not check(DATA, bad)
    if number.bit_length() <= 8 * len(signature):
        assert not check(DATA, number.to_bytes(len(signature), "big"))


# --- EdDSA ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("algorithm", "order"), [
    ("Ed25519", 2**252 + 27742317777372353535851937790883648493),
    ("Ed448", 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885),
])  # fmt: skip
def test_eddsa_takes_no_second_form(algorithm: str, order: int) -> None:
    """RFC 8032 §5.1.7: an S beyond the order is another spelling of the same signature."""
    check, signature = check_of(algorithm), issuer(algorithm).sign(DATA)
    half = len(signature) // 2
    s = int.from_bytes(signature[half:], "little") + order
    assert check(DATA, signature)
    assert not check(DATA, signature[:half] + s.to_bytes(half, "little"))
