"""TOML and `--set`: what becomes of a value, and what is no document."""

import pytest

from fastedge.config import ConfigErrors
from fastedge.config.document import apply_overrides, parse_document
from fastedge.limits import config_bytes_max


def refusal(do, *arguments):
    with pytest.raises(ConfigErrors) as caught:
        do(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[server", "edge.toml: not TOML: Expected ']' at the end of a table declaration (at end of document)"),
        (b"a = 1\na = 2", "edge.toml: not TOML: Cannot overwrite a value (at end of document)"),
        (b"# \xff", "edge.toml: not UTF-8 at byte 2"),
        (b"a = " + b"[" * 50_000, "edge.toml: not TOML: nested too deeply"),
        (b"#" * (config_bytes_max + 1), "edge.toml: larger than 1048576 bytes"),
    ],
)
def test_document_broken_is_refused(data, message):
    assert refusal(parse_document, data, "edge.toml") == message


def test_document_number_of_too_many_digits_is_refused():
    assert refusal(parse_document, b"a = " + b"9" * 5000, "edge.toml").startswith("edge.toml: not TOML: ")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("a.b=1", 1),
        ("a.b = 1", 1),
        ('a.b="1"', "1"),
        ("a.b=true", True),
        ("a.b=off", "off"),
        ("a.b=127.0.0.1:8080", "127.0.0.1:8080"),
        ("a.b=policies/shop.py", "policies/shop.py"),
        ('a.b=["x", "y"]', ["x", "y"]),
        ("a.b={ c = 1 }", {"c": 1}),
    ],
)
def test_override_value_is_toml_or_a_bare_word(option, value):
    assert apply_overrides({"a": {"b": 0, "c": 1}}, [option]) == {"a": {"b": value, "c": 1}}


def test_override_leaves_the_document_alone():
    document = {"a": {"b": 0}}
    assert apply_overrides(document, ["a.b=1", "x.y.z=2", "a.b=3"]) == {"a": {"b": 3}, "x": {"y": {"z": 2}}}
    assert document == {"a": {"b": 0}}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("server.workers", "--set: server.workers: expected KEY=VALUE, such as server.workers=1"),
        ("a b=1", "--set: a b: expected KEY=VALUE, such as server.workers=1"),
        ("a..b=1", "--set: a..b: expected KEY=VALUE, such as server.workers=1"),
        ("=1", "--set: expected KEY=VALUE, such as server.workers=1"),
        ("a.b=", "--set: a.b: the value is neither TOML nor a bare word"),
        ("a.b=[1", "--set: a.b: the value is neither TOML nor a bare word"),
        ('a.b="x', "--set: a.b: the value is neither TOML nor a bare word"),
        ("a.b=1\nc = 2", "--set: a.b: expected one value"),
        ("a.b=1\n[c]", "--set: a.b: expected one value"),
        ("sites.hosts=1", "--set: sites.hosts: sites is not a table"),
    ],
)
def test_override_broken_is_refused(option, message):
    assert refusal(apply_overrides, {"sites": []}, [option]) == message


def test_override_several_broken_all_are_reported():
    assert refusal(apply_overrides, {}, ["a", "b=1", "c=["]).splitlines() == [
        "--set: a: expected KEY=VALUE, such as server.workers=1",
        "--set: c: the value is neither TOML nor a bare word",
    ]
