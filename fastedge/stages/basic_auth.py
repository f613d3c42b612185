"""BasicAuth: nobody without a name and its password gets further (RFC 7617). Fails closed, always."""

import os
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from fastedge._core.basicgate import BasicGate
from fastedge._core.gate import Admission
from fastedge.identity.passwords import Users, split_credentials
from fastedge.limits import password_remember_s, password_remember_s_max
from fastedge.stages.options import Options, claim_fields


class Snapshot(Protocol):
    """What of a configuration this stage resolves its name in."""

    @property
    def credentials(self) -> Mapping[str, Any]: ...


class BasicAuth:
    """Lets users of `credentials` pass with their password; sets `ctx.claims` to {"sub": name}; else answers 401.

    A password that was right is remembered for `remember_s`, as a keyed digest; another is checked off the loop. All
    options and reasons: docs/stages/basic_auth.md.
    """

    on_error = "fail_closed"

    def __init__(
        self,
        *,
        credentials: str,
        realm: str = "edge",
        remember_s: float = password_remember_s,
        forward_password: bool = False,
        forward_claims: Mapping[str, str] | None = None,
        key_claims: Collection[str] = (),
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        options = self._options = Options("BasicAuth")
        self._credentials = options.text("credentials", credentials)
        self._realm = options.realm(realm)
        self._remember_s = float(options.number("remember_s", remember_s, 0, password_remember_s_max))
        self._forward_password = options.flag("forward_password", forward_password)
        self._forward = options.forwarded(forward_claims or {}, key_claims)
        self._random_bytes = random_bytes
        for row in self._forward:
            if row.claim != "sub":
                raise options.error("forward_claims", f'of a user "sub" is known, the name, and no {row.claim!r}')

    def bind(self, snapshot: Snapshot) -> BasicGate:
        """The gate for this snapshot's users, with nothing remembered."""
        users = self._options.named("credentials", self._credentials, snapshot.credentials, "credentials")
        if not isinstance(users, Users):
            raise self._options.error("credentials", f"[credentials.{self._credentials}] holds API keys, not users")
        return BasicGate(
            split_credentials,
            users.knows,
            self._admission,
            stage="BasicAuth",
            realm=self._realm,
            remember_s=self._remember_s,
            forward_password=self._forward_password,
            claim_fields=[row.field for row in self._forward],
            random_bytes=self._random_bytes,
        )

    def _admission(self, user: str) -> Admission:
        claims = MappingProxyType({"sub": user})
        fields = claim_fields(self._forward, claims)
        assert fields is not None, "a name is shorter than a field may be"
        return Admission(claims, fields, any(not keyed for _, _, keyed in fields))
