"""docs/observability.md says what the code does: its tables are those that the code is made from."""

import json
from itertools import groupby
from pathlib import Path

import pytest

from fastedge import limits
from fastedge._core.accesslog import FIELDS
from fastedge._core.metrics import BOUNDS_LOG2_US, TABLE
from fastedge.server.prometheus import EXPERIMENT_GAUGES

DOCS = Path(__file__).parents[2] / "docs" / "observability.md"


def metric_rows():
    """One line of the table for each metric: its labels with their values, its type, its help."""
    for metric, rows in groupby((row for row in TABLE if row.kind != "state"), key=lambda row: row.metric):
        family = list(rows)
        labels = ["`origin`"] if family[0].scope == "origin" else []
        for name in family[0].labels:
            labels.append(f"`{name}`: " + " ".join(f"`{row.labels[name]}`" for row in family))
        yield f"| `{metric}` | {family[0].kind} | {'; '.join(labels) or 'none'} | {family[0].help} |"
    for metric, help, _ in EXPERIMENT_GAUGES:
        yield f"| `{metric}` | gauge | `experiment` | {help} |"


def test_table_of_metrics_is_that_of_the_code():
    text = DOCS.read_text()
    documented = [line for line in text.splitlines() if line.startswith("| `fastedge_")]
    assert documented == list(metric_rows())


def test_table_of_log_fields_is_that_of_the_code():
    text = DOCS.read_text()
    table = text.partition("| field | type | present | meaning |")[2].partition("\n\n")[0]
    documented = [line for line in table.splitlines() if line.startswith("| `")]
    assert documented == [f"| `{name}` | {kind} | {presence} | {meaning} |" for name, kind, presence, meaning in FIELDS]


def test_line_shown_has_the_fields_in_their_order():
    example = json.loads(DOCS.read_text().partition("```json\n")[2].partition("\n```")[0])
    names = [name for name, *_ in FIELDS]
    assert list(example) == [name for name in names if name in example]
    assert set(example) >= {name for name, _, presence, _ in FIELDS if presence in ("always", "or null")}


def test_bounds_of_histograms_are_those_of_the_code():
    bounds = ", ".join(f"{(1 << exponent) / 1e6:.6f}".rstrip("0").rstrip(".") for exponent in BOUNDS_LOG2_US)
    assert f"    {bounds}\n" in DOCS.read_text()


@pytest.mark.parametrize(
    "name",
    [name for name in vars(limits) if name.startswith(("log_", "metrics_"))],
)
def test_every_bound_is_named_with_its_value(name):
    assert f"| `{name}` | {getattr(limits, name):,} |" in DOCS.read_text()
