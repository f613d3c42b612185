"""The harness: turns, missing peers, peers that do other work, and servers that end."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import agree, tokens, traffic
from benchmarks.__main__ import main
from benchmarks.errors import BenchmarkError
from benchmarks.harness import Bench
from benchmarks.jobs import JOBS, bigbody
from benchmarks.jobs.common import add_cpu, proxy_load, report_for
from benchmarks.peers import Peer, fill
from benchmarks.peers.floor import FLOOR
from benchmarks.peers.haproxy import HAPROXY, HAPROXY_ANSWER
from benchmarks.peers.nginx import NGINX, NGINX_LUA, NGINX_LUA_CACHE
from benchmarks.process import Command, Cores, Process, free_port
from benchmarks.traffic import Visitor


def absent(peer: Peer) -> pytest.MarkDecorator:
    return pytest.mark.skipif(peer.missing() is not None, reason=peer.missing() or "")


@pytest.mark.parametrize(
    ("allowed", "servers", "expected"),
    [
        ([0], 1, Cores((0,), (0,), (0,))),
        ([0, 1], 1, Cores((0,), (1,), (1,))),
        ([1, 0], 2, Cores((0, 1), (0, 1), (0, 1))),
        ([0, 1, 2, 3], 1, Cores((0,), (1,), (2,))),
        ([4, 5, 6, 7], 2, Cores((4, 5), (6,), (7,))),
    ],
)
def test_cores_are_shared_only_where_they_run_out(allowed: list[int], servers: int, expected: Cores) -> None:
    assert Cores.choose(allowed, servers) == expected


def test_peers_take_turns_and_their_requests_are_counted(bench: Bench) -> None:
    peers = [FLOOR, replace(FLOOR, name="floor again")]
    report = report_for(bench, "proxy", "", peers)
    with bench.serving(peers) as scene:
        turns = bench.measure(scene.edges, proxy_load(bench, count=bench.count))
    add_cpu(report, turns)
    assert [len(rounds) for rounds in turns.values()] == [2, 2]
    result = report.find("floor", "cpu")
    assert result is not None
    assert result.requests == 4000
    # Three system calls a request are more than one microsecond and less than a hundred on any machine that runs this.
    assert all(1 < value < 100 for value in result.values)
    assert 0.2 < report.ratios(result)["floor again"] < 5


def test_loads_may_differ_by_peer(bench: Bench) -> None:
    with bench.serving([FLOOR, replace(FLOOR, name="few")]) as scene:
        turns = bench.measure(scene.edges, {"floor": proxy_load(bench, count=100), "few": proxy_load(bench, count=10)})
    assert [turn.load.requests for rounds in turns.values() for turn in rounds] == [100, 100, 10, 10]


def test_missing_peer_is_named_with_its_reason(bench: Bench) -> None:
    ghost = replace(FLOOR, name="ghost", missing=lambda: "it is not installed")
    assert bench.present("proxy", [FLOOR, ghost]) == [FLOOR]
    report = report_for(bench, "proxy", "", [FLOOR])
    assert report.notes == ["proxy: ghost was not measured: it is not installed"]


def test_peer_that_answers_less_is_refused(bench: Bench) -> None:
    visitors = [Visitor("a.b.c", "0f", "192.0.2.7")]
    with bench.serving([FLOOR]) as scene:
        agree.require_page(scene.edges[0])
        with pytest.raises(BenchmarkError, match="floor: answered"):
            agree.require_answers(scene.edges[0], visitors, bench.countries)


def test_server_that_ends_is_quoted(tmp_path: Path) -> None:
    command = Command(("sh", "-c", "echo no such key; exit 3"), {})
    with (
        Process("edge", command, tmp_path, Cores.choose([0]).servers) as process,
        pytest.raises(BenchmarkError, match="edge ended with status 3: no such key"),
    ):
        process.await_answer(free_port())


def test_stopping_a_server_stops_its_children(tmp_path: Path) -> None:
    command = Command(("sh", "-c", "sleep 60 & echo $!; wait"), {})
    with Process("edge", command, tmp_path, Cores.choose([0]).servers) as process:
        while not process.output.read_text():
            time.sleep(0.01)
        child = int(process.output.read_text())
    deadline = time.monotonic() + 5
    while _is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_alive(child)


def test_template_with_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError, match="host"):
        fill("haproxy_proxy.cfg", origin_port=1)


@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(NGINX, marks=absent(NGINX)),
        pytest.param(HAPROXY, marks=absent(HAPROXY)),
    ],
    ids=lambda peer: peer.name,
)
def test_proxy_peer_brings_the_origin_s_page(bench: Bench, peer: Peer) -> None:
    with bench.serving([peer]) as scene:
        agree.require_page(scene.edges[0])
        bench.turn(scene.edges[0], proxy_load(bench, count=500)).load.require_clean(peer.name)


@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(NGINX_LUA, marks=absent(NGINX_LUA)),
        pytest.param(NGINX_LUA_CACHE, marks=absent(NGINX_LUA_CACHE)),
        pytest.param(HAPROXY_ANSWER, marks=absent(HAPROXY_ANSWER)),
    ],
    ids=lambda peer: peer.name,
)
def test_answer_peer_does_the_whole_job(bench: Bench, peer: Peer) -> None:
    now = int(time.time())
    visitors = traffic.make_visitors(bench.countries.addresses(200), now)
    with bench.serving([peer]) as scene:
        agree.require_answers(scene.edges[0], visitors, bench.countries)
        agree.require_refusals(scene.edges[0], tokens.refused_tokens(tokens.HS256, now))


@pytest.mark.parametrize("job", ["idle", "bigbody"])
@pytest.mark.skipif(NGINX.missing() is not None, reason=NGINX.missing() or "")
def test_job_runs_with_nginx_alone(bench: Bench, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"benchmarks.jobs.{job}.PEERS", (NGINX,))
    report = JOBS[job](bench)
    assert report.peers() == ["nginx"]
    assert all(value >= 0 for result in report.results for value in result.values)


def test_body_that_is_cut_short_is_an_error(bench: Bench) -> None:
    with bench.serving([FLOOR]) as scene, pytest.raises(BenchmarkError, match="download of 1 MiB"):
        bigbody._download(scene.origin.port, 1)


def test_bodies_are_counted_in_both_directions() -> None:
    with bigbody._origin() as port:
        bigbody._download(port, 3)
        bigbody._upload(port, 3)


def test_unknown_job_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxies"]) == 2
    assert "unknown job 'proxies': expected proxy, answer" in capsys.readouterr().err


def _is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
