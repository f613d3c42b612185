"""Reports: medians, ratios of rounds, lines of the history."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.report import JobReport, describe_machine, history_lines, ratio_of_rounds, save, show


@pytest.fixture
def report() -> JobReport:
    """Two peers over three rounds; the machine is twice as slow in the second."""
    report = JobReport("proxy", "a title", compared=("cpu",), versions={"nginx": "nginx/1"}, notes=["proxy: x: no gcc"])
    report.add("nginx", "cpu", "µs/request", [20.0, 40.0, 22.0], 300)
    report.add("fastedge", "cpu", "µs/request", [10.0, 20.0, 10.0], 300)
    report.add("fastedge", "rate", "requests/s", [50_000.0, 25_000.0, 51_000.0], 300)
    return report


def test_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    # The medians' own ratio would be 0.1: of different rounds, and of no meaning.
    assert ratio_of_rounds([1.0, 10.0, 100.0], [100.0, 10.0, 10.0]) == 1.0


def test_ratio_needs_as_many_rounds_of_both() -> None:
    with pytest.raises(ValueError):
        ratio_of_rounds([1.0], [1.0, 2.0])


def test_history_has_a_line_for_each_result(report: JobReport) -> None:
    lines = [json.loads(line) for line in history_lines(report, {"commit": "c0ffee"})]
    assert [(line["peer"], line["metric"]) for line in lines] == [
        ("nginx", "cpu"),
        ("fastedge", "cpu"),
        ("fastedge", "rate"),
    ]
    assert lines[1] == {
        "commit": "c0ffee",
        "job": "proxy",
        "peer": "fastedge",
        "version": "",
        "metric": "cpu",
        "unit": "µs/request",
        "median": 10.0,
        "min": 10.0,
        "max": 20.0,
        "ratio": {"nginx": 0.5},
        "rounds": 3,
        "requests": 300,
    }
    assert lines[2]["ratio"] == {}


def test_history_is_appended_to(report: JobReport, tmp_path: Path) -> None:
    for _ in range(2):
        path = save(report, {}, tmp_path / "history")
    assert path.name == "proxy.jsonl"
    assert len(path.read_text().splitlines()) == 6


def test_table_names_peers_figures_ratios_and_what_is_missing(report: JobReport, tmp_path: Path) -> None:
    path = tmp_path / "table"
    with path.open("w") as file:
        show(report, Console(file=file, width=120))
    text = path.read_text()
    row = next(line for line in text.splitlines() if "fastedge" in line and "10.00" in line)
    assert "10.00 (10.00 … 20.00)" in row
    assert "0.50" in row
    assert "proxy: x: no gcc" in text


def test_table_has_the_ratios_that_are_asked_for(report: JobReport, tmp_path: Path) -> None:
    path = tmp_path / "table"
    report.beside = ("nginx",)
    with path.open("w") as file:
        show(report, Console(file=file, width=120))
    text = path.read_text()
    assert "÷ nginx" in text
    assert "÷ fastedge" not in text


def test_machine_is_described() -> None:
    machine = describe_machine("2026-11-23T00:00:00+00:00")
    assert set(machine) == {"date", "commit", "cpu", "cores", "kernel", "python"}
    assert all(machine.values())
