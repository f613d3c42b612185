"""JSON Web Tokens: signature, then claims (RFC 7519 §7.2, RFC 8725). `now` is an argument.

Never raises for what a client sent, and never lets the token choose how it is checked.
"""

from dataclasses import dataclass
from math import inf
from typing import Any

from msgspec import Struct

from fastedge._core.base64url import decode
from fastedge.identity import jws
from fastedge.identity.algorithms import Check
from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.strict_json import parse_object
from fastedge.limits import token_headers_learned_max


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


class Verified(Struct, frozen=True):
    """A token's claims and the time in which they hold: not_before <= now < expires, leeway included."""

    claims: dict[str, Any]
    not_before: float
    expires: float


class Verifier:
    """One key set and one set of rules. Immutable, but for a memo of the headers under which signatures were good."""

    __slots__ = ("_checks", "_keys", "_rules")

    def __init__(self, keys: KeySet, rules: Rules) -> None:
        self._keys = keys
        self._rules = rules
        # Issuers write a handful of headers. Only a header that came with a good signature is remembered, so that
        # inventions cannot fill the memo.
        self._checks: dict[bytes, Check] = {}

    def verify(self, token: bytes, now: float) -> Verified | TokenRefusal:
        """The claims of a token that the keys signed and the rules accept at `now` (Unix seconds); or why not."""
        parts = jws.split(token)
        if isinstance(parts, TokenRefusal):
            return parts
        signing_input, head, body, tail = parts
        known = self._checks.get(head)
        check = self._choose(head) if known is None else known
        if isinstance(check, TokenRefusal):
            return check
        payload, signature = decode(body), decode(tail)
        if payload is None or signature is None:
            return TokenRefusal.MALFORMED
        if not check(signing_input, signature):
            return TokenRefusal.SIGNATURE
        if known is None and len(self._checks) < token_headers_learned_max:
            self._checks[head] = check
        claims = parse_object(payload)
        if claims is None:
            return TokenRefusal.MALFORMED
        return _check_parties(claims, self._rules) or _check_times(claims, self._rules, now)

    def _choose(self, head: bytes) -> Check | TokenRefusal:
        header = jws.parse_header(head)
        if isinstance(header, TokenRefusal):
            return header
        if header.algorithm not in self._rules.algorithms:
            return TokenRefusal.ALGORITHM
        key = self._keys.choose(header.algorithm, header.kid)
        return TokenRefusal.NO_KEY if key is None else key.checks[header.algorithm]


def _check_parties(claims: dict[str, Any], rules: Rules) -> TokenRefusal | None:
    for name in rules.required:
        if claims.get(name) is None:
            return TokenRefusal.MISSING_CLAIM
    if type(claims.get("sub", "")) is not str or type(claims.get("jti", "")) is not str:
        return TokenRefusal.INVALID_CLAIM  # RFC 7519 §4.1.2 and §4.1.7
    return _check_issuer(claims, rules) or _check_audience(claims, rules)


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
        return None if rules.audiences is None or audience in rules.audiences else TokenRefusal.AUDIENCE
    if type(audience) is not list or not all(type(one) is str for one in audience):
        return TokenRefusal.INVALID_CLAIM
    return None if rules.audiences is None or not rules.audiences.isdisjoint(audience) else TokenRefusal.AUDIENCE


def _check_times(claims: dict[str, Any], rules: Rules, now: float) -> Verified | TokenRefusal:
    expires, not_before, issued = claims.get("exp", inf), claims.get("nbf", _EVER), claims.get("iat", _EVER)
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


_EVER = -inf
_NUMBER = frozenset((int, float))
