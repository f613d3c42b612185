"""What was measured, as a table for people and as lines for benchmarks/history/. It computes; it never measures."""

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
HISTORY = ROOT / "benchmarks" / "history"


@dataclass(frozen=True, slots=True)
class Result:
    """One metric of one peer: a value for each round, in the order of the rounds."""

    peer: str
    metric: str
    unit: str
    values: tuple[float, ...]
    requests: int = 0

    @property
    def median(self) -> float:
        """The middle round."""
        return median(self.values)


@dataclass(slots=True)
class JobReport:
    """One job's results. Ratios are made for the metrics in `compared`; the table has those to `beside`, or to all."""

    job: str
    title: str
    results: list[Result] = field(default_factory=list)
    compared: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, peer: str, metric: str, unit: str, values: Sequence[float], requests: int = 0) -> None:
        """Takes a result in."""
        self.results.append(Result(peer, metric, unit, tuple(values), requests))

    def peers(self) -> list[str]:
        """In the order in which they were added."""
        return list(dict.fromkeys(result.peer for result in self.results))

    def metrics(self) -> list[str]:
        """In the order in which they were added."""
        return list(dict.fromkeys(result.metric for result in self.results))

    def find(self, peer: str, metric: str) -> Result | None:
        """The result, if there is one."""
        return next((r for r in self.results if (r.peer, r.metric) == (peer, metric)), None)

    def ratios(self, result: Result) -> dict[str, float]:
        """This peer over each other one: the median of the rounds' own ratios, so that a slow minute cancels out."""
        if result.metric not in self.compared:
            return {}
        others = (r for r in self.results if r.metric == result.metric and r.peer != result.peer)
        return {other.peer: ratio_of_rounds(result.values, other.values) for other in others}


def ratio_of_rounds(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over rounds of mine over theirs."""
    return median(one / other for one, other in zip(mine, theirs, strict=True))


def show(report: JobReport, console: Console) -> None:
    """Prints the table: a row a peer, and beside the figures its ratio to each other peer."""
    table = Table(title=f"{report.job}: {report.title}", title_justify="left", title_style="bold")
    table.add_column("peer", no_wrap=True)
    for metric in report.metrics():
        unit = next(r.unit for r in report.results if r.metric == metric)
        table.add_column(f"{metric}\n{unit}", justify="right")
    beside = report.beside or report.peers()
    compared = [(metric, peer) for metric in report.compared for peer in report.peers() if peer in beside]
    for metric, peer in compared:
        table.add_column(f"{metric}\n÷ {peer}" if len(report.compared) > 1 else f"÷ {peer}", justify="right")
    for peer in report.peers():
        table.add_row(peer, *_figures(report, peer), *_ratio_cells(report, peer, compared))
    console.print(table)
    for peer, version in report.versions.items():
        console.print(f"  {peer}: {version}", style="dim", highlight=False)
    for note in report.notes:
        console.print(f"  {note}", style="yellow", highlight=False)


def history_lines(report: JobReport, machine: Mapping[str, str]) -> Iterator[str]:
    """One JSON line a result."""
    for result in report.results:
        line = {
            **machine,
            "job": report.job,
            "peer": result.peer,
            "version": report.versions.get(result.peer, ""),
            "metric": result.metric,
            "unit": result.unit,
            "median": _rounded(result.median),
            "min": _rounded(min(result.values)),
            "max": _rounded(max(result.values)),
            "ratio": {peer: round(ratio, 4) for peer, ratio in report.ratios(result).items()},
            "rounds": len(result.values),
            "requests": result.requests,
        }
        yield json.dumps(line, ensure_ascii=False)


def save(report: JobReport, machine: Mapping[str, str], directory: Path = HISTORY) -> Path:
    """Appends to the job's file in benchmarks/history/."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{report.job}.jsonl"
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in history_lines(report, machine))
    return path


def describe_machine(date: str) -> dict[str, str]:
    """On what it ran."""
    return {
        "date": date,
        "commit": _commit(),
        "cpu": _cpu_model(),
        "cores": str(_core_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _figures(report: JobReport, peer: str) -> Iterator[str]:
    for metric in report.metrics():
        result = report.find(peer, metric)
        yield _figure(result) if result else "-"


def _figure(result: Result) -> str:
    if len(result.values) == 1:
        return _number(result.values[0])
    return f"{_number(result.median)} ({_number(min(result.values))} … {_number(max(result.values))})"


def _ratio_cells(report: JobReport, peer: str, compared: Sequence[tuple[str, str]]) -> Iterator[str]:
    for metric, other in compared:
        result = report.find(peer, metric)
        ratio = report.ratios(result).get(other) if result else None
        yield f"{ratio:.2f}" if ratio is not None else ""


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.1f}"


def _rounded(value: float) -> float:
    return round(value, 4)


def _commit() -> str:
    """The checkout's commit, with + behind it if files differ from it."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/history")
    return f"{commit or 'unknown'}{'+' if changed else ''}"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _core_count() -> int:
    return len(os.sched_getaffinity(0))
