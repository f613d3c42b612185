"""The schema for people and editors: the tables of docs/configuration.md, and a JSON Schema of edge.toml.

python -m fastedge.config.reference docs/configuration.md     writes the tables of that file anew
"""

import re
import sys
from pathlib import Path
from typing import Any

from fastedge.config.schema import SECTIONS, Shape
from fastedge.config.sections import FIELDS, Field
from fastedge.config.values import KINDS

_BLOCK = re.compile(r"<!-- keys of (\w+) -->\n.*?<!-- end -->", re.DOTALL)
_UNITS = {"_ms": "ms", "_s": "s", "_mb": "MiB", "_mb_max": "MiB"}


def with_tables(text: str) -> str:
    """A documentation text with the table of each `<!-- keys of NAME -->` block as the schema has it now."""
    return _BLOCK.sub(lambda match: f"<!-- keys of {match[1]} -->\n{table_of(match[1])}<!-- end -->", text)


def documented(text: str) -> list[str]:
    """The sections whose tables stand in a documentation text."""
    return _BLOCK.findall(text)


def table_of(section: str) -> str:
    """The keys of one section as a Markdown table."""
    rows = ["| key | type | default | bounds | a change | |", "|---|---|---|---|---|---|"]
    for field in FIELDS[SECTIONS[section].type]:
        change = "needs a restart" if field.restart else "is live"
        cells = (f"`{field.name}`", _type(field), _default(field), _bounds(field), change, field.meta.description or "")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def json_schema() -> dict[str, Any]:
    """A JSON Schema of edge.toml, for editors; `load` checks more than it can say."""
    properties: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        schema = _section_schema(FIELDS[section.type])
        if section.shape is Shape.NAMED:
            schema = {"type": "object", "additionalProperties": schema, "maxProperties": section.count_max}
        elif section.shape is Shape.ARRAY:
            schema = {"type": "array", "items": schema, "maxItems": section.count_max}
        properties[name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "edge.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def main(arguments: list[str]) -> int:
    """Write the tables of the documentation files that are named."""
    for path in map(Path, arguments):
        path.write_text(with_tables(path.read_text()))
    return 0


def _type(field: Field) -> str:
    if field.type is int:
        unit = next((unit for suffix, unit in _UNITS.items() if field.name.endswith(suffix)), "")
        return f"integer, {unit}" if unit else "integer"
    name = "boolean" if field.type is bool else KINDS[field.type].documented
    return f"list of {name}" if field.many else name


def _default(field: Field) -> str:
    if field.required:
        return "required"
    if field.default is None:
        return "none"
    if field.many:
        return "[" + ", ".join(_toml(one) for one in field.default) + "]"
    return _toml(field.default)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value}`" if isinstance(value, int) else f'`"{value}"`'


def _bounds(field: Field) -> str:
    if field.type is int:
        return f"{field.meta.ge} to {field.meta.le}"
    return f"{field.meta.min_length or 0} to {field.meta.max_length} of them" if field.many else ""


def _section_schema(fields: tuple[Field, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {field.name: _field_schema(field) for field in fields},
        "required": [field.name for field in fields if field.required],
        "additionalProperties": False,
    }


def _field_schema(field: Field) -> dict[str, Any]:
    schema: dict[str, Any]
    if field.type is int:
        schema = {"type": "integer", "minimum": field.meta.ge, "maximum": field.meta.le}
    elif field.type is bool:
        schema = {"type": "boolean"}
    else:
        schema = dict(KINDS[field.type].schema)
    if field.many:
        schema = {
            "type": "array",
            "items": schema,
            "minItems": field.meta.min_length or 0,
            "maxItems": field.meta.max_length,
        }
    return {**schema, "description": field.meta.description}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
