"""The shared counters as Prometheus text (exposition format 0.0.4). Reads a buffer and gives bytes; nothing else."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

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

_BUCKET_COUNT = len(bucket_bounds_us()) + 1


def render(buffer: "Buffer", origins: Sequence[str]) -> bytes:
    """All workers' counters, summed. `origins` are the names by the index that their counters were given."""
    cells = read_all(buffer)
    lines: list[str] = []
    for metric, rows in groupby((row for row in TABLE if row.kind != "state"), key=lambda row: row.metric):
        family = list(rows)
        lines.append(f"# HELP {metric} {family[0].help}")
        lines.append(f"# TYPE {metric} {family[0].kind}")
        for labels, first, row in _series(family, origins):
            lines += (
                _histogram(row, labels, cells[first : first + _BUCKET_COUNT + 1])
                if row.kind == "histogram"
                else [f"{metric}{_braces(labels)} {cells[first]}"]
            )
    return ("\n".join(lines) + "\n").encode()


def _series(family: list[Row], origins: Sequence[str]) -> Iterator[tuple[dict[str, str], int, Row]]:
    """(labels, first cell, row) of each time series of one metric."""
    if family[0].scope == "worker":
        for row in family:
            yield row.labels, row_cell(row), row
        return
    names = list(origins[:metrics_origins_max])
    if len(origins) > metrics_origins_max:
        names.append(OTHER_ORIGIN)
    for index, name in enumerate(names):
        for row in family:
            yield {"origin": name, **row.labels}, row_cell(row, index), row


def _histogram(row: Row, labels: dict[str, str], cells: Sequence[int]) -> Iterator[str]:
    """The fine buckets cumulated, shown at a few bounds: powers of two in µs, where buckets end, so nothing is guessed."""
    counts = list(accumulate(cells[:_BUCKET_COUNT]))
    for bound, last in _BOUNDS:
        yield f"{row.metric}_bucket{_braces({**labels, 'le': bound})} {counts[last]}"
    yield f"{row.metric}_sum{_braces(labels)} {_seconds(cells[_BUCKET_COUNT])}"
    yield f"{row.metric}_count{_braces(labels)} {counts[-1]}"


def _seconds(us: int) -> str:
    """Exact, without a float on the way: 1024 → "0.001024"."""
    return f"{us // 1_000_000}.{us % 1_000_000:06}".rstrip("0").rstrip(".")


# For each bound that is shown, the last of the fine buckets below it.
_BOUNDS = [(_seconds(1 << exponent), bucket_bounds_us().index(1 << exponent)) for exponent in BOUNDS_LOG2_US]
_BOUNDS.append(("+Inf", -1))


def _braces(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
