"""docs/tokens.md names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| (?!paragraph|matter)(.+) \| (.+) \| (.+) \|$", (ROOT / "docs/tokens.md").read_text(), re.MULTILINE
)


@cache
def functions_in(path: str) -> set[str]:
    return {node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)}


def test_each_row_names_tests_that_exist() -> None:
    assert len(ROWS) > 45
    for paragraph, _, shown_by in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", shown_by)
        assert named, paragraph
        for path, test in named:
            assert test in functions_in(path), f"{path}::{test}"
