"""JwtAuth: nobody without a valid bearer token gets further (RFC 6750, RFC 7519, RFC 8725).

Fails closed and cannot be told otherwise. Options stand here; what a token must be is `identity`, what happens on each
request is `_core.jwtgate`.
"""

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from fastedge._core.gate import Admission
from fastedge._core.jwtgate import JwtGate
from fastedge._core.keyslot import KeySlot
from fastedge._core.revocations import Revocations
from fastedge._core.tokens import VerifiedTokens
from fastedge.identity.algorithms import ALGORITHMS
from fastedge.identity.judge import Judge
from fastedge.identity.jwt import Verifier
from fastedge.identity.keys import KeySet
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.rules import Rules
from fastedge.limits import (
    token_cache_entries_max,
    token_cache_mb_max,
    token_leeway_s_max,
    token_refusals_kb_max,
    token_refusals_max,
)
from fastedge.stages.options import Options


class Snapshot(Protocol):
    """What of a configuration this stage resolves its name in."""

    @property
    def keys(self) -> Mapping[str, Any]: ...
    @property
    def revocations(self) -> Revocations | None: ...


class JwtAuth:
    """Verifies a bearer token against the keys named `keys`; sets `ctx.claims`; else answers 401 (400, 503).

    `token_from` says where it may stand: "header" (Authorization), "header:NAME", "cookie:NAME", "query:NAME".
    `issuer` and `audience` are required of every token unless `require_issuer=False` or `require_audience=False`
    says otherwise; each is a string or several of which one must match. `forward_claims` maps claims to fields for the
    origin; what a client sends under those names never passes. An answer that saw a forwarded claim is not stored,
    unless that claim is in `key_claims`. `optional`: who shows no token passes, without claims. All options and
    reasons: docs/stages/jwt_auth.md.
    """

    on_error = "fail_closed"

    def __init__(
        self,
        *,
        keys: str,
        issuer: str | Collection[str] | None = None,
        audience: str | Collection[str] | None = None,
        token_from: str | Collection[str] = "header",
        algorithms: Collection[str] | None = None,
        leeway_s: float = 30,
        required: Collection[str] = (),
        types: str | Collection[str] | None = None,
        require_issuer: bool = True,
        require_audience: bool = True,
        require_expiry: bool = True,
        realm: str = "edge",
        allow_preflight: bool = False,
        optional: bool = False,
        forward_token: bool = False,
        forward_claims: Mapping[str, str] | None = None,
        key_claims: Collection[str] = (),
        cache_tokens: int = 10_000,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        options = self._options = Options("JwtAuth")
        self._keys = options.text("keys", keys)
        self._issuers = self._accepted("issuer", issuer, required=require_issuer)
        self._audiences = self._accepted("audience", audience, required=require_audience)
        self._sources = options.places("token_from", token_from, scheme="bearer")
        self._algorithms = self._known_algorithms(algorithms)
        self._leeway_s = float(options.number("leeway_s", leeway_s, 0, token_leeway_s_max))
        self._required = tuple(options.texts("required", required))
        self._types = None if types is None else self._several("types", types)
        self._require_issuer = options.flag("require_issuer", require_issuer)
        self._require_audience = options.flag("require_audience", require_audience)
        self._require_expiry = options.flag("require_expiry", require_expiry)
        self._realm = options.realm(realm)
        self._allow_preflight = options.flag("allow_preflight", allow_preflight)
        self._optional = options.flag("optional", optional)
        self._forward_token = options.flag("forward_token", forward_token)
        self._forward = options.forwarded(forward_claims or {}, key_claims)
        self._cache_tokens = int(options.number("cache_tokens", cache_tokens, 1, token_cache_entries_max))
        self._random_bytes = random_bytes
        if forward_token and any(source.text.startswith("query:") for source in self._sources):
            raise options.error("forward_token", "a token in the query is never forwarded: it would be in the key")

    def bind(self, snapshot: Snapshot) -> JwtGate:
        """The gate for this snapshot's keys, with an empty table of verified tokens."""
        keys = self._options.named("keys", self._keys, snapshot.keys, "keys")
        slot = keys if isinstance(keys, KeySlot) else KeySlot(keys)
        tokens = VerifiedTokens(self._cache_tokens, token_cache_mb_max << 20, self._random_bytes(48))

        def verifier(keys: KeySet) -> Verifier:
            return Verifier(keys, self._rules(keys, is_fetched=slot.renew is not None))

        return JwtGate(
            tokens,
            list(self._sources),
            slot,
            lambda keys: self._judge(verifier(keys), tokens),
            stage="JwtAuth",
            realm=self._realm,
            reasons={reason.value: 503 if reason is TokenRefusal.KEYS_UNAVAILABLE else 401 for reason in TokenRefusal},
            allow_preflight=self._allow_preflight,
            optional=self._optional,
            forward_token=self._forward_token,
            claim_fields=[row.field for row in self._forward],
            revocations=snapshot.revocations,
            tracer=lambda keys: verifier(keys).trace,
        )

    def _judge(self, verifier: Verifier, tokens: VerifiedTokens) -> Callable[[bytes, float], Admission | str]:
        seed = self._random_bytes(48)
        refused = VerifiedTokens(token_refusals_max, token_refusals_kb_max << 10, seed, True)
        return Judge(verifier, self._forward, tokens, refused).judge

    def _rules(self, keys: KeySet, *, is_fetched: bool) -> Rules:
        """What keys that are fetched can verify may be another algorithm tomorrow; it is never HMAC."""
        if is_fetched:
            algorithms = self._algorithms or frozenset(row.name for row in ALGORITHMS.values() if row.key_type != "oct")
        else:
            algorithms = keys.algorithms if self._algorithms is None else self._algorithms & keys.algorithms
        if not algorithms:
            can = ", ".join(sorted(keys.algorithms))
            raise self._options.error("algorithms", f"the keys {self._keys!r} can verify {can} only")
        return Rules(
            algorithms=algorithms,
            issuers=self._issuers,
            audiences=self._audiences,
            leeway_s=self._leeway_s,
            require_issuer=self._require_issuer,
            require_audience=self._require_audience,
            require_expiry=self._require_expiry,
            required=self._required,
            types=self._types,
        )

    # --- options ----------------------------------------------------------------------------------------------------

    def _accepted(self, option: str, value: object, *, required: object) -> frozenset[str] | None:
        if value is None:
            if required:
                raise self._options.error(option, f"say whom to accept, or require_{option}=False to accept anyone")
            return None
        return self._several(option, value)

    def _several(self, option: str, value: object) -> frozenset[str]:
        accepted = self._options.texts(option, [value] if isinstance(value, str) else value)
        if not accepted:
            raise self._options.error(option, "an empty list accepts nobody")
        return accepted

    def _known_algorithms(self, names: Collection[str] | None) -> frozenset[str] | None:
        if names is None:
            return None
        chosen = self._options.texts("algorithms", names)
        for name in sorted(chosen - ALGORITHMS.keys()):
            raise self._options.error("algorithms", f"{name!r} is none of {', '.join(ALGORITHMS)}")
        if not chosen:
            raise self._options.error("algorithms", "an empty list accepts nobody")
        return chosen
