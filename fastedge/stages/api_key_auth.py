"""ApiKeyAuth: nobody without a key that was given to them gets further. Fails closed, always."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from fastedge._core.apikeygate import ApiKeyGate
from fastedge._core.gate import Admission
from fastedge.identity.api_keys import ApiKeys, Consumer
from fastedge.identity.keys import KeySet
from fastedge.stages.options import Options, claim_fields


class Snapshot(Protocol):
    """What of a configuration this stage resolves its names in."""

    @property
    def keys(self) -> Mapping[str, Any]: ...
    @property
    def credentials(self) -> Mapping[str, Any]: ...


class ApiKeyAuth:
    """Lets those pass who show a key of `credentials`; sets `ctx.claims` to their name (`sub`) and claims; else 401.

    `key_from` says where it may stand, in order: "header:NAME", "query:NAME", "cookie:NAME", or "header" (that is
    `Authorization: ApiKey …`). `pepper` names a secret without which the hashes are worth nothing. All options and
    reasons: docs/stages/api_key_auth.md.
    """

    on_error = "fail_closed"

    def __init__(
        self,
        *,
        credentials: str,
        key_from: str | Collection[str] = "header:x-api-key",
        pepper: str | None = None,
        realm: str = "edge",
        forward_key: bool = False,
        forward_claims: Mapping[str, str] | None = None,
        key_claims: Collection[str] = (),
    ) -> None:
        options = self._options = Options("ApiKeyAuth")
        self._credentials = options.text("credentials", credentials)
        self._sources = options.places("key_from", key_from, scheme="apikey")
        self._pepper = None if pepper is None else options.text("pepper", pepper)
        self._realm = options.realm(realm)
        self._forward_key = options.flag("forward_key", forward_key)
        self._forward = options.forwarded(forward_claims or {}, key_claims)
        if forward_key and any(source.text.startswith("query:") for source in self._sources):
            raise options.error("forward_key", "a key in the query is never forwarded: it would be in the cache key")

    def bind(self, snapshot: Snapshot) -> ApiKeyGate:
        """The gate for this snapshot's keys, with what each consumer is admitted as."""
        known = self._options.named("credentials", self._credentials, snapshot.credentials, "credentials")
        if not isinstance(known, ApiKeys):
            raise self._options.error("credentials", f"[credentials.{self._credentials}] holds users, not API keys")
        admissions = {consumer.name: self._admission(consumer) for consumer, _ in known.grants.values()}
        return ApiKeyGate(
            list(self._sources),
            known.hashing(self._secret(snapshot)),
            {digest: (admissions[consumer.name], expires) for digest, (consumer, expires) in known.grants.items()},
            stage="ApiKeyAuth",
            realm=self._realm,
            forward_key=self._forward_key,
            claim_fields=[row.field for row in self._forward],
        )

    def _admission(self, consumer: Consumer) -> Admission:
        fields = claim_fields(self._forward, consumer.claims)
        if fields is None:
            raise self._options.error("forward_claims", f"a claim of {consumer.name} is too long for a field")
        return Admission(consumer.claims, fields, any(not keyed for _, _, keyed in fields))

    def _secret(self, snapshot: Snapshot) -> bytes | None:
        if self._pepper is None:
            return None
        keys = self._options.named("pepper", self._pepper, snapshot.keys, "keys")
        if not isinstance(keys, KeySet) or keys.secret is None:
            raise self._options.error("pepper", f"[keys.{self._pepper}] is no secret_env or secret_file")
        return keys.secret
