"""Experiments on a whole edge: settings that change without a reload, exposures on file, the split in the metrics."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import Edge, ask, wait_until

from fastedge.routing import assign

Run = Callable[..., Edge]
WEIGHTS = {"new": 50, "old": 50}

POLICY = """
from fastedge import Pipeline, Response
from fastedge.stages import Experiment, When

class Answer:
    def on_request(self, request, ctx):
        return Response.text(ctx.variants.get("checkout", "none"))

pipeline = Pipeline(
    When("/shop/*", Experiment("checkout", {"new": 50, "old": 50}, sticky_by="cookie:uid", default="old")),
    Answer(),
)
"""
SECTION = '[experiments]\nfile = "experiments.json"\nexposures = "exposures.jsonl"\n'


@pytest.fixture
def edge(run_edge: Run, tmp_path: Path) -> Edge:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "experiments.json").write_text("{}")
    return run_edge(policy=POLICY, more=SECTION)


def get(edge: Edge, uid: str, path: str = "/shop/1") -> str:
    return ask(edge.port, "GET", path, {"Cookie": f"uid={uid}"})[1]


def settings(edge: Edge, **entry: Any) -> None:
    beside = edge.directory / "beside.json"
    beside.write_text(json.dumps({"checkout": entry}))
    beside.replace(edge.directory / "experiments.json")


def everyone(edge: Edge) -> set[str]:
    return {get(edge, f"visitor-{i}") for i in range(24)}


def test_settings_change_on_all_workers_without_a_reload_and_for_their_successors(edge: Edge) -> None:
    before = [get(edge, f"visitor-{i}") for i in range(24)]
    assert before == [assign("checkout", f"visitor-{i}", WEIGHTS) for i in range(24)]
    settings(edge, state="off")
    wait_until(lambda: everyone(edge) == {"old"}, "the experiment is off")
    os.kill(edge.pids()[0], signal.SIGKILL)
    wait_until(lambda: len(edge.pids()) == 2, "another worker takes its place")
    edge.wait_until_ready()
    assert everyone(edge) == {"old"}
    settings(edge, weights={"new": 1})
    wait_until(lambda: everyone(edge) == {"new"}, "new weights are in force")
    assert edge.reload()[0] == 200
    assert everyone(edge) == {"new"}
    assert edge.status()["generation"] == 2


def test_settings_that_cannot_be_used_change_nothing(edge: Edge) -> None:
    (edge.directory / "experiments.json").write_text("{")
    edge.wait_for_line("experiments stay as they were")
    settings(edge, weights={"newer": 1})
    edge.wait_for_line("'newer' is no variant of it; there are new, old: all experiments stay as they were")
    assert everyone(edge) == {"new", "old"}
    assert edge.reload()[0] == 422
    os.kill(edge.pids()[0], signal.SIGKILL)
    wait_until(lambda: len(edge.pids()) == 2, "another worker takes its place")
    edge.wait_until_ready()
    assert everyone(edge) == {"new", "old"}


def test_exposures_are_written_once_without_the_key(edge: Edge) -> None:
    for _ in range(3):
        for i in range(8):
            get(edge, f"visitor-{i}")
            get(edge, f"visitor-{i}", "/about")
    file = edge.directory / "exposures.jsonl"
    wait_until(lambda: len(file.read_text().splitlines()) >= 8, "exposures are written")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted(line["variant"] for line in lines) == sorted(
        assign("checkout", f"visitor-{i}", WEIGHTS) for i in range(8)
    )
    assert len({line["visitor"] for line in lines}) == len(lines) == 8
    for line in lines:
        assert list(line) == ["ts", "experiment", "variant", "visitor", "country", "site"]
        assert abs(time.time() - _seconds(line["ts"])) < 60
        assert re.fullmatch("[0-9a-f]{24}", line["visitor"])
        assert (line["experiment"], line["country"], line["site"]) == ("checkout", None, None)
    metrics = edge.admin("GET", "/metrics")[1]
    assert 'fastedge_experiment_exposures{experiment="checkout"} 8\n' in metrics
    assert 'fastedge_experiment_srm{experiment="checkout"} 0\n' in metrics


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
