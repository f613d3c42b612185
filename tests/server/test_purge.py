"""Purging a whole edge: by a token, on every worker and on the disk; and asking it what it has stored."""

import json
import os
import signal
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from running import SECONDS_MAX, TOKEN, Edge, wait_until

from fastedge._core.purges import name_hash
from fastedge.handover import private_purges

Run = Callable[..., Edge]


def purge(edge: Edge, body: Any, **headers: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", edge.admin_port, timeout=SECONDS_MAX)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", "/v1/purge", data, {"Authorization": f"Bearer {TOKEN}", **headers})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if response.headers["content-type"] == "application/json" else text


def inspect(edge: Edge, query: str) -> tuple[int, Any]:
    status, text = edge.admin("GET", f"/v1/cache{query}", {"Authorization": f"Bearer {TOKEN}"})
    return status, json.loads(text)


def test_purge_counts_what_was_asked_for(run_edge: Run) -> None:
    edge = run_edge()
    status, answer = purge(edge, {"tags": ["red", "blue"], "urls": ["https://shop.example/"], "mode": "soft"})
    assert status == 200
    assert answer == {
        "purged": {"tags": 2, "urls": 1, "prefixes": 0, "hosts": 0, "everything": 0},
        "mode": "soft",
        "sequence": 3,
        "durable": None,
    }
    metrics = edge.admin("GET", "/metrics")[1]
    assert 'fastedge_purges_total{kind="tag"} 2\n' in metrics
    assert 'fastedge_purges_total{kind="url"} 1\n' in metrics


def test_mistakes_are_answered_in_json(run_edge: Run) -> None:
    edge = run_edge(workers=1)
    for body in (b"", b"{}", b'{"tag":["a"]}', b'{"urls":["/a"]}'):
        status, answer = purge(edge, body)
        assert (status, list(answer)) == (400, ["error"])


def test_purge_needs_the_token(run_edge: Run) -> None:
    edge = run_edge(workers=1)
    assert purge(edge, {"everything": True}, Authorization="Bearer wrong")[0] == 401
    assert 'fastedge_purges_total{kind="everything"} 0\n' in edge.admin("GET", "/metrics")[1]


def test_body_that_is_too_large_is_refused(run_edge: Run) -> None:
    edge = run_edge(workers=1)
    assert purge(edge, b" " * (2 * 1024 * 1024) + b'{"everything":true}')[0] == 413
    assert purge(edge, {"everything": True})[0] == 200


def test_purge_survives_the_end_of_all_processes(run_edge: Run, tmp_path: Path) -> None:
    more = '[cache]\ndisk_path = "cache"\n'
    edge = run_edge(more=more)
    status, answer = purge(edge, {"tags": ["red"]})
    assert (status, answer["durable"]) == (200, True)
    edge.signal(signal.SIGKILL)
    edge.process.wait()
    table = private_purges()
    assert table.restore((edge.directory / "cache" / "purges.bin").read_bytes())
    assert table.verdict_of([name_hash(b"tag", b"red")], b"", answer["sequence"] - 1) == "hard"
    assert table.verdict_of([name_hash(b"tag", b"blue")], b"", answer["sequence"] - 1) == "kept"


def test_image_that_cannot_be_made_costs_a_warning_and_no_purge(run_edge: Run, tmp_path: Path) -> None:
    (tmp_path / "cache" / "purges.bin" / "in the way").mkdir(parents=True)
    edge = run_edge(workers=1, more=f'[cache]\ndisk_path = "{tmp_path}/cache"\n')
    assert edge.wait_for_line("purges will not survive a restart")
    status, answer = purge(edge, {"everything": True})
    assert (status, answer["durable"]) == (200, False)
    assert edge.get() == "one"


def test_inspection_asks_every_worker(run_edge: Run) -> None:
    edge = run_edge()
    rows = [{"worker": worker, "objects": [], "complete": True} for worker in (0, 1)]
    assert inspect(edge, "?url=HTTP://Shop.example") == (200, {"url": "http://shop.example/", "workers": rows})


def test_inspection_names_a_worker_that_does_not_answer(run_edge: Run) -> None:
    edge = run_edge()
    stopped = edge.status()["workers"][1]["pid"]
    os.kill(stopped, signal.SIGSTOP)
    try:
        status, answer = inspect(edge, "?url=http://shop.example/")
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert status == 200
    assert answer["workers"] == [
        {"worker": 0, "objects": [], "complete": True},
        {"worker": 1, "error": "no answer"},
    ]
    wait_until(lambda: "error" not in str(inspect(edge, "?url=http://shop.example/")[1]), "it answers again")


def test_inspection_of_no_url_is_refused(run_edge: Run) -> None:
    edge = run_edge(workers=1)
    for query in ("", "?url=", "?url=/a", "?uri=http://a/"):
        status, answer = inspect(edge, query)
        assert status == 400
        assert "`url`" in answer["error"]
