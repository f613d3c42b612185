"""Invariant: a key lets in only whom it was given to, and no message about the file repeats a hash."""

import base64
import json
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.errors import ConfigError
from fastedge.identity.api_keys import ApiKeys, is_key, key_hash

SALT = bytes(range(16))
HASH = key_hash(SALT, "the key of acme")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def text(*consumers, salt=SALT, **more):
    return json.dumps({"salt": b64(salt), "consumers": list(consumers), **more}).encode()


def acme(**changes):
    return {"name": "acme", "keys": [HASH], **changes}


def grants(data):
    return {consumer.name: until for consumer, until in ApiKeys.from_json(data).grants.values()}


def test_keys_are_found_by_their_hash():
    keys = ApiKeys.from_json(text(acme(keys=[HASH, key_hash(SALT, "the next one")]), {"name": "bolt", "keys": []}))
    hashing = keys.hashing()
    for key in (b"the key of acme", b"the next one"):
        consumer, until = keys.grants[hashing(key)]
        assert (consumer.name, until) == ("acme", inf)
    assert hashing(b"the key of acmf") not in keys.grants


def test_pepper_makes_other_hashes():
    with_pepper = key_hash(SALT, "k", b"p" * 32)
    keys = ApiKeys.from_json(text({"name": "acme", "keys": [with_pepper]}))
    assert keys.hashing(b"p" * 32)(b"k") in keys.grants
    assert keys.hashing()(b"k") not in keys.grants
    assert keys.hashing(b"q" * 32)(b"k") not in keys.grants


def test_hash_is_hmac_sha256_under_the_salt_or_under_what_pepper_and_salt_give():
    import hmac

    assert key_hash(SALT, "k") == b64(hmac.digest(SALT, b"k", "sha256"))
    peppered = hmac.digest(b"p" * 32, b"fastedge-api-keys-1" + SALT, "sha256")
    assert key_hash(SALT, "k", b"p" * 32) == b64(hmac.digest(peppered, b"k", "sha256"))


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=200))
def test_hash_is_hmac_whatever_the_lengths(salt, key):
    import hmac

    from fastedge.identity.mac import mac_with

    assert mac_with(salt)(key) == hmac.digest(salt, key, "sha256")


def test_claims_hold_the_name_and_are_read_only():
    [(consumer, _)] = ApiKeys.from_json(text(acme(claims={"tier": "gold", "scopes": ["a"]}))).grants.values()
    assert dict(consumer.claims) == {"sub": "acme", "tier": "gold", "scopes": ("a",)}
    with pytest.raises(TypeError):
        consumer.claims["tier"] = "none"


@pytest.mark.parametrize(
    ("expires", "until"), [(5, 5.0), (1.5, 1.5), ("1970-01-01T00:01:00Z", 60.0), ("1970-01-01T01:00:00+01:00", 0.0)]
)
def test_expiry_is_unix_seconds_or_rfc_3339(expires, until):
    assert grants(text(acme(keys=[{"hash": HASH, "expires": expires}]))) == {"acme": until}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "keys.json: a JSON object is expected, with no member twice"),
        (b"[]", "keys.json: a JSON object is expected, with no member twice"),
        (b'{"salt":"a","salt":"b"}', "keys.json: a JSON object is expected, with no member twice"),
        (text(acme(), more=1), "keys.json: 'more' is none of consumers, salt"),
        (text(acme(), salt=b"short"), "keys.json: salt: at least 16 bytes are expected, not 5"),
        (b'{"salt":"AA=="}', "keys.json: salt: base64url without padding is expected"),
        (b'{"salt":7}', "keys.json: salt: base64url without padding is expected"),
        (json.dumps({"salt": b64(SALT)}).encode(), "keys.json: consumers: an array is expected"),
        (text("acme"), "keys.json: consumers[0]: an object is expected"),
        (text({"keys": []}), "keys.json: consumers[0].name: 1 to 128 printable characters are expected"),
        (text(acme(name="a\nb")), "keys.json: consumers[0].name: 1 to 128 printable characters are expected"),
        (text(acme(name="a" * 129)), "keys.json: consumers[0].name: 1 to 128 printable characters are expected"),
        (text(acme(), acme(keys=[])), "keys.json: consumers[1] (acme): this name is there twice"),
        (text(acme(expires=1)), "keys.json: consumers[0] (acme): 'expires' is none of claims, keys, name"),
        (text(acme(keys=HASH)), "keys.json: consumers[0] (acme).keys: an array is expected"),
        (
            text(acme(keys=["not/b64url"])),
            "keys.json: consumers[0] (acme).keys[0]: base64url without padding is expected",
        ),
        (text(acme(keys=[{}])), "keys.json: consumers[0] (acme).keys[0]: base64url without padding is expected"),
        (
            text(acme(keys=["YWJj"])),
            "keys.json: consumers[0] (acme).keys[0]: a hash has 32 bytes, this has 3; `fastedge api-key` makes them",
        ),
        (
            text(acme(keys=[{"hash": HASH, "expiry": 1}])),
            "keys.json: consumers[0] (acme).keys[0]: 'expiry' is none of expires, hash",
        ),
        (text(acme(), acme(name="bolt")), "keys.json: consumers[1] (bolt).keys[0]: acme has this key already"),
        (
            text(acme(claims={"sub": "root"})),
            'keys.json: consumers[0] (acme).claims: an object is expected, without "sub", which is the name',
        ),
        (
            text(acme(claims=[])),
            'keys.json: consumers[0] (acme).claims: an object is expected, without "sub", which is the name',
        ),
    ],
)
def test_broken_file_is_told_with_its_place(data, message):
    with pytest.raises(ConfigError) as caught:
        ApiKeys.from_json(data, name="keys.json")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "expires", [None, "never", "2027-01-31", "2027-01-31T12:00:00", True, [], "2027-13-01T00:00:00Z"]
)
def test_expiry_that_is_none_is_an_error(expires):
    with pytest.raises(ConfigError, match=r"\(acme\)\.keys\[0\]\.expires: Unix seconds or a time such as"):
        grants(text(acme(keys=[{"hash": HASH, "expires": expires}])))


def test_claims_that_lie_too_deep_are_an_error():
    deep = json.loads("[" * 20 + "]" * 20)
    with pytest.raises(ConfigError, match=r"^credentials: "):
        ApiKeys.from_json(text(acme(claims={"deep": deep})))


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.text(max_size=5),
        lambda v: st.lists(v) | st.dictionaries(st.sampled_from(["salt", "consumers", "name", "keys", "hash"]), v),
    ).map(lambda v: json.dumps(v).encode())
)
def test_no_bytes_raise_anything_else(data):
    with pytest.raises(ConfigError):
        ApiKeys.from_json(data)


def test_repr_shows_no_hash():
    shown = repr(ApiKeys.from_json(text(acme())))
    assert shown == "<ApiKeys: 1 keys>"


@pytest.mark.parametrize(
    ("key", "fits"), [("a-Z.0_~", True), ("", False), ("a b", False), ("a+b", False), ("a%20", False)]
)
def test_key_has_one_spelling(key, fits):
    assert is_key(key) is fits
