"""Invariant: any bytes, document and option give an EdgeConfig or ConfigErrors whose every line names its place."""

import json

from hypothesis import given
from hypothesis import strategies as st

from fastedge.config import ConfigErrors, EdgeConfig, Sources, load, needs_restart, sizes
from fastedge.config.schema import SECTIONS, Shape
from fastedge.config.sections import FIELDS

scalars = st.one_of(
    st.integers(),
    st.booleans(),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        ["main", "stdout", "off", "preserve", "unix:", "unix:a", "127.0.0.1:80", "::/0", "http://a", "https://[::1]:1",
         "*.a", "a", "A.b:80", "10.0.0.0/8", "http://", "x@y"]
    ),
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcd", min_size=1), inner, max_size=3)
)


def section_tables(section):
    keys = st.sampled_from([field.name for field in FIELDS[section.type]]) | st.text("abc_é \n", min_size=1, max_size=9)
    table = st.dictionaries(keys, values, max_size=5)
    if section.shape is Shape.NAMED:
        return st.dictionaries(st.sampled_from(["main", "b", "a b", "ü"]), table | values, max_size=3) | values
    return (st.lists(table, max_size=3) | values) if section.shape is Shape.ARRAY else table | values


documents = st.fixed_dictionaries(
    {}, optional={name: section_tables(section) for name, section in SECTIONS.items()} | {"typo": values}
)


def toml(value):
    """A value as TOML; the document's tables are written as inline ones."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool | float) else str(value)


def holds(data, overrides=()):
    """Load, and check the invariant; the configuration if there is one."""
    sources = Sources("edge.toml", "/e", data, tuple(overrides), {}, {}, {})
    try:
        config = load(sources)
    except ConfigErrors as errors:
        assert errors.problems
        for line in str(errors).splitlines():
            assert line.startswith(("edge.toml: ", "--set: ", "and "))
            assert line.isprintable()
        return None
    assert isinstance(config, EdgeConfig)
    assert needs_restart(config, config) == []
    assert sizes(config, 2)
    return config


@given(st.binary(max_size=200))
def test_bytes_of_any_kind(data):
    holds(data)


@given(documents)
def test_document_of_any_shape(document):
    holds("\n".join(f"{key} = {toml(value)}" for key, value in document.items()).encode())


@given(st.lists(st.text(max_size=30) | st.builds("{}={}".format, st.sampled_from(["server.workers", "a.b", "sites"]),
                                                 st.text(max_size=20)), max_size=3))  # fmt: skip
def test_option_of_any_shape(overrides):
    holds(b'[origins.main]\nservers = ["http://a"]', overrides)


@given(st.integers(0, 256), st.sampled_from(["preserve", "origin", "a.example"]), st.booleans())
def test_document_that_is_right(workers, host, retry):
    text = f'server.workers = {workers}\n[origins.main]\nservers = ["http://a"]\nhost = "{host}"\nretry = {toml(retry)}'
    config = holds(text.encode())
    assert config is not None
    origin = config.origins["main"]
    assert (config.server.workers, origin.host, origin.retry) == (workers, host, retry)
