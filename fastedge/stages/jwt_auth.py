"""JwtAuth: nobody without a valid bearer token gets further (RFC 6750, RFC 7519, RFC 8725).

Fails closed and cannot be told otherwise. Options stand here; what a token must be is `identity`, what happens on each
request is `_core.jwtgate`.
"""

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from fastedge._core.jwtgate import Admission, JwtGate
from fastedge._core.message import Plan
from fastedge._core.tokens import VerifiedTokens
from fastedge.errors import ConfigError, StageError
from fastedge.identity.algorithms import ALGORITHMS
from fastedge.identity.claims import field_value, read_only
from fastedge.identity.jwt import Rules, Verifier
from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.limits import (
    token_cache_entries_max,
    token_cache_mb_max,
    token_claim_field_bytes_max,
    token_leeway_s_max,
)


class Snapshot(Protocol):
    """What of a configuration this stage resolves its name in."""

    @property
    def keys(self) -> Mapping[str, object]: ...


class JwtAuth:
    """Verifies `Authorization: Bearer` against the keys named `keys`; sets `ctx.claims`; else answers 401 (or 400).

    `issuer` and `audience` are required of every token unless `require_issuer=False` or `require_audience=False`
    says otherwise; each is a string or several of which one must match. `forward_claims` maps claims to fields for the
    origin; what a client sends under those names never passes. An answer that saw a forwarded claim is not stored,
    unless that claim is in `key_claims`. All options and reasons: docs/stages/jwt_auth.md.
    """

    on_error = "fail_closed"

    def __init__(
        self,
        *,
        keys: str,
        issuer: str | Collection[str] | None = None,
        audience: str | Collection[str] | None = None,
        algorithms: Collection[str] | None = None,
        leeway_s: float = 30,
        required: Collection[str] = (),
        require_issuer: bool = True,
        require_audience: bool = True,
        require_expiry: bool = True,
        realm: str = "edge",
        allow_preflight: bool = False,
        forward_token: bool = False,
        forward_claims: Mapping[str, str] | None = None,
        key_claims: Collection[str] = (),
        cache_tokens: int = 10_000,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keys = _text("keys", keys)
        self._issuers = _accepted("issuer", issuer, require_issuer)
        self._audiences = _accepted("audience", audience, require_audience)
        self._algorithms = _known_algorithms(algorithms)
        self._leeway_s = float(_number("leeway_s", leeway_s, 0, token_leeway_s_max))
        self._required = tuple(_texts("required", required))
        self._require_issuer = _flag("require_issuer", require_issuer)
        self._require_audience = _flag("require_audience", require_audience)
        self._require_expiry = _flag("require_expiry", require_expiry)
        self._realm = _realm(realm)
        self._allow_preflight = _flag("allow_preflight", allow_preflight)
        self._forward_token = _flag("forward_token", forward_token)
        self._forward = _fields(forward_claims or {})
        self._keyed = _texts("key_claims", key_claims)
        self._cache_tokens = int(_number("cache_tokens", cache_tokens, 1, token_cache_entries_max))
        self._random_bytes = random_bytes
        for claim in self._keyed - self._forward.keys():
            raise ConfigError(f"JwtAuth(key_claims=...): {claim!r} is not in forward_claims")

    def bind(self, snapshot: Snapshot) -> JwtGate:
        """The gate for this snapshot's keys, with an empty table of verified tokens."""
        keys = snapshot.keys.get(self._keys)
        if not isinstance(keys, KeySet):
            known = ", ".join(sorted(snapshot.keys)) or "none"
            raise ConfigError(f"JwtAuth(keys={self._keys!r}): there is no [keys.{self._keys}]; known: {known}")
        tokens = VerifiedTokens(self._cache_tokens, token_cache_mb_max << 20, self._random_bytes(48))
        return JwtGate(
            tokens,
            self._judge(keys, tokens),
            stage=type(self).__name__,
            realm=self._realm,
            allow_preflight=self._allow_preflight,
            forward_token=self._forward_token,
            claim_fields=self._forward.values(),
        )

    def _judge(self, keys: KeySet, tokens: VerifiedTokens) -> Callable[[bytes, float], Admission | str]:
        verify = Verifier(keys, self._rules(keys)).verify

        def judge(token: bytes, now: float) -> Admission | str:
            verified = verify(token, now)
            if isinstance(verified, TokenRefusal):
                return str(verified.value)
            fields = self._claim_fields(verified.claims)
            frozen = read_only(verified.claims)
            if fields is None or frozen is None:
                return str((TokenRefusal.TOO_LARGE if fields is None else TokenRefusal.MALFORMED).value)
            claims, values = frozen
            private = any(value is not None and not keyed for _, value, keyed in fields)
            admission = Admission(claims, fields, private)
            tokens.put(token, admission, verified.not_before, verified.expires, _cost_bytes(token, values, fields))
            return admission

        return judge

    def _rules(self, keys: KeySet) -> Rules:
        algorithms = keys.algorithms if self._algorithms is None else self._algorithms & keys.algorithms
        if not algorithms:
            can = ", ".join(sorted(keys.algorithms))
            raise ConfigError(f"JwtAuth(algorithms=...): the keys {self._keys!r} can verify {can} only")
        return Rules(
            algorithms=algorithms,
            issuers=self._issuers,
            audiences=self._audiences,
            leeway_s=self._leeway_s,
            require_issuer=self._require_issuer,
            require_audience=self._require_audience,
            require_expiry=self._require_expiry,
            required=self._required,
        )

    def _claim_fields(self, claims: Mapping[str, Any]) -> list[tuple[str, str | None, bool]] | None:
        """What the origin is told, and what it must not hear from the client; None when a value is too long."""
        fields: list[tuple[str, str | None, bool]] = []
        for claim, name in self._forward.items():
            value = claims.get(claim)
            text = None if value is None else field_value(value)
            if text is not None and len(text) > token_claim_field_bytes_max:
                return None
            fields.append((name, text, text is None or claim in self._keyed))
        return fields


def _cost_bytes(token: bytes, values: int, fields: list[tuple[str, str | None, bool]]) -> int:
    """An upper bound of what keeping a token takes: itself, its texts at four bytes a character, its objects."""
    return 1024 + 5 * len(token) + 256 * values + sum(128 + len(text or "") for _, text, _ in fields)


# --- options --------------------------------------------------------------------------------------------------------


def _text(option: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        found = type(value).__name__ if value else "nothing"  # not itself: it may be a secret in the place of a name
        raise ConfigError(f"JwtAuth({option}=...): a text is expected, not {found}")
    return value


def _flag(option: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"JwtAuth({option}=...): True or False is expected, not {value!r}")
    return value


def _texts(option: str, values: object) -> frozenset[str]:
    if isinstance(values, str) or not isinstance(values, Collection):
        raise ConfigError(f"JwtAuth({option}=...): a list of texts is expected, not {values!r}")
    return frozenset(_text(option, value) for value in values)


def _accepted(option: str, value: str | Collection[str] | None, required: bool) -> frozenset[str] | None:
    if value is None:
        if required:
            raise ConfigError(f"JwtAuth({option}=...): say whom to accept, or require_{option}=False to accept anyone")
        return None
    accepted = frozenset({_text(option, value)}) if isinstance(value, str) else _texts(option, value)
    if not accepted:
        raise ConfigError(f"JwtAuth({option}=...): an empty list accepts nobody")
    return accepted


def _known_algorithms(names: Collection[str] | None) -> frozenset[str] | None:
    if names is None:
        return None
    chosen = _texts("algorithms", names)
    for name in sorted(chosen - ALGORITHMS.keys()):
        raise ConfigError(f"JwtAuth(algorithms=...): {name!r} is none of {', '.join(ALGORITHMS)}")
    if not chosen:
        raise ConfigError("JwtAuth(algorithms=...): an empty list accepts nobody")
    return chosen


def _number(option: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f"JwtAuth({option}=...): a number from {low} to {high} is expected, not {value!r}")
    return value


def _realm(value: object) -> str:
    realm = _text("realm", value)
    if not (realm.isascii() and realm.isprintable()) or '"' in realm or "\\" in realm:
        raise ConfigError(f"JwtAuth(realm=...): printable ASCII without quotes is expected, not {value!r}")
    return realm


def _fields(forward: Mapping[str, str]) -> dict[str, str]:
    """Claim → lower-case name of the origin's field."""
    if not isinstance(forward, Mapping):
        raise ConfigError('JwtAuth(forward_claims=...): {"claim": "field"} is expected')
    fields = {_text("forward_claims", claim): _text("forward_claims", name).lower() for claim, name in forward.items()}
    for name in fields.values():
        try:
            Plan().remove_header(name)
        except (StageError, ValueError) as error:
            raise ConfigError(f"JwtAuth(forward_claims=...): {error}") from None
        if name == "authorization" or sum(name == other for other in fields.values()) > 1:
            raise ConfigError(f"JwtAuth(forward_claims=...): two things cannot both be {name!r}")
    return fields
