"""From the bytes of edge.toml and `--set` options to one document of plain values; what they mean is not known here."""

import re
import tomllib
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from fastedge.config.problems import ConfigErrors, Problem
from fastedge.limits import config_bytes_max

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_WORD = re.compile(r"[^\s\"'\[\]{}=,#][^\n\r\"'{}=,#]*")


def parse_document(data: bytes, file: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises ConfigErrors with the line where it is not TOML."""
    if len(data) > config_bytes_max:
        raise ConfigErrors([Problem(file, "", f"larger than {config_bytes_max} bytes")])
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigErrors([Problem(file, "", f"not UTF-8 at byte {error.start}")]) from None
    except ValueError as error:  # TOMLDecodeError, and integers of more digits than Python reads
        raise ConfigErrors([Problem(file, "", f"not TOML: {error}")]) from None
    except RecursionError:
        raise ConfigErrors([Problem(file, "", "not TOML: nested too deeply")]) from None


def override_key(option: str) -> str:
    """The dotted key of an option `key=value`."""
    return option.partition("=")[0].strip()


def apply_overrides(document: dict[str, Any], options: Iterable[str]) -> dict[str, Any]:
    """A document with every option `server.workers=1` in force; the given one stays as it is.

    A value is what TOML says it is; a bare word is a string. Raises ConfigErrors for all options that cannot be used.
    """
    options = tuple(options)
    if not options:
        return document
    document = deepcopy(document)
    problems = []
    for option in options:
        try:
            _override(document, option)
        except ValueError as why:
            problems.append(Problem("--set", override_key(option), str(why)))
    if problems:
        raise ConfigErrors(problems)
    return document


def _override(document: dict[str, Any], option: str) -> None:
    key, equals, text = option.partition("=")
    *tables, last = key.strip().split(".")
    if not equals or not all(BARE_KEY.fullmatch(part) for part in (*tables, last)):
        raise ValueError("expected KEY=VALUE, such as server.workers=1")
    value = _value(text.strip())
    for part in tables:
        document = document.setdefault(part, {})
        if not isinstance(document, dict):
            raise ValueError(f"{part} is not a table")
    document[last] = value


def _value(text: str) -> object:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        if not _BARE_WORD.fullmatch(text):
            raise ValueError("the value is neither TOML nor a bare word") from None
        return text
    if parsed.keys() != {"value"}:  # a line end smuggled in more keys
        raise ValueError("expected one value")
    return parsed["value"]
