"""The cache's jobs: what the peers are told is valid, hits are hits, and who stores nothing is not measured as a cache."""

import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.countries import CountryTable
from benchmarks.errors import BenchmarkError
from benchmarks.harness import Bench
from benchmarks.jobs import JOBS
from benchmarks.jobs.common import numbered_load, numbered_target, proxy_load
from benchmarks.peers import Peer, Setting, find_program
from benchmarks.peers.fastedge import FASTEDGE_CACHE
from benchmarks.peers.floor import FLOOR
from benchmarks.peers.haproxy import HAPROXY_CACHE, HAPROXY_CACHED
from benchmarks.peers.nginx import (
    NGINX,
    NGINX_CACHE,
    NGINX_CACHE_LARGE,
    NGINX_LUA_CACHE_CACHED,
    NGINX_LUA_CACHED,
)
from benchmarks.peers.origin import counting_origin
from benchmarks.peers.varnish import VARNISH, VARNISH_BAN, VARNISH_LARGE, VARNISH_XKEY

CACHES = (NGINX_CACHE, NGINX_CACHE_LARGE, HAPROXY_CACHE, VARNISH, VARNISH_LARGE)
GATES = (NGINX_LUA_CACHED, NGINX_LUA_CACHE_CACHED, HAPROXY_CACHED)


def installed(*peers: Peer) -> list[object]:
    """Parameters of a test: those that cannot run here are skipped, each with its reason."""
    reasons = [peer.missing() for peer in peers]
    return [
        pytest.param(peer, marks=pytest.mark.skipif(reason is not None, reason=reason or ""), id=f"{peer.name}{number}")
        for number, (peer, reason) in enumerate(zip(peers, reasons, strict=True))
    ]


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    countries = CountryTable((1 << 24,), (8,), ("DE",))
    return Setting(tmp_path, 8080, 9001, tmp_path, countries, workers=2, admin_port=8081)


@pytest.mark.parametrize("peer", installed(*CACHES, *GATES, VARNISH_XKEY))
def test_configuration_is_one_that_the_peer_takes(setting: Setting, peer: Peer) -> None:
    peer.prepare(setting)
    home = setting.directory / "home"
    checks = {
        "nginx": ("nginx", "-p", f"{setting.directory}/", "-c", "nginx.conf", "-e", "error.log", "-t"),
        "haproxy": ("haproxy", "-c", "-f", "haproxy.cfg"),
        "varnish": ("varnishd", "-j", "none", "-C", "-n", str(home), "-f", str(setting.directory / "edge.vcl")),
    }
    program, *arguments = checks[peer.name.partition("-")[0]]
    done = subprocess.run(
        [find_program(program) or program, *arguments],
        cwd=setting.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("peer", installed(NGINX))
def test_miss_where_a_hit_is_asked_is_refused(bench: Bench, peer: Peer) -> None:
    load = proxy_load(bench, count=300)
    with (
        bench.serving([peer], origin_peer=counting_origin()) as scene,
        pytest.raises(BenchmarkError, match="nginx: asked the origin 300 times for what it should have stored"),
    ):
        bench.measure(scene.edges, load, partial(bench.hits, scene.origin))


@pytest.mark.parametrize(
    ("job", "peer"),
    [
        ("hit", FLOOR),
        ("hit", NGINX_CACHE),
        ("hit", HAPROXY_CACHE),
        ("hit", VARNISH),
        ("cached", NGINX_LUA_CACHED),
        ("cached", NGINX_LUA_CACHE_CACHED),
        ("cached", HAPROXY_CACHED),
        ("disk", NGINX_CACHE_LARGE),
        ("large", NGINX_CACHE_LARGE),
        ("herd", replace(NGINX_CACHE, workers=2)),
        ("purge", replace(VARNISH_BAN, workers=2)),
        ("purge", replace(VARNISH_XKEY, workers=2)),
        ("objects", VARNISH_LARGE),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_job_runs_and_its_peer_agrees(bench: Bench, job: str, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := peer.missing():
        pytest.skip(reason)
    monkeypatch.setattr(f"benchmarks.jobs.{job}.PEERS", (peer,))
    report = JOBS[job](bench)
    assert {name.partition(" ")[0] for name in report.peers()} == {peer.name}
    assert set(report.versions) >= set(report.peers())
    assert all(value > 0 for result in report.results for value in result.values)


@pytest.mark.parametrize("peer", installed(NGINX_CACHE))
def test_herd_reaches_the_origin_once_where_requests_wait_for_each_other(
    bench: Bench, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.jobs.herd.PEERS", (replace(peer, workers=2), replace(FLOOR, name="no cache")))
    report = JOBS["herd"](bench)
    assert report.find("nginx", "origin asked").values == (1.0, 1.0)  # type: ignore[union-attr]


def test_purge_of_an_edge_that_stores_nothing_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := NGINX.missing():
        pytest.skip(reason)
    monkeypatch.setattr("benchmarks.jobs.purge.PEERS", (NGINX,))
    with pytest.raises(BenchmarkError, match="nginx: made pages anew that it should have stored"):
        JOBS["purge"](bench)


def test_numbered_requests_ask_for_the_numbered_targets(bench: Bench) -> None:
    load = numbered_load(bench, 10, 100)
    assert b"GET /objects/######## HTTP/1.1\r\n" in load.requests_file.read_bytes()
    assert numbered_target(42) == "/objects/00000042"


def test_peer_that_is_left_out_is_named(bench: Bench) -> None:
    bench.without = frozenset({"fastedge"})
    assert bench.present("hit", [FLOOR, FASTEDGE_CACHE]) == [FLOOR]
    assert bench.missing == {"hit: fastedge": "left out as asked"}


def test_job_that_cannot_be_measured_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run(bench: Bench) -> None:
        raise BenchmarkError(f"without {', '.join(bench.without)}")

    monkeypatch.setitem(JOBS, "hit", run)
    assert main(["hit", "--without", "nginx", "--directory", str(tmp_path)]) == 1
    assert "hit: without nginx" in capsys.readouterr().err
