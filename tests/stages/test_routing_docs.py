"""The option tables of the documentation name what the constructors take, and their defaults."""

import inspect
import re
from pathlib import Path

import pytest

from fastedge import Context, Plan, Request, limits
from fastedge._core.cachestage import SOURCES
from fastedge.routing import find_loops, load_table
from fastedge.stages import CacheRules, Experiment, Personalize, Redirects, Require

DOCS = Path(__file__).parents[2] / "docs" / "stages"


@pytest.mark.parametrize(
    ("page", "stage"),
    [
        ("redirects.md", Redirects),
        ("experiment.md", Experiment),
        ("cache_rules.md", CacheRules),
        ("require.md", Require),
        ("personalize.md", Personalize),
    ],
)
def test_option_table_names_every_option_in_order(page, stage):
    table = (DOCS / page).read_text().partition("| option |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(inspect.signature(stage).parameters)


def test_documented_bounds_are_the_limits():
    redirects, experiment = (DOCS / "redirects.md").read_text(), (DOCS / "experiment.md").read_text()
    assert f"Up to {limits.redirect_rows_max:,} rows, {limits.redirect_patterns_max:,} of them patterns" in redirects
    assert f"up to {limits.redirect_source_bytes_max:,} bytes" in redirects
    assert f"patterns of up to {limits.redirect_pattern_bytes_max}" in redirects
    assert f"more than {limits.redirect_location_bytes_max // 1024} KiB" in redirects
    assert f"| {limits.experiment_cookie_max_age_s:,} |" in experiment
    assert f"more than {limits.experiment_key_bytes_max // 1024} KiB" in experiment


def test_documented_file_loads_and_has_no_loops():
    text = (DOCS / "redirects.md").read_text()
    table = load_table("moved.csv", text.partition("```csv\n")[2].partition("```")[0].encode())
    assert len(table) == 4
    assert find_loops(table) == []


def test_queries_become_what_the_table_says():
    rows = (
        (DOCS / "cache_rules.md").read_text().partition("| rules | asked by")[2].partition("\n\n")[0].splitlines()[2:]
    )
    for row in rows:
        rules, asked, becomes = re.findall(r"`([^`]+)`", row)
        ctx = Context(plan=Plan(target=asked))
        eval(f"CacheRules({rules})").bind(None).decide(Request("GET", asked), ctx)
        assert ctx.plan.target == becomes
    assert len(rows) == 4


def test_key_parts_are_all_documented():
    table = (DOCS / "cache_rules.md").read_text().partition("| part |")[2].partition("\n\n")[0]
    assert set(re.findall(r'"([a-z_]+:?)(?:[A-Z]+)?"', table)) == set(SOURCES)
