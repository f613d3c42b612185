"""What is done with verified claims: made unchangeable for policies, and spelled as fields for an origin.

Never lets a claim's text become a control character, a line break or a second field.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from fastedge.limits import token_claim_depth_max


def read_only(claims: dict[str, Any]) -> tuple[Mapping[str, Any], int] | None:
    """The claims as a read-only mapping (arrays as tuples, objects as such mappings) and how many values they hold.

    Takes the dictionary over. None when arrays and objects lie deeper than `token_claim_depth_max`.
    """
    count = len(claims)
    for name, value in claims.items():
        if type(value) is list or type(value) is dict:
            frozen, inner = _freeze(value, token_claim_depth_max)
            if inner < 0:
                return None
            claims[name] = frozen
            count += inner
    return MappingProxyType(claims), count


def _freeze(value: Any, depth: int) -> tuple[Any, int]:
    """(read-only value, values inside); a negative count when it is too deep."""
    if type(value) is not list and type(value) is not dict:
        return value, 0
    if depth == 0:
        return None, -1
    inside = value.values() if isinstance(value, dict) else value
    parts = [_freeze(one, depth - 1) for one in inside]
    count = -1 if any(inner < 0 for _, inner in parts) else sum(inner for _, inner in parts) + len(parts)
    frozen = tuple(part for part, _ in parts)
    return MappingProxyType(dict(zip(value, frozen, strict=True))) if isinstance(value, dict) else frozen, count


def field_value(claim: Any) -> str:
    """A claim as the value of a field: printable ASCII, nothing around it that a recipient would trim.

    A string stands as it is, with "%", spaces at its ends and all that is not printable ASCII percent-encoded as UTF-8
    (RFC 3986 §2.1), so that decoding once gives back exactly that string. Anything else is compact JSON in ASCII.
    """
    if type(claim) is not str:
        return json.dumps(claim, separators=(",", ":"))
    if claim.isascii() and claim.isprintable() and "%" not in claim and claim == claim.strip(" "):
        return claim
    inner = claim.strip(" ")
    before = len(claim) - len(claim.lstrip(" ")) if inner else 0
    after = len(claim) - len(inner) - before
    return "%20" * before + quote(inner, safe=_PRINTABLE) + "%20" * after


_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
