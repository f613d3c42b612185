"""The checks of a token one by one, for `explain`. Never tells more of a token than what it was judged by, printable
and short, and nothing of a key but its `kid`.
"""

from collections.abc import Iterator
from math import inf
from typing import Any

from fastedge._core.base64url import decode
from fastedge.identity import jws
from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.rules import Rules
from fastedge.identity.strict_json import parse_object
from fastedge.limits import token_trace_chars_max

Check = tuple[str, TokenRefusal | None, str]  # its name, what it refuses, and what it saw


def trace(keys: KeySet, rules: Rules, token: bytes, now: float) -> list[tuple[str, str]]:
    """(check, outcome) in the order of the checks. One that fails is the last; its outcome ends in "(reason)"."""
    rows = []
    for name, refusal, seen in _checks(keys, rules, token, now):
        rows.append((name, seen if refusal is None else f"{seen} ({refusal.value})"))
        if refusal is not None:
            break
    return rows


def _checks(keys: KeySet, rules: Rules, token: bytes, now: float) -> Iterator[Check]:
    """Is not asked for more behind a refusal."""
    parts = jws.split(token)
    if isinstance(parts, TokenRefusal):
        yield "form", parts, f"{len(token)} bytes, {token.count(b'.') + 1} parts"
        return
    header = jws.parse_header(parts[0])
    if isinstance(header, TokenRefusal):
        yield "header", header, "cannot be used"
        return
    refusal = rules.check_header(header.algorithm, header.type)
    yield "algorithm", refusal if refusal is TokenRefusal.ALGORITHM else None, _shown(header.algorithm)
    if rules.types is not None:
        yield "type", refusal, _shown(header.type)
    key = keys.choose(header.algorithm, header.kid)
    asked = "without kid" if header.kid is None else f"kid {_shown(header.kid)}"
    if key is None:
        yield "key", TokenRefusal.NO_KEY, f"{asked}: none, or several"
        return
    yield "key", None, asked
    payload, signature = decode(parts[1]), decode(parts[2])
    if payload is None or signature is None:
        yield "encoding", TokenRefusal.MALFORMED, "not base64url"
        return
    holds = key.checks[header.algorithm](token.rpartition(b".")[0], signature)
    yield "signature", None if holds else TokenRefusal.SIGNATURE, "holds" if holds else "does not hold"
    claims = parse_object(payload)
    if claims is None:
        yield "claims", TokenRefusal.MALFORMED, "not a JSON object, too deep, or a member twice"
        return
    yield from _claim_checks(rules, claims, now)


def _claim_checks(rules: Rules, claims: dict[str, Any], now: float) -> Iterator[Check]:
    absent = [name for name in rules.required if claims.get(name) is None]
    yield "claims", rules.check_names(claims), f"without {', '.join(absent)}" if absent else f"{len(claims)} members"
    yield "iss", rules.check_issuer(claims), _shown(claims.get("iss"))
    yield "aud", rules.check_audience(claims), _shown(claims.get("aud"))
    refusal = rules.check_times(claims, now)
    culprit = _culprit(refusal, claims)
    for name in ("exp", "nbf", "iat"):
        if name in claims or name == culprit:
            yield name, refusal if name == culprit else None, _when(claims.get(name), now)


def _culprit(refusal: TokenRefusal | None, claims: dict[str, Any]) -> str | None:
    """The date that a refusal is about."""
    if refusal is TokenRefusal.INVALID_CLAIM:
        return next(name for name in ("exp", "nbf", "iat") if name in claims and _seconds(claims[name]) is None)
    if refusal is TokenRefusal.NOT_YET:
        return max(("nbf", "iat"), key=lambda name: claims.get(name, -inf))
    return None if refusal is None else "exp"


def _when(date: Any, now: float) -> str:
    seconds = _seconds(date)
    if seconds is None:
        return "absent" if date is None else f"{_shown(date)} is no date"
    away = f"{abs(seconds - now):,.0f} s" if abs(seconds - now) < _FAR_S else "ages"
    return f"in {away}" if seconds > now else f"{away} ago"


def _seconds(date: Any) -> float | None:
    try:
        return float(date) if type(date) in (int, float) else None
    except OverflowError:
        return None


def _shown(value: Any) -> str:
    """What a token says, in printable ASCII, and not too much of it."""
    text = "absent" if value is None else ascii(value)
    return text if len(text) <= token_trace_chars_max else text[:token_trace_chars_max] + "..."


_FAR_S = 1e12  # 30,000 years: nobody reads more digits
