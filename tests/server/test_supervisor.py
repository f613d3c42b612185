"""The supervisor with real processes and sockets: nothing is lost when a worker goes, everything ends when told."""

import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from running import POLICY, SECONDS_MAX, TOKEN, Edge, ask, connect, descriptors, is_running, read_reply, wait_until

Run = Callable[..., Edge]

REQUEST = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"

SLOW = """
import time
from fastedge import Pipeline, Response

class Slow:
    def on_request(self, request, ctx):
        if request.path == "/stuck":
            while True:
                pass
        if request.path == "/slow":
            time.sleep(0.7)
        return Response.text("one")

pipeline = Pipeline(Slow())
"""


class SlowOrigin:
    """Answers each connection once, some time after its request came."""

    def __init__(self, seconds: float) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.asked = 0
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(4)
        self._pool.submit(self._serve)

    @property
    def section(self) -> str:
        return f'[origins.main]\nservers = ["http://127.0.0.1:{self._listening.getsockname()[1]}"]\n'

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._pool.submit(self._answer, client)

    def _answer(self, client: socket.socket) -> None:
        with client:
            client.recv(65536)
            self.asked += 1
            time.sleep(self._seconds)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nslow")

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._pool.shutdown()


TO_ORIGIN = "from fastedge import Pipeline\npipeline = Pipeline()\n"


# --- starting --------------------------------------------------------------------------------------------------------


def test_edge_serves_when_it_says_so(run_edge: Run) -> None:
    edge = run_edge()
    assert edge.lines[0] == (
        f"fastedge: serving http://127.0.0.1:{edge.port} · 2 workers · admin http://127.0.0.1:{edge.admin_port}"
    )
    assert edge.get() == "one"
    assert edge.admin("GET", "/readyz") == (200, "ready\n")


def test_edge_listens_on_v4_v6_and_unix_at_once(run_edge: Run, tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    edge = run_edge(listen=f'"127.0.0.1:0", "[::1]:0", "unix:{path}"')
    port = int(edge.lines[0].split("http://[::1]:")[1].split(",")[0])
    with socket.create_connection(("::1", port), SECONDS_MAX) as client:
        client.sendall(REQUEST)
        assert read_reply(client).endswith(b"one")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(REQUEST)
        assert read_reply(client).endswith(b"one")
    edge.signal(signal.SIGTERM)
    assert edge.process.wait(SECONDS_MAX) == 0
    assert not path.exists()


def test_port_in_use_is_said_without_a_traceback(run_edge: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        edge = run_edge(listen=f'"127.0.0.1:{port}"', wait=False)
        assert edge.process.wait(SECONDS_MAX) == 2
    edge.stop()
    assert edge.lines == [f"fastedge: server.listen: cannot listen on 127.0.0.1:{port}: address already in use"]


def test_broken_config_prints_everything_and_ends(run_edge: Run) -> None:
    edge = run_edge(listen='"localhost:http"', more="[origin]\n", wait=False)
    assert edge.process.wait(SECONDS_MAX) == 2
    edge.stop()
    assert len(edge.lines) == 2
    assert any("server.listen[0]" in line for line in edge.lines)
    assert any("unknown section; did you mean origins?" in line for line in edge.lines)


def test_broken_policy_prints_its_line_once_and_ends(run_edge: Run) -> None:
    edge = run_edge(policy="import fastedge\nboom()\n", workers=3, wait=False)
    assert edge.process.wait(SECONDS_MAX) == 2
    edge.stop()
    assert edge.lines == ["fastedge: shop.py: line 2: NameError: name 'boom' is not defined"]


# --- a worker goes ---------------------------------------------------------------------------------------------------


def test_killed_worker_is_replaced_and_nothing_leaks(run_edge: Run) -> None:
    edge = run_edge()
    before = descriptors(edge.process.pid)
    for _ in range(3):
        victim = edge.pids()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda victim=victim: victim not in edge.pids(), "the worker is gone")  # type: ignore[misc]
        edge.wait_until_ready()
        assert edge.get() == "one"
    assert len(edge.pids()) == 2
    assert edge.status()["workers"][0]["restarts"] == 3
    wait_until(lambda: descriptors(edge.process.pid) <= before, "descriptors are given back")
    assert 'fastedge_worker_restarts_total{reason="exited"} 3' in edge.admin("GET", "/metrics")[1]


def test_connections_in_the_queue_survive_their_worker(run_edge: Run) -> None:
    edge = run_edge(workers=1, policy=SLOW)
    victim = edge.pids()[0]
    os.kill(victim, signal.SIGSTOP)  # from now on nobody accepts
    clients = [connect(edge.port, REQUEST) for _ in range(20)]
    os.kill(victim, signal.SIGKILL)
    for client in clients:
        with client:
            assert read_reply(client).endswith(b"one")


def test_worker_is_replaced_with_the_last_good_sources(run_edge: Run) -> None:
    edge = run_edge(workers=1)
    edge.write("this is no policy")
    (edge.directory / "edge.toml").write_text("nor is this a configuration")
    victim = edge.pids()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: edge.pids() not in ([victim], []), "another worker")
    edge.wait_until_ready()
    assert edge.get() == "one"


def test_stuck_worker_is_replaced_and_the_stage_named(run_edge: Run) -> None:
    edge = run_edge(workers=2, policy=SLOW)
    with connect(edge.port, b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n") as client:
        assert "in Slow.on_request" in edge.wait_for_line("its loop stands still")
        assert client.recv(1) == b""
    edge.wait_until_ready()
    assert edge.get() == "one"
    assert 'fastedge_worker_restarts_total{reason="stuck"} 1' in edge.admin("GET", "/metrics")[1]


# --- the end ---------------------------------------------------------------------------------------------------------


def test_sigterm_lets_requests_in_flight_finish(run_edge: Run) -> None:
    origin = SlowOrigin(0.7)
    try:
        edge = run_edge(policy=TO_ORIGIN, more=origin.section)
        with ThreadPoolExecutor(1) as pool, connect(edge.port, b"") as idle:
            reply = pool.submit(ask, edge.port, "GET", "/")
            wait_until(lambda: origin.asked, "the origin is asked")
            edge.signal(signal.SIGTERM)
            assert idle.recv(1) == b""
            assert not reply.done()
            assert edge.admin("GET", "/readyz") == (503, "not ready\n")
            assert reply.result() == (200, "slow")
        assert edge.process.wait(SECONDS_MAX) == 0
    finally:
        origin.close()


def test_drain_ends_when_its_time_is_up(run_edge: Run) -> None:
    origin = SlowOrigin(3)
    try:
        edge = run_edge(policy=TO_ORIGIN, more=origin.section, drain_timeout_ms=300)
        with connect(edge.port, REQUEST) as client:
            wait_until(lambda: origin.asked, "the origin is asked")
            edge.signal(signal.SIGTERM)
            assert edge.process.wait(SECONDS_MAX) == 1
            assert b"200 OK" not in client.recv(65536)
    finally:
        origin.close()


def test_second_sigterm_ends_at_once(run_edge: Run) -> None:
    origin = SlowOrigin(2)
    try:
        edge = run_edge(policy=TO_ORIGIN, more=origin.section, drain_timeout_ms=60_000)
        with connect(edge.port, REQUEST):
            wait_until(lambda: origin.asked, "the origin is asked")
            pids = edge.pids()
            edge.signal(signal.SIGINT)
            edge.wait_for_line("stopping")
            edge.signal(signal.SIGTERM)
            assert edge.process.wait(SECONDS_MAX) == 1
        assert not any(map(is_running, pids))
    finally:
        origin.close()


def test_workers_end_with_a_supervisor_that_was_killed(run_edge: Run) -> None:
    edge = run_edge()
    pids = edge.pids()
    edge.process.kill()
    wait_until(lambda: not any(map(is_running, pids)), "the workers are gone")


def test_stuck_worker_ends_with_a_supervisor_that_was_killed(run_edge: Run) -> None:
    edge = run_edge(policy=SLOW, workers=1, drain_timeout_ms=100)
    pids = edge.pids()
    with connect(edge.port, b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n"):
        time.sleep(0.2)
        edge.process.kill()
        wait_until(lambda: not is_running(pids[0]), "the worker is gone")


# --- the admin listener ----------------------------------------------------------------------------------------------


def test_health_turns_with_the_workers(run_edge: Run) -> None:
    edge = run_edge(workers=1)
    assert edge.admin("GET", "/healthz") == (200, "alive\n")
    assert edge.admin("HEAD", "/healthz") == (200, "")
    os.kill(edge.pids()[0], signal.SIGKILL)
    wait_until(lambda: edge.admin("GET", "/healthz")[0] == 503, "nobody is alive")
    wait_until(lambda: edge.admin("GET", "/healthz")[0] == 200, "someone is alive")


def test_metrics_are_those_of_all_workers(run_edge: Run) -> None:
    edge = run_edge()
    for _ in range(20):
        edge.get()
    assert 'fastedge_requests_total{status="2xx"} 20' in edge.admin("GET", "/metrics")[1]


def test_reload_needs_the_token(run_edge: Run) -> None:
    edge = run_edge()
    bearers = [
        "",
        "Bearer",
        "Bearer wrong",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer \xe9",
    ]
    for value in bearers:
        headers = {"Authorization": value} if value else {}
        assert edge.admin("POST", "/v1/reload", headers)[0] == 401
    assert edge.admin("GET", "/v1/reload")[0] == 405
    assert edge.status()["generation"] == 1


def test_reload_is_not_there_without_a_token(run_edge: Run) -> None:
    edge = run_edge(more="")
    config = edge.config.replace('token_env = "EDGE_TOKEN"', "")
    (edge.directory / "edge.toml").write_text(config)
    assert edge.reload()[0] == 200
    assert edge.admin("POST", "/v1/reload", {"Authorization": f"Bearer {TOKEN}"})[0] == 404
    assert edge.admin("GET", "/v1/nothing")[0] == 404


def test_status_tells_of_each_worker(run_edge: Run) -> None:
    edge = run_edge(policy=POLICY.format(word="x"))
    status = edge.status()
    assert [worker["state"] for worker in status["workers"]] == ["ready", "ready"]
    assert all(map(is_running, edge.pids()))
    assert status["generation"] == 1
    assert not status["draining"]
