"""From tables of plain values to the structs of the schema, with every mismatch reported and none raised."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct

from fastedge.config.document import BARE_KEY
from fastedge.config.problems import Problems, shown
from fastedge.config.schema import SECTIONS
from fastedge.config.values import KINDS, parse_name
from fastedge.limits import config_name_chars_max

_S = TypeVar("_S", bound=Struct)


class Field(NamedTuple):
    """One key of a section, taken apart: `type` is that of one value, also where a list of them is asked."""

    name: str
    annotation: Any
    type: Any
    many: bool
    default: Any
    meta: Meta

    @property
    def required(self) -> bool:
        return self.default is NODEFAULT

    @property
    def restart(self) -> bool:
        return bool(self.meta.extra and self.meta.extra.get("restart"))


def _field(info: msgspec.structs.FieldInfo) -> Field:
    value_type, meta = get_args(info.type)
    if type(None) in get_args(value_type):
        value_type = next(part for part in get_args(value_type) if part is not type(None))
    many = get_origin(value_type) is tuple
    if many:
        value_type = get_args(value_type)[0]
    return Field(info.name, info.type, value_type, many, info.default, meta)


FIELDS: Mapping[type[Struct], tuple[Field, ...]] = MappingProxyType(
    {section.type: tuple(map(_field, msgspec.structs.fields(section.type))) for section in SECTIONS.values()}
)


def read_section(section: type[_S], table: object, key: str, base: str, problems: Problems) -> _S | None:
    """One section. A key that is broken keeps its default, so that what follows from the rest is still checked.

    None if a key without default is missing or broken, or if this is no table at all.
    """
    if not isinstance(table, dict):
        problems.mismatch(key, table, "a table")
        return None
    fields = FIELDS[section]
    names = [field.name for field in fields]
    for name in table:
        if name not in names:
            problems.unknown(dotted(key, name), name, "key", names)
    values = {}
    for field in fields:
        path = dotted(key, field.name)
        if field.name in table:
            value = _read_field(field, table[field.name], path, base, problems)
            if value is not None:
                values[field.name] = value
        elif field.required:
            problems.add(path, f"missing, expected {expected_of(field)}")
    if any(field.required and field.name not in values for field in fields):
        return None
    return section(**values)


def read_named(
    section: type[_S], tables: object, key: str, count_max: int, base: str, problems: Problems
) -> Mapping[str, _S]:
    """The sections below a key, by name: `[origins.main]`, `[origins.other]`."""
    if not isinstance(tables, dict):
        problems.mismatch(key, tables, f"tables with a name ([{key}.NAME])")
        return MappingProxyType({})
    if len(tables) > count_max:
        problems.add(key, f"found {len(tables)} tables, expected at most {count_max}")
        return MappingProxyType({})
    read = {}
    for name, table in tables.items():
        path = dotted(key, name)
        try:
            parse_name(name, base)
        except ValueError as expected:
            problems.add(path, f"expected as name {expected}")
        value = read_section(section, table, path, base, problems)
        if value is not None:
            read[name] = value
    return MappingProxyType(read)


def read_array(
    section: type[_S], tables: object, key: str, count_max: int, base: str, problems: Problems
) -> dict[int, _S]:
    """The sections of an array of tables (`[[sites]]`) that could be read, by position."""
    if not isinstance(tables, list):
        problems.mismatch(key, tables, f"an array of tables ([[{key}]])")
        return {}
    if len(tables) > count_max:
        problems.add(key, f"found {len(tables)} tables, expected at most {count_max}")
        return {}
    read = {i: read_section(section, table, f"{key}[{i}]", base, problems) for i, table in enumerate(tables)}
    return {i: value for i, value in read.items() if value is not None}


def dotted(key: str, name: str) -> str:
    """The path of `name` below `key`, quoted as TOML would want it, and short."""
    if not BARE_KEY.fullmatch(name) or len(name) > config_name_chars_max:
        name = shown("", name)
    return f"{key}.{name}" if key else name


def expected_of(field: Field) -> str:
    """What a key takes, in words."""
    one = _expected_one(field)
    if not field.many:
        return one
    low, high = field.meta.min_length or 0, field.meta.max_length
    return f"a list of {low} to {high}, each {one}"


def _expected_one(field: Field) -> str:
    if field.type is int:
        return f"an integer from {field.meta.ge} to {field.meta.le}"
    if field.type is bool:
        return "true or false"
    try:
        KINDS[field.type].parse(None, "")
    except ValueError as expected:
        return str(expected)
    raise AssertionError(f"{field.type} takes nothing")


def _read_field(field: Field, value: object, key: str, base: str, problems: Problems) -> Any:
    """The value of a key, or None if it cannot be used."""
    if not field.many:
        return _read_one(field, value, key, base, problems)
    low, high = field.meta.min_length or 0, field.meta.max_length or 0
    if not isinstance(value, list):
        problems.mismatch(key, value, expected_of(field))
        return None
    if not low <= len(value) <= high:
        problems.add(key, f"found a list of {len(value)}, expected {expected_of(field)}")
        return None
    read = [_read_one(field, one, f"{key}[{i}]", base, problems) for i, one in enumerate(value)]
    return None if None in read else tuple(read)


def _read_one(field: Field, value: object, key: str, base: str, problems: Problems) -> Any:
    try:
        if field.type in KINDS:
            return KINDS[field.type].parse(value, base)
        return msgspec.convert(value, field.annotation)
    except msgspec.ValidationError:
        problems.mismatch(key, value, _expected_one(field))
    except ValueError as expected:
        problems.mismatch(key, value, str(expected))
    return None
