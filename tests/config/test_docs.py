"""docs/configuration.md and the JSON Schema say what the schema says."""

import json
import re
from pathlib import Path

import pytest

from fastedge.config import load
from fastedge.config.reference import documented, json_schema, main, with_tables
from fastedge.config.schema import SECTIONS
from fastedge.config.sections import FIELDS

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_docs_tables_are_those_of_the_schema():
    text = DOCS.read_text()
    assert with_tables(text) == text, "run: python -m fastedge.config.reference docs/configuration.md"


def test_docs_hold_every_section_in_its_order():
    assert documented(DOCS.read_text()) == list(SECTIONS)
    headings = re.findall(r"^## \[+(\w+)", DOCS.read_text(), re.MULTILINE)
    assert headings == list(SECTIONS)


def test_docs_example_is_a_whole_configuration(sources):
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert load(sources(example)).server.default_origin == "main"


def test_docs_messages_are_those_that_come(problems):
    (messages,) = re.findall(r"```\n(edge\.toml.*?)```", DOCS.read_text(), re.DOTALL)
    text = '[server]\nwrkers = 1\n[origins.main]\nservers = ["http://a"]\nconnect_timeout_ms = "1s"\n'
    said = problems(text + '[policy]\nfile = "policies/shop.py"')
    assert [line.replace(": not read", ": no such file or directory") for line in said] == messages.splitlines()


def test_tables_are_written_into_a_file(tmp_path):
    path = tmp_path / "a.md"
    path.write_text("before\n<!-- keys of log -->\nold\n<!-- end -->\nafter\n")
    assert main([str(path)]) == 0
    assert '| `access` | string | `"stdout"` |  | needs a restart |' in path.read_text()
    assert "old" not in path.read_text()


def test_json_schema_names_every_key():
    schema = json.loads(json.dumps(json_schema()))
    for name, section in SECTIONS.items():
        inner = schema["properties"][name]
        inner = inner.get("items") or inner.get("additionalProperties") or inner
        assert list(inner["properties"]) == [field.name for field in FIELDS[section.type]]
        assert inner["required"] == [field.name for field in FIELDS[section.type] if field.required]
        assert inner["additionalProperties"] is False


@pytest.mark.parametrize(
    ("section", "key", "schema"),
    [
        ("server", "workers", {"type": "integer", "minimum": 0, "maximum": 256}),
        ("policy", "file", {"type": "string"}),
    ],
)
def test_json_schema_holds_bounds(section, key, schema):
    found = json_schema()["properties"][section]["properties"][key]
    assert {name: found[name] for name in schema} == schema
    assert found["description"]
