"""docs/caching.md names tests that exist, and reasons that are given."""

import ast
import re
from pathlib import Path

from fastedge.caching.storing import REASONS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/caching.md").read_text()
BEFORE, _, REASONS_ON = TEXT.partition("## Why a response is not stored")
ROWS = re.findall(r"^\| (?!paragraph)(.+) \| (.+) \| (.+) \|$", BEFORE, re.MULTILINE)


def functions_in(path):
    return {node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)}


def test_each_row_names_tests_that_exist():
    assert len(ROWS) > 50
    for paragraph, _, shown_by in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", shown_by)
        assert named, paragraph
        for path, test in named:
            assert test in functions_in(path), f"{path}::{test}"


def test_each_reason_has_a_row():
    rows = re.findall(r"^\| (`.+`) \| ", REASONS_ON, re.MULTILINE)
    assert re.findall(r"`(\w+)`", ", ".join(rows)) == list(REASONS)
