"""JSON objects that two parsers cannot read differently. Never accepts a member twice (RFC 7515 §4, RFC 8725 §2.4)."""

import json
from typing import Any

import orjson


def parse_object(data: bytes) -> dict[str, Any] | None:
    """The object that `data` spells, or None when it is none, is not UTF-8, or names a member twice at any depth."""
    try:
        value = orjson.loads(data)
        # What comes out byte for byte as it went in lost no member on the way; compact writers, which nearly all
        # issuers are, never pay for the slow proof.
        if type(value) is dict and (orjson.dumps(value) == data or _is_unambiguous(data)):
            return value
    except (ValueError, TypeError, RecursionError):  # orjson.dumps raises TypeError for what lies too deep
        pass
    return None


def _is_unambiguous(data: bytes) -> bool:
    _DECODER.decode(data.decode())
    return True


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member twice")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_int=len, parse_float=len)
