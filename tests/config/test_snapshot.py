"""Bytes to snapshots: who makes what of which bytes, and what happens when they cannot."""

import pytest

from fastedge.config import ConfigErrors, load
from fastedge.config.geosource import GeoSource
from fastedge.config.keysources import KeySource, key_sources
from fastedge.config.snapshot import Makers, make_snapshot
from fastedge.errors import ConfigError


def maker(kind):
    def make(name, data):
        if data.startswith(b"bad"):
            raise ConfigError(f"{name} line 1: bad\n{name} line 2: worse")
        return kind, name, data

    return make


MAKERS = Makers(
    secret=maker("secret"),
    public_key=maker("public_key"),
    jwks=maker("jwks"),
    api_keys=maker("api_keys"),
    users=maker("users"),
    fetched=lambda source: source,
    table=maker("table"),
    fragments=maker("fragments"),
    geo=lambda source, sources: source,
    revocations=lambda name, data, entries_max: (*maker("revocations")(name, data), entries_max),
    experiments=maker("experiments"),
)

TEXT = """
[keys.a]
secret_env = "A"
[keys.b]
secret_file = "b"
[keys.c]
public_key_file = "c"
[keys.d]
jwks_env = "D"
[keys.e]
jwks_file = "e"
[keys.f]
jwks_url = "https://id.example/jwks"
tls_ca_file = "ca.pem"
[keys.g]
openid_issuer = "http://127.0.0.1/"
plain_http = true
[credentials.h]
api_keys_file = "h"
[credentials.i]
users_env = "G"
[tables.moved]
file = "t/moved.csv"
[fragments.banners]
file = "t/banners.json"
[geo]
database = "g"
[origins.x]
servers = ["http://x"]
"""
FILES = {
    "ca.pem": b"in ca",
    "b": b"in b\n",
    "c": b"in c\n",
    "e": b"in e",
    "h": b"in h",
    "t/moved.csv": b"rows",
    "t/banners.json": b"texts",
}
ENVIRONMENT = {"A": "in a\n", "D": "in d", "G": "in g"}


def snapshot_of(sources):
    return make_snapshot(load(sources), sources, MAKERS)


def test_snapshot_holds_what_the_makers_made(sources):
    snapshot = snapshot_of(sources(TEXT, FILES, ENVIRONMENT))
    assert dict(snapshot.keys) == {
        "a": ("secret", "a", b"in a\n"),
        "b": ("secret", "b", b"in b"),
        "c": ("public_key", "c", b"in c\n"),
        "d": ("jwks", "d", b"in d"),
        "e": ("jwks", "e", b"in e"),
        "f": KeySource("f", "https://id.example/jwks", False, False, b"in ca"),
        "g": KeySource("g", "http://127.0.0.1/", True, True, None),
    }
    assert dict(snapshot.credentials) == {"h": ("api_keys", "h", b"in h"), "i": ("users", "i", b"in g")}
    assert dict(snapshot.tables) == {"moved": ("table", "t/moved.csv", b"rows")}
    assert dict(snapshot.fragments) == {"banners": ("fragments", "t/banners.json", b"texts")}
    assert snapshot.origins == frozenset({"x"})
    assert snapshot.geo.files.keys() == {"geo.database"}
    assert snapshot.geo.database.endswith("/g")
    assert repr(snapshot) == "<Snapshot: 7 keys, 1 tables, 1 origins>"


def test_source_is_another_one_where_other_keys_could_come_from_it(sources):
    def id_of(**changes):
        return KeySource(
            **(
                {"name": "f", "url": "https://a/", "is_issuer": False, "plain_http": False, "authorities": None}
                | changes
            )
        ).id

    others = [{"name": "g"}, {"url": "https://a"}, {"is_issuer": True}, {"plain_http": True}, {"authorities": b""}]
    assert len({id_of(), *(id_of(**one) for one in others)}) == 6
    assert id_of() == id_of()
    read = sources(TEXT, FILES, ENVIRONMENT)
    assert [source.name for source in key_sources(load(read), read)] == ["f", "g"]


def test_snapshot_has_the_revocations_of_its_file_or_the_table_that_it_is_given(sources):
    text = "[revocations]\nfile = 'r/revoked.jsonl'\nentries_max = 7"
    read = sources(text, {"r/revoked.jsonl": b"lines"})
    assert snapshot_of(read).revocations == ("revocations", "r/revoked.jsonl", b"lines", 7)
    assert make_snapshot(load(read), read, MAKERS, "the host's").revocations == "the host's"
    assert snapshot_of(sources("")).revocations is None
    with pytest.raises(ConfigErrors, match=r"edge.toml: revocations.file: r/revoked.jsonl line 1: bad"):
        snapshot_of(sources(text, {"r/revoked.jsonl": b"bad"}))


def test_snapshot_is_immutable(sources):
    snapshot = snapshot_of(sources(TEXT, FILES, ENVIRONMENT))
    with pytest.raises(TypeError):
        snapshot.keys["a"] = None
    with pytest.raises(AttributeError):
        snapshot.tables = {}


def test_snapshot_without_geo_files_takes_the_shipped_table(sources):
    assert snapshot_of(sources("")).geo == GeoSource()


def test_geo_source_is_another_one_where_another_table_would_come_of_it():
    ones = [
        GeoSource(),
        GeoSource("a"),
        GeoSource(asn_database="a"),
        GeoSource(overrides="a"),
        GeoSource("a", "b", "c"),
    ]
    assert len({one.id for one in ones}) == len(ones)
    assert ones[-1].files == {"geo.database": "a", "geo.asn_database": "b", "geo.overrides": "c"}


@pytest.mark.parametrize(
    ("data", "secret"), [(b"s", b"s"), (b"s\n", b"s"), (b"s\r\n", b"s"), (b"s\n\n", b"s\n"), (b" s ", b" s ")]
)
def test_secret_file_loses_one_line_end(sources, data, secret):
    snapshot = snapshot_of(sources('[keys.a]\nsecret_file = "a"', {"a": data}))
    assert snapshot.keys["a"] == ("secret", "a", secret)


def test_snapshot_broken_everywhere_reports_all(sources):
    with pytest.raises(ConfigErrors) as caught:
        snapshot_of(
            sources(TEXT, FILES | {"b": b"bad", "h": b"bad", "t/moved.csv": b"bad"}, ENVIRONMENT | {"A": "bad"})
        )
    assert [(problem.key, problem.text) for problem in caught.value.problems] == [
        ("keys.a.secret_env", "a line 1: bad"),
        ("keys.a.secret_env", "a line 2: worse"),
        ("keys.b.secret_file", "b line 1: bad"),
        ("keys.b.secret_file", "b line 2: worse"),
        ("credentials.h.api_keys_file", "h line 1: bad"),
        ("credentials.h.api_keys_file", "h line 2: worse"),
        ("tables.moved.file", "t/moved.csv line 1: bad"),
        ("tables.moved.file", "t/moved.csv line 2: worse"),
    ]
