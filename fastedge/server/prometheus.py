"""The shared counters as Prometheus text (exposition format 0.0.4). Reads a buffer and gives bytes; nothing else."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, NamedTuple

from fastedge._core.metrics import (
    BOUNDS_LOG2_US,
    OTHER_ORIGIN,
    TABLE,
    Row,
    bucket_bounds_us,
    read_all,
    row_cell,
)
from fastedge.limits import metrics_origins_max

if TYPE_CHECKING:
    from typing_extensions import Buffer

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

EXPERIMENT_GAUGES = (
    ("fastedge_experiment_exposures", "Visitors who have met a variant of the experiment in this window.", "exposures"),
    ("fastedge_experiment_srm", "1 if the variants' visitors are not split as the weights say (p < 0.001).", "is_off"),
)


class Experiment(NamedTuple):
    """What /metrics says of one."""

    name: str
    exposures: int  # in this window
    is_off: bool  # the split is no accident


def render(buffer: "Buffer", origins: Sequence[str], experiments: Sequence[Experiment] = ()) -> bytes:
    """All workers' counters, summed. `origins` are the names by the index that their counters were given."""
    cells = read_all(buffer)
    lines: list[str] = []
    for metric, rows in groupby((row for row in TABLE if row.kind != "state"), key=lambda row: row.metric):
        family = list(rows)
        lines.append(f"# HELP {metric} {family[0].help}")
        lines.append(f"# TYPE {metric} {family[0].kind}")
        for labels, first, kind in _series(family, origins):
            if kind == "histogram":
                lines += _histogram(metric, labels, cells[first : first + _BUCKET_COUNT + 1])
            else:
                lines.append(f"{metric}{{{labels}}} {cells[first]}" if labels else f"{metric} {cells[first]}")
    for metric, help, field in EXPERIMENT_GAUGES if experiments else ():
        lines += [f"# HELP {metric} {help}", f"# TYPE {metric} gauge"]
        lines += [f"{metric}{{{_labels({'experiment': one.name})}}} {int(getattr(one, field))}" for one in experiments]
    return ("\n".join(lines) + "\n").encode()


def _series(family: list[Row], origins: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """(labels, first cell, kind) of each time series of one metric."""
    series = [(row, _labels(row.labels)) for row in family]
    if family[0].scope == "worker":
        for row, labels in series:
            yield labels, row_cell(row), row.kind
        return
    names = list(origins[:metrics_origins_max])
    if len(origins) > metrics_origins_max:
        names.append(OTHER_ORIGIN)
    for index, name in enumerate(names):
        origin = _labels({"origin": name})
        for row, labels in series:
            yield f"{origin},{labels}" if labels else origin, row_cell(row, index), row.kind


def _histogram(metric: str, labels: str, cells: Sequence[int]) -> Iterator[str]:
    """The buckets cumulated, shown at a few bounds, where buckets end (powers of two in µs): nothing is guessed."""
    counts = list(accumulate(cells[:_BUCKET_COUNT]))
    before, alone = (labels + ",", f"{{{labels}}}") if labels else ("", "")
    for bound, last in _BOUNDS:
        yield f'{metric}_bucket{{{before}le="{bound}"}} {counts[last]}'
    yield f"{metric}_sum{alone} {_seconds(cells[_BUCKET_COUNT])}"
    yield f"{metric}_count{alone} {counts[-1]}"


def _seconds(us: int) -> str:
    """Exact, without a float on the way: 1024 → "0.001024"."""
    return f"{us // 1_000_000}.{us % 1_000_000:06}".rstrip("0").rstrip(".")


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


_BUCKET_COUNT = len(bucket_bounds_us()) + 1
# For each bound that is shown, the last of the fine buckets below it.
_BOUNDS = [(_seconds(1 << exponent), bucket_bounds_us().index(1 << exponent)) for exponent in BOUNDS_LOG2_US]
_BOUNDS.append(("+Inf", -1))
