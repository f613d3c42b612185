"""`[fragments.NAME]`: HTML by name, for slots that name what they show. Compressed once, when it is loaded."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastedge._core.stitch import Fragment
from fastedge.errors import ConfigError
from fastedge.limits import fragments_in_table_max, html_value_bytes_max


def load_fragments(name: str, data: bytes) -> Mapping[str, Fragment]:
    """The fragments of a file, a JSON object of texts. Raises ConfigError, a line for each that cannot be used."""
    try:
        pairs = json.loads(data.decode(), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f'{name}: expected JSON, {{"name": "<p>HTML</p>"}}: {error}') from None
    if not isinstance(pairs, _Pairs):
        raise ConfigError(f'{name}: expected an object, {{"name": "<p>HTML</p>"}}')
    if len(pairs) > fragments_in_table_max:
        raise ConfigError(f"{name}: {len(pairs)} fragments, at most {fragments_in_table_max} are allowed")
    texts: dict[str, bytes] = {}
    problems = []
    for fragment, html in pairs:
        if fragment in texts:
            problems.append(f"{name}: {fragment!r:.80}: found twice, expected once")
        elif not isinstance(html, str):
            problems.append(f"{name}: {fragment!r:.80}: expected a text")
        elif len(html.encode("utf-8", "replace")) > html_value_bytes_max:
            problems.append(f"{name}: {fragment!r:.80}: longer than {html_value_bytes_max} bytes")
        else:
            texts[fragment] = html.encode("utf-8", "replace")
    if problems:
        raise ConfigError("\n".join(problems))
    return MappingProxyType({fragment: Fragment(html) for fragment, html in texts.items()})


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written, with names that stand in it twice."""
