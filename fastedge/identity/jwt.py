"""JSON Web Tokens: signature, then claims (RFC 7519 §7.2, RFC 8725). `now` is an argument.

Never raises for what a client sent, and never lets the token choose how it is checked.
"""

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from fastedge.identity import jws
from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.strict_json import parse_object


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token has to say beside being signed."""

    algorithms: frozenset[str]
    issuers: frozenset[str] | None  # None: any, said or not
    audiences: frozenset[str] | None
    leeway_s: float = 0.0
    require_issuer: bool = True
    require_audience: bool = True
    require_expiry: bool = True
    required: tuple[str, ...] = ()


class Verified(NamedTuple):
    """A token's claims and the time in which they hold: not_before <= now < expires, leeway included."""

    claims: dict[str, Any]
    not_before: float
    expires: float


def verify(token: bytes, keys: KeySet, rules: Rules, now: float) -> Verified | TokenRefusal:
    """The claims of a token that `keys` signed and `rules` accept at `now` (Unix seconds); or why not."""
    parts = jws.parse(token)
    if isinstance(parts, TokenRefusal):
        return parts
    if parts.algorithm not in rules.algorithms:
        return TokenRefusal.ALGORITHM
    key = keys.choose(parts.algorithm, parts.kid)
    if key is None:
        return TokenRefusal.NO_KEY
    if not key.checks[parts.algorithm](parts.signing_input, parts.signature):
        return TokenRefusal.SIGNATURE
    claims = parse_object(parts.payload)
    if claims is None:
        return TokenRefusal.MALFORMED
    return _check_parties(claims, rules) or _check_times(claims, rules, now)


def _check_parties(claims: dict[str, Any], rules: Rules) -> TokenRefusal | None:
    for name in rules.required:
        if claims.get(name) is None:
            return TokenRefusal.MISSING_CLAIM
    return _check_issuer(claims, rules) or _check_audience(claims, rules) or _check_texts(claims)


def _check_issuer(claims: dict[str, Any], rules: Rules) -> TokenRefusal | None:
    issuer = claims.get("iss")
    if issuer is None:
        return TokenRefusal.MISSING_CLAIM if rules.require_issuer else None
    if type(issuer) is not str:
        return TokenRefusal.INVALID_CLAIM
    return None if rules.issuers is None or issuer in rules.issuers else TokenRefusal.ISSUER


def _check_audience(claims: dict[str, Any], rules: Rules) -> TokenRefusal | None:
    audience = claims.get("aud")
    if audience is None:
        return TokenRefusal.MISSING_CLAIM if rules.require_audience else None
    if type(audience) is str:
        audience = (audience,)
    elif type(audience) is not list or not all(type(one) is str for one in audience):
        return TokenRefusal.INVALID_CLAIM
    return None if rules.audiences is None or not rules.audiences.isdisjoint(audience) else TokenRefusal.AUDIENCE


def _check_texts(claims: dict[str, Any]) -> TokenRefusal | None:
    """RFC 7519 §4.1.2 and §4.1.7: `sub` and `jti` are strings when they are there."""
    if type(claims.get("sub", "")) is str and type(claims.get("jti", "")) is str:
        return None
    return TokenRefusal.INVALID_CLAIM


def _check_times(claims: dict[str, Any], rules: Rules, now: float) -> Verified | TokenRefusal:
    expires, not_before, issued = claims.get("exp", inf), claims.get("nbf", -inf), claims.get("iat", -inf)
    # The parser has refused what is not finite; a bool is no number here, nor is null.
    if type(expires) not in _NUMBER or type(not_before) not in _NUMBER or type(issued) not in _NUMBER:
        return TokenRefusal.INVALID_CLAIM
    if expires == inf and rules.require_expiry:
        return TokenRefusal.MISSING_CLAIM
    starts, ends = (not_before if not_before > issued else issued) - rules.leeway_s, expires + rules.leeway_s
    if now >= ends:  # RFC 7519 §4.1.4: on or after is too late
        return TokenRefusal.EXPIRED
    if now < starts:
        return TokenRefusal.NOT_YET
    return Verified(claims, starts, ends)


_NUMBER = frozenset((int, float))
