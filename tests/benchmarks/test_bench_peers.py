"""fastedge's side of the answer job says the same as the other peers': page, table, names."""

import runpy
import time
from pathlib import Path

import pytest

from benchmarks import traffic
from benchmarks.countries import CountryTable, make_countries
from benchmarks.peers import Peer, Setting
from benchmarks.peers.fastedge import FASTEDGE, FASTEDGE_ANSWER, FASTEDGE_BULK, POLICY, SECRET_VARIABLE
from fastedge import Context, Pipeline, Request
from fastedge.config import Sources
from fastedge.config import load as load_config
from fastedge.geo import load


@pytest.fixture(scope="module")
def countries() -> CountryTable:
    return make_countries()


@pytest.fixture
def setting(tmp_path: Path, countries: CountryTable) -> Setting:
    return Setting(tmp_path, 8080, 9001, tmp_path, countries, workers=2)


def test_policy_answers_the_page_of_all_peers() -> None:
    policy = runpy.run_path(str(POLICY))
    assert policy["PAGE"] == traffic.PAGE
    assert isinstance(policy["pipeline"], Pipeline)


def test_answer_stage_adds_country_and_bucket(countries: CountryTable, setting: Setting) -> None:
    FASTEDGE_ANSWER.prepare(setting)
    table = load((setting.directory / "country.bin").read_bytes())
    ctx = Context(now=time.time(), client="66.1.2.3", geo=table)
    ctx.variants["checkout"] = "b"
    response = runpy.run_path(str(POLICY))["Answer"]().on_request(Request(), ctx)
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
    assert command.environment[SECRET_VARIABLE] == traffic.SECRET
    assert all(traffic.SECRET.encode() not in path.read_bytes() for path in setting.directory.iterdir())


@pytest.mark.parametrize("peer", [FASTEDGE, FASTEDGE_ANSWER, FASTEDGE_BULK], ids=["proxy", "answer", "bulk"])
def test_edge_file_is_what_fastedge_reads(setting: Setting, peer: Peer) -> None:
    environment = peer.prepare(setting).environment
    config = load_config(Sources.read(setting.directory / "edge.toml", environment))
    assert config.server.workers == setting.workers
    assert config.log.access not in ("", "off")
    assert (config.server.request_body_mb_max >= 4096) == (peer is FASTEDGE_BULK)
