"""The cache of a whole edge: two workers and their disk, through purges, restarts and deaths."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from exchange import Message, Origin, Peer
from running import SECONDS_MAX, Edge, connect, is_running, read_reply, wait_until
from test_purge import inspect, purge

Run = Callable[..., Edge]

PLAIN = "from fastedge import Pipeline\n\npipeline = Pipeline()\n"
SIZES = {"/small": 1_000, "/inline": 32 * 1024, "/file": 32 * 1024 + 1, "/large": 2_000_000}


class Site:
    """An origin whose bodies say which URL and which fetch of it they are; `pause_s` comes in the middle of each."""

    def __init__(self, origin: Origin) -> None:
        self.url = origin.url
        self.fetches: Counter[str] = Counter()
        self.pause_s = 0.0
        origin.serve(self._answer)

    def body(self, target: str, fetch: int) -> bytes:
        return (f"{target} {fetch}|".encode() * SIZES[target])[: SIZES[target]]

    def _answer(self, peer: Peer, request: Message) -> None:
        self.fetches[request.target] += 1
        body = self.body(request.target, self.fetches[request.target])
        lines = "HTTP/1.1 200 OK", "cache-control: max-age=600", "cache-tag: page", f"content-length: {len(body)}"
        peer.send(*lines, body[: len(body) // 2])
        time.sleep(self.pause_s)
        peer.send(body[len(body) // 2 :])

    @property
    def more(self) -> str:
        return (
            f'[origins.main]\nservers = ["{self.url}"]\n[cache]\nmemory_mb = 8\ndisk_path = "../cache"\ndisk_mb = 64\n'
        )


@pytest.fixture
def site() -> Iterator[Site]:
    origin = Origin()
    yield Site(origin)
    origin.close()


def get(edge: Edge, target: str) -> tuple[bytes, str]:
    """The body, and what Cache-Status says. A new connection each time: it comes to any worker."""
    connection = HTTPConnection("127.0.0.1", edge.port, timeout=SECONDS_MAX)
    connection.request("GET", target, headers={"host": "shop.example"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 200, response.status
    return body, response.headers["cache-status"]


def fill(edge: Edge, site: Site) -> None:
    """Every page is on disk when it ends."""
    for target in SIZES:
        assert get(edge, target)[0] == site.body(target, 1)
    wait_until(lambda: len(records(edge)) == len(SIZES), "all is on disk")


def records(edge: Edge) -> list[Path]:
    return list(edge.directory.parent.glob("cache/??/*-*"))


def expect_kept(edge: Edge, site: Site) -> None:
    """Nothing is fetched again, and nothing is another's."""
    before = site.fetches.copy()
    for target in [*SIZES] * 8:
        body, says = get(edge, target)
        assert body == site.body(target, 1) and "; hit" in says
    assert site.fetches == before


def test_clients_of_all_workers_share_one_fetch(run_edge: Run, site: Site) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    site.pause_s = 0.5
    request = b"GET /large HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n"
    clients = [connect(edge.port, request) for _ in range(200)]
    with ThreadPoolExecutor(16) as pool:
        bodies = {reply.partition(b"\r\n\r\n")[2] for reply in pool.map(read_reply, clients)}
    for client in clients:
        client.close()
    assert bodies == {site.body("/large", 1)} and site.fetches["/large"] == 1


@pytest.mark.parametrize("what", [{"tags": ["page"]}, {"urls": ["http://shop.example/file"]}, {"everything": True}])
def test_purge_is_in_force_everywhere_when_it_is_answered(run_edge: Run, site: Site, what: dict[str, Any]) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    for _ in range(5):
        before = site.fetches["/file"]
        allowed = [site.body("/file", fetch) for fetch in (before + 1, before + 2)]  # a second one may race the first
        assert all(get(edge, "/file")[0] in allowed for _ in range(8))
        assert purge(edge, what)[0] == 200


def test_purge_while_it_is_fetched_is_in_force_for_whoever_asks_next(run_edge: Run, site: Site) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    site.pause_s = 0.5
    with ThreadPoolExecutor(20) as pool:
        before = [pool.submit(get, edge, "/large") for _ in range(12)]
        wait_until(lambda: site.fetches["/large"], "it is being fetched")
        time.sleep(0.2)  # the others ask meanwhile, at either worker
        assert purge(edge, {"tags": ["page"]})[0] == 200
        after = [pool.submit(get, edge, "/large") for _ in range(8)]
        assert {one.result()[0] for one in before} == {site.body("/large", 1)}
        assert site.body("/large", 1) not in [one.result()[0] for one in after]


def test_what_is_on_disk_survives_a_restart_and_what_was_purged_does_not_come_back(run_edge: Run, site: Site) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    fill(edge, site)
    purge(edge, {"urls": ["http://shop.example/small"]})
    edge.signal(signal.SIGTERM)
    assert edge.process.wait(SECONDS_MAX) == 0
    edge = run_edge(policy=PLAIN, more=site.more)
    assert get(edge, "/small")[0] == site.body("/small", 2)
    for target in [*SIZES][1:]:
        body, says = get(edge, target)
        assert body == site.body(target, 1) and "; hit" in says


def test_worker_that_is_killed_takes_nothing_with_it(run_edge: Run, site: Site) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    fill(edge, site)
    victims = edge.pids()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(edge.pids()) == 2 and not set(victims) & set(edge.pids()), "there are others")
    edge.wait_until_ready()
    expect_kept(edge, site)


def test_fetch_of_a_worker_that_is_killed_is_taken_up_by_the_other(run_edge: Run, site: Site) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    site.pause_s = 1.0
    request = b"GET /large HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n"
    clients = [connect(edge.port, request) for _ in range(20)]
    wait_until(lambda: site.fetches["/large"], "it is being fetched")
    os.kill(edge.pids()[0], signal.SIGKILL)
    for client in clients:
        client.settimeout(SECONDS_MAX)
        try:
            body = read_reply(client).partition(b"\r\n\r\n")[2]
        except ConnectionError:
            body = b""
        client.close()
        fetch = 1 if body in site.body("/large", 1) else 2
        assert body in site.body("/large", fetch)[: len(body)]
    edge.wait_until_ready()
    body, _ = get(edge, "/large")
    assert body == site.body("/large", site.fetches["/large"])


def test_end_of_all_processes_leaves_what_is_whole(run_edge: Run, site: Site) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    fill(edge, site)
    pids = edge.pids()
    for pid in [edge.process.pid, *pids]:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(is_running(pid) for pid in pids), "all are gone")
    edge.process.wait()
    expect_kept(run_edge(policy=PLAIN, more=site.more), site)


def test_end_of_all_processes_in_the_middle_of_a_fetch_leaves_nothing_of_it(run_edge: Run, site: Site) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    site.pause_s = 0.7
    client = connect(edge.port, b"GET /large HTTP/1.1\r\nhost: shop.example\r\n\r\n")
    wait_until(lambda: list(edge.directory.parent.glob("cache/??/*.tmp")), "it grows")
    pids = edge.pids()
    for pid in [edge.process.pid, *pids]:
        os.kill(pid, signal.SIGKILL)
    client.close()
    wait_until(lambda: not any(is_running(pid) for pid in pids), "all are gone")
    edge.process.wait()
    site.pause_s = 0.0
    edge = run_edge(policy=PLAIN, more=site.more)
    assert get(edge, "/large")[0] == site.body("/large", 2)
    wait_until(lambda: not list(edge.directory.parent.glob("cache/??/*.tmp")), "what was left is gone")


def test_second_instance_on_one_directory_is_refused(run_edge: Run, site: Site) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    other = run_edge(policy=PLAIN, more=site.more, wait=False)
    assert other.process.wait(SECONDS_MAX) != 0
    assert f"in use by another instance of fastedge (pid {edge.process.pid})" in other.wait_for_line("cache.disk_path")
    fill(edge, site)


def test_inspection_shows_what_each_worker_holds(run_edge: Run, site: Site) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    fill(edge, site)
    status, told = inspect(edge, "?url=http://shop.example/large")
    held = [one for worker in told["workers"] for one in worker["objects"]]
    assert status == 200 and held and {one["state"] for one in held} == {"fresh"}, json.dumps(told)
    assert {tuple(one["tags"]) for one in held} == {("page",)} and {one["status"] for one in held} == {200}
    purge(edge, {"tags": ["page"]})
    told = inspect(edge, "?url=http://shop.example/large")[1]
    assert {one["state"] for worker in told["workers"] for one in worker["objects"]} == {"purged"}


def test_directory_that_vanishes_costs_the_disk_alone(run_edge: Run, site: Site) -> None:
    edge = run_edge(policy=PLAIN, more=site.more)
    fill(edge, site)
    directory = edge.directory.parent / "cache"
    for path in sorted(directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    directory.rmdir()
    for target in [*SIZES] * 8:
        body, _ = get(edge, target)
        assert body in [site.body(target, fetch) for fetch in range(1, site.fetches[target] + 1)]
    assert len(edge.pids()) == 2
