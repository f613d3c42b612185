"""fastedge's side of the answer job says the same as the other peers': page, table, names."""

import runpy
import time
from pathlib import Path

import pytest

from benchmarks import tokens, traffic
from benchmarks.countries import CountryTable, make_countries
from benchmarks.peers import Peer, Setting
from benchmarks.peers.fastedge import (
    ADMIN_TOKEN,
    FASTEDGE,
    FASTEDGE_ANSWER,
    FASTEDGE_BULK,
    FASTEDGE_CACHE,
    FASTEDGE_CACHE_LARGE,
    FASTEDGE_CACHED,
    FASTEDGE_DISK,
    FASTEDGE_RS256,
    FASTEDGE_RS256_VERIFY,
    FASTEDGE_TENTH,
    FASTEDGE_TIERS,
    POLICIES,
    SECRET_VARIABLE,
    TOKEN_VARIABLE,
)
from fastedge import Context, Pipeline, Request, Response
from fastedge.config import Sources
from fastedge.config import load as load_config
from fastedge.geo import load


@pytest.fixture(scope="module")
def countries() -> CountryTable:
    return make_countries()


@pytest.fixture
def setting(tmp_path: Path, countries: CountryTable) -> Setting:
    return Setting(tmp_path, 8080, 9001, tmp_path, countries, workers=2)


@pytest.mark.parametrize("name", ["answer.py", "verified.py"])
def test_policy_answers_the_page_of_all_peers(name: str) -> None:
    policy = runpy.run_path(str(POLICIES / name))
    assert policy["PAGE"] == traffic.PAGE
    assert isinstance(policy["pipeline"], Pipeline)


def test_answer_stage_adds_country_and_bucket(countries: CountryTable, setting: Setting) -> None:
    FASTEDGE_ANSWER.prepare(setting)
    table = load((setting.directory / "country.bin").read_bytes())
    ctx = Context(now=time.time(), client="66.1.2.3", geo=table)
    ctx.variants["checkout"] = "b"
    response = runpy.run_path(str(POLICIES / "answer.py"))["Answer"]().on_request(Request(), ctx)
    assert (response.status, response.body) == (200, traffic.PAGE)
    assert response.headers["x-country"] == countries.lookup("66.1.2.3") != ""
    assert response.headers["x-bucket"] == "b"


def test_compiled_table_knows_what_the_other_peers_know(countries: CountryTable, setting: Setting) -> None:
    FASTEDGE_ANSWER.prepare(setting)
    table = load((setting.directory / "country.bin").read_bytes())
    addresses = [*countries.addresses(2000), "0.255.255.255", "1.0.0.0", "223.255.255.255", "224.0.0.0"]
    assert [table.lookup(address).country for address in addresses] == [countries.lookup(at) for at in addresses]


def test_secret_comes_by_the_environment_and_stands_in_no_file(setting: Setting) -> None:
    command = FASTEDGE_ANSWER.prepare(setting)
    assert command.environment[SECRET_VARIABLE] == tokens.SECRET
    assert all(tokens.SECRET.encode() not in path.read_bytes() for path in setting.directory.iterdir())


@pytest.mark.parametrize(
    ("peer", "cache_tokens"), [(FASTEDGE_TENTH, 1000), (FASTEDGE_RS256_VERIFY, 1)], ids=["tenth", "verify"]
)
def test_policy_differs_only_in_how_many_tokens_it_remembers(setting: Setting, peer: Peer, cache_tokens: int) -> None:
    peer.prepare(setting)
    config = load_config(Sources.read(setting.directory / "edge.toml", {SECRET_VARIABLE: tokens.SECRET}))
    assert config.policy is not None
    copy = Path(config.policy.file)
    text = copy.read_text()
    assert text.count(f", cache_tokens={cache_tokens}") == 1
    assert text.replace(f", cache_tokens={cache_tokens}", "") == (POLICIES / copy.name).read_text()


def test_cached_policy_marks_the_page_with_country_and_bucket(countries: CountryTable, setting: Setting) -> None:
    FASTEDGE_CACHED.prepare(setting)
    table = load((setting.directory / "country.bin").read_bytes())
    ctx = Context(now=time.time(), client="66.1.2.3", geo=table)
    response = Response(200)
    mark = runpy.run_path(str(POLICIES / "cached.py"))["Mark"]()
    mark.on_response(Request(), response, ctx)
    assert response.headers["x-bucket"] == ""  # refused before there was one
    ctx.variants["checkout"] = "b"
    mark.on_response(Request(), response, ctx)
    assert response.headers["x-country"] == countries.lookup("66.1.2.3") != ""
    assert response.headers["x-bucket"] == "b"


@pytest.mark.parametrize(
    ("peer", "memory_mb", "has_disk"),
    [
        (FASTEDGE_CACHE, 256, False),
        (FASTEDGE_DISK, 1, True),
        (FASTEDGE_TIERS, 256, True),
        (FASTEDGE_CACHE_LARGE, 4096, False),
    ],
    ids=["cache", "disk", "tiers", "large"],
)
def test_cache_has_the_tiers_of_its_job(setting: Setting, peer: Peer, memory_mb: int, has_disk: bool) -> None:
    environment = peer.prepare(setting).environment
    config = load_config(Sources.read(setting.directory / "edge.toml", environment))
    assert (config.cache.memory_mb, config.cache.disk_path is not None) == (memory_mb, has_disk)
    assert config.admin is not None
    assert config.admin.token_env == TOKEN_VARIABLE
    assert environment[TOKEN_VARIABLE] == ADMIN_TOKEN


@pytest.mark.parametrize(
    "peer",
    [FASTEDGE, FASTEDGE_ANSWER, FASTEDGE_RS256, FASTEDGE_BULK, FASTEDGE_CACHE, FASTEDGE_CACHED],
    ids=["proxy", "answer", "rs256", "bulk", "cache", "cached"],
)
def test_edge_file_is_what_fastedge_reads(setting: Setting, peer: Peer) -> None:
    environment = peer.prepare(setting).environment
    config = load_config(Sources.read(setting.directory / "edge.toml", environment))
    assert config.server.workers == setting.workers
    assert config.log.access not in ("", "off")
    assert (config.server.request_body_mb_max >= 4096) == (peer is FASTEDGE_BULK)
