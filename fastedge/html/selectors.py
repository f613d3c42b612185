"""Selectors as a policy writes them: a small part of CSS, parsed once. What is not of that part is a ConfigError.

selector = compound { (" " | ">") compound }
compound = [ tag | "*" ] { "#" name | "." name | "[" name "]" | "[" name "=" (name | string) "]" }
"""

import re

from fastedge.errors import ConfigError
from fastedge.limits import html_compounds_max, html_selector_bytes_max

Test = tuple[str, bytes, bytes]  # kind, name, value
Compound = tuple[str, list[Test]]  # the combinator on its left, its tests

_NAME = r"[A-Za-z_\u0080-\U0010ffff-][\w\u0080-\U0010ffff-]*"
_TAG = re.compile(rf"\*|{_NAME}")
_SIMPLE = re.compile(
    rf"""\#(?P<id>{_NAME}) | \.(?P<class>{_NAME})
    | \[\s*(?P<attribute>{_NAME})\s*(?:=\s*(?:"(?P<double>[^"\\]*)"|'(?P<single>[^'\\]*)'|(?P<bare>{_NAME}))\s*)?\]""",
    re.VERBOSE,
)
_COMBINATOR = re.compile(r"\s*>\s*|\s+")


def parse_selector(text: str) -> list[Compound]:
    """The compounds of a selector, the rightmost first, as the core takes them."""
    rest = text.strip()
    if len(text.encode()) > html_selector_bytes_max:
        raise ConfigError(f"a selector has at most {html_selector_bytes_max} bytes: {text[:40]!r}… has more")
    compounds: list[Compound] = []
    combinator = ""
    while True:
        tests, end = _compound(rest, text)
        compounds.insert(0, (combinator, tests))
        if end == len(rest):
            break
        between = _COMBINATOR.match(rest, end)
        if between is None:
            raise _refusal(text, rest[end:])
        combinator = between.group().strip() or " "
        rest = rest[between.end() :]
    if len(compounds) > html_compounds_max:
        raise ConfigError(f"a selector has at most {html_compounds_max} parts: {text!r} has {len(compounds)}")
    return compounds


def _compound(rest: str, text: str) -> tuple[list[Test], int]:
    tests: list[Test] = []
    at = 0
    if tag := _TAG.match(rest):
        at = tag.end()
        tests.append(("tag", tag.group().lower().encode().replace(b"*", b""), b""))
    while simple := _SIMPLE.match(rest, at):
        at = simple.end()
        tests.append(_simple(simple))
    if not tests:
        raise _refusal(text, rest)
    return tests, at


def _simple(found: re.Match[str]) -> Test:
    if found["id"]:
        return "equals", b"id", found["id"].encode()
    if found["class"]:
        return "class", b"class", found["class"].encode()
    values = [value for value in (found["double"], found["single"], found["bare"]) if value is not None]
    name = found["attribute"].lower().encode()
    return ("equals", name, values[0].encode()) if values else ("present", name, b"")


def _refusal(text: str, rest: str) -> ConfigError:
    where = f"at {rest[:20]!r}" if rest else "at its end"
    return ConfigError(
        f"selector {text!r}: {where} expected a tag, #id, .class, [attribute] or "
        '[attribute="value"], joined by spaces or >'
    )
