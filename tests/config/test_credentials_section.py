"""[credentials.NAME]: where API keys and users come from, and what is said of them when they cannot be used."""

import json

import pytest

from fastedge.assembly import prepare
from fastedge.config import ConfigErrors
from fastedge.identity.api_keys import ApiKeys
from fastedge.identity.passwords import Users, new_hash

KEYS = json.dumps({"salt": "A" * 22, "consumers": []})
USERS = f"ann:{new_hash('a', bytes(16))}"


def snapshot_of(sources, text, files=None, environment=None):
    return prepare(sources(text, files or {}, environment or {}), 4_000).snapshot


def test_files_and_variables_become_api_keys_and_users(sources):
    text = (
        '[credentials.a]\napi_keys_file = "a.json"\n[credentials.b]\napi_keys_env = "B"\n'
        '[credentials.c]\nusers_file = "c"\n[credentials.d]\nusers_env = "D"'
    )
    made = snapshot_of(
        sources, text, {"a.json": KEYS.encode(), "c": USERS.encode()}, {"B": KEYS, "D": USERS}
    ).credentials
    assert {name: type(one) for name, one in made.items()} == {"a": ApiKeys, "b": ApiKeys, "c": Users, "d": Users}


def test_broken_files_are_told_with_their_key_and_place(sources):
    text = '[credentials.a]\napi_keys_file = "a.json"\n[credentials.c]\nusers_env = "C"'
    with pytest.raises(ConfigErrors) as caught:
        snapshot_of(sources, text, {"a.json": b'{"salt":"AA"}'}, {"C": "ann:hunter2"})
    first, second = ((one.key, one.text) for one in caught.value.problems)
    assert first == ("credentials.a.api_keys_file", "a.json: salt: at least 16 bytes are expected, not 1")
    assert second[0] == "credentials.c.users_env"
    assert second[1].startswith("c: line 1 (ann): ") and "hunter2" not in second[1]


@pytest.mark.parametrize(
    ("keys", "found"), [("", "no source"), ('api_keys_env = "A"\nusers_file = "b"', "api_keys_env and users_file")]
)
def test_one_source_is_expected(problems, keys, found):
    assert problems(f"[credentials.a]\n{keys}")[0] == (
        f"edge.toml: credentials.a: found {found}, expected exactly one of api_keys_file, api_keys_env, users_file, users_env"
    )


def test_what_may_be_a_secret_is_not_repeated(problems):
    [line] = problems('[credentials.a]\nusers_env = "hunter2 hunter2"')
    assert line == (
        "edge.toml: credentials.a.users_env: found a string of 15 characters, expected the name of an environment variable"
    )
