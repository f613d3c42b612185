"""Reloads of a whole edge: under load without one failed request, refused with every reason, or not at all."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from running import POLICY, SECONDS_MAX, Edge, descriptors, wait_until

Run = Callable[..., Edge]

KEPT = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"


class Load:
    """Clients on kept connections who ask without a pause until told to stop; every answer is read and checked."""

    def __init__(self) -> None:
        self.answers: dict[bytes, int] = {}
        self.failures: list[str] = []
        self.stopped = False

    async def run(self, connects: list[Callable[[], object]]) -> None:
        await asyncio.gather(*(self._client(connect) for connect in connects))

    async def _client(self, connect: Callable[[], object]) -> None:
        try:
            reader, writer = await connect()  # type: ignore[misc]
            while not self.stopped:
                writer.write(KEPT)
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                if not head.startswith(b"HTTP/1.1 200 "):
                    self.failures.append(repr(head + body))
                self.answers[body] = self.answers.get(body, 0) + 1
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError, IndexError) as error:
            self.failures.append(repr(error))


async def _load_during(load: Load, connects: list[Callable[[], object]], work: Callable[[], None]) -> None:
    running = asyncio.create_task(load.run(connects))
    try:
        await asyncio.to_thread(work)
    finally:
        load.stopped = True
        async with asyncio.timeout(SECONDS_MAX):
            await running


def test_not_one_request_fails_during_five_reloads(run_edge: Run, tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    edge = run_edge(listen=f'"127.0.0.1:0", "unix:{path}"', policy=POLICY.format(word="word 1"))
    load = Load()
    tcp = [lambda: asyncio.open_connection("127.0.0.1", edge.port)] * 8
    unix = [lambda: asyncio.open_unix_connection(str(path))] * 4

    def reload_five_times() -> None:
        for generation in range(2, 7):
            time.sleep(0.2)
            edge.write(POLICY.format(word=f"word {generation}"))
            assert edge.reload() == (200, {"result": "done", "generation": generation, "errors": []})
        time.sleep(0.2)

    asyncio.run(_load_during(load, [*tcp, *unix], reload_five_times))
    assert load.failures == []
    assert sorted(load.answers) == [b"word %d" % generation for generation in range(1, 7)]
    assert sum(load.answers.values()) > 1_000
    assert [worker["restarts"] for worker in edge.status()["workers"]] == [0, 0]


def test_reload_is_in_force_everywhere_when_it_is_answered(run_edge: Run) -> None:
    edge = run_edge()
    for generation in range(2, 5):
        edge.write(POLICY.format(word=f"word {generation}"))
        assert edge.reload()[0] == 200
        assert {edge.get() for _ in range(20)} == {f"word {generation}"}
        assert [worker["generation"] for worker in edge.status()["workers"]] == [generation] * 2


def test_sighup_reloads(run_edge: Run) -> None:
    edge = run_edge()
    edge.write(POLICY.format(word="two"))
    edge.signal(signal.SIGHUP)
    edge.wait_for_line("reloaded: generation 2 serves")
    assert edge.get() == "two"


def test_broken_config_is_refused_with_all_errors(run_edge: Run) -> None:
    edge = run_edge()
    text = edge.config.replace("workers = 2", 'workers = "two"\nlisten_on = 1')
    (edge.directory / "edge.toml").write_text(text)
    status, answer = edge.reload()
    assert status == 422
    assert answer["result"] == "refused"
    assert answer["generation"] == 1
    assert sorted(error["key"] for error in answer["errors"]) == ["server.listen_on", "server.workers"]
    edge.wait_for_line("reload refused, generation 1 keeps serving")
    assert sum("edge.toml: server." in line for line in edge.lines) == 2
    assert edge.get() == "one"
    assert edge.admin("GET", "/readyz")[0] == 200


def test_broken_policy_is_refused_with_its_line(run_edge: Run) -> None:
    edge = run_edge()
    edge.write("import fastedge\n\nboom()\n")
    status, answer = edge.reload()
    assert status == 422
    assert answer["errors"] == [{"file": "shop.py", "key": "line 3", "text": "NameError: name 'boom' is not defined"}]
    assert {edge.get() for _ in range(10)} == {"one"}
    edge.write(POLICY.format(word="two"))
    assert edge.reload() == (200, {"result": "done", "generation": 3, "errors": []})
    assert edge.get() == "two"
    metrics = edge.admin("GET", "/metrics")[1]
    assert 'fastedge_reloads_total{outcome="done"} 1' in metrics
    assert 'fastedge_reloads_total{outcome="refused"} 1' in metrics


def test_what_needs_a_restart_is_refused_by_name(run_edge: Run) -> None:
    edge = run_edge()
    (edge.directory / "edge.toml").write_text(edge.config.replace("workers = 2", "workers = 3"))
    status, answer = edge.reload()
    assert status == 422
    assert [error["text"] for error in answer["errors"]] == ["needs restart: server.workers: 2 runs, 3 is asked"]
    assert edge.get() == "one"


def test_second_reload_at_a_time_is_a_conflict(run_edge: Run) -> None:
    edge = run_edge()
    edge.write("import time\ntime.sleep(0.7)\n" + POLICY.format(word="two"))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(edge.reload)
        wait_until(lambda: edge.status()["reloading"], "the first reload has begun")
        assert edge.reload() == (409, {"result": "busy", "generation": 1, "errors": []})
        assert edge.get() == "one"
        assert first.result()[0] == 200
    assert edge.get() == "two"


def test_sighup_during_a_reload_reloads_once_more(run_edge: Run) -> None:
    edge = run_edge()
    edge.write("import time\ntime.sleep(0.7)\n" + POLICY.format(word="two"))
    edge.signal(signal.SIGHUP)
    wait_until(lambda: edge.status()["reloading"], "the first reload has begun")
    edge.write(POLICY.format(word="three"))
    edge.signal(signal.SIGHUP)
    edge.wait_for_line("reloaded: generation 3 serves")
    assert edge.get() == "three"


def test_policy_that_kills_its_process_is_refused(run_edge: Run) -> None:
    edge = run_edge()
    edge.write("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    status, answer = edge.reload()
    assert status == 422
    assert "ended while it prepared" in answer["errors"][0]["text"]
    edge.wait_until_ready()
    assert edge.get() == "one"


def test_new_worker_begins_with_the_generation_that_serves(run_edge: Run) -> None:
    edge = run_edge(workers=1)
    edge.write(POLICY.format(word="two"))
    assert edge.reload()[0] == 200
    edge.write("broken")
    assert edge.reload()[0] == 422
    os.kill(edge.pids()[0], signal.SIGKILL)
    wait_until(lambda: edge.status()["workers"][0]["restarts"] == 1, "another worker")
    edge.wait_until_ready()
    assert edge.get() == "two"
    assert edge.status()["workers"][0]["generation"] == 2


def test_reloads_leak_no_descriptors(run_edge: Run) -> None:
    edge = run_edge(workers=1)
    pid = edge.pids()[0]
    assert edge.reload()[0] == 200
    before = descriptors(edge.process.pid), descriptors(pid)
    for word in ("two", "three", "four"):
        edge.write(POLICY.format(word=word))
        assert edge.reload()[0] == 200
    edge.write("broken")
    for _ in range(3):
        assert edge.reload()[0] == 422
    wait_until(lambda: (descriptors(edge.process.pid), descriptors(pid)) <= before, "descriptors are given back")


def test_logs_are_opened_anew_by_sigusr1(run_edge: Run) -> None:
    edge = run_edge(workers=1, log="access.log")
    log, rotated = edge.directory / "access.log", edge.directory / "access.log.1"
    edge.get("/before")
    wait_until(lambda: "/before" in log.read_text(), "a line is written")
    log.rename(rotated)
    edge.signal(signal.SIGUSR1)
    wait_until(log.exists, "the log is opened anew")
    edge.get("/after")
    wait_until(lambda: "/after" in log.read_text(), "a line is written to the new file")
    assert "/after" not in rotated.read_text()


def test_worker_that_comes_up_during_a_reload_catches_up(run_edge: Run) -> None:
    edge = run_edge()
    edge.write("import time\ntime.sleep(1.5)\n" + POLICY.format(word="two"))
    with ThreadPoolExecutor(1) as pool:
        os.kill(edge.pids()[0], signal.SIGKILL)
        wait_until(lambda: edge.status()["workers"][0]["state"] == "starting", "a successor is on its way")
        first = pool.submit(edge.reload)
        assert first.result() == (200, {"result": "done", "generation": 2, "errors": []})
    assert [worker["generation"] for worker in edge.status()["workers"]] == [2, 2]
    assert {edge.get() for _ in range(20)} == {"two"}
    assert edge.status()["workers"][0]["restarts"] == 1
