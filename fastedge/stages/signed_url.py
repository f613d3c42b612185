"""SignedUrl: nobody gets further but by a URL that was signed for a while. Fails closed, always."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from fastedge._core.signedurlgate import SignedUrlGate
from fastedge.identity.keys import KeySet
from fastedge.identity.signed_url import is_key_id
from fastedge.limits import (
    signed_url_expires_asked_s_max,
    signed_url_expires_s_max,
    signed_url_keys_max,
    signed_url_parameters_max,
    token_leeway_s_max,
)
from fastedge.stages.options import Options


class Snapshot(Protocol):
    """What of a configuration this stage resolves its names in."""

    @property
    def keys(self) -> Mapping[str, Any]: ...


class SignedUrl:
    """Lets a URL in that `fastedge.sign_url` has signed with one of `keys` (key id → name of a secret); else 403.

    `query` names the parameters that are signed, and the others never reach the origin; None: all are. `host`,
    `address` and `method` say what else is signed. All options and reasons: docs/stages/signed_url.md.
    """

    on_error = "fail_closed"

    def __init__(
        self,
        *,
        keys: Mapping[str, str],
        query: Collection[str] | None = None,
        host: bool = True,
        address: bool = False,
        method: bool = False,
        leeway_s: float = 0,
        expires_s_max: float = signed_url_expires_s_max,
    ) -> None:
        options = self._options = Options("SignedUrl")
        self._keys = self._key_names(keys)
        self._query = None if query is None else self._parameters(query)
        self._host = options.flag("host", host)
        self._address = options.flag("address", address)
        self._method = options.flag("method", method)
        self._leeway_s = float(options.number("leeway_s", leeway_s, 0, token_leeway_s_max))
        self._expires_s_max = float(options.number("expires_s_max", expires_s_max, 1, signed_url_expires_asked_s_max))

    def bind(self, snapshot: Snapshot) -> SignedUrlGate:
        """The gate for this snapshot's secrets."""
        return SignedUrlGate(
            {key_id.encode(): self._check(name, snapshot) for key_id, name in self._keys.items()},
            stage="SignedUrl",
            query=self._query,
            host=self._host,
            address=self._address,
            method=self._method,
            leeway_s=self._leeway_s,
            expires_s_max=self._expires_s_max,
        )

    def _check(self, name: str, snapshot: Snapshot) -> Callable[[bytes, bytes], bool]:
        """HMAC-SHA-256 is what RFC 7518 calls HS256; no token begins like a text that is signed here."""
        keys = self._options.named("keys", name, snapshot.keys, "keys")
        key = keys.choose("HS256", None) if isinstance(keys, KeySet) else None
        if key is None:
            raise self._options.error("keys", f"[keys.{name}] is not one shared secret")
        return key.checks["HS256"]

    def _key_names(self, keys: object) -> dict[str, str]:
        if not isinstance(keys, Mapping) or not 0 < len(keys) <= signed_url_keys_max:
            raise self._options.error(
                "keys", f'{{"key id": "name of [keys.NAME]"}} is expected, up to {signed_url_keys_max}'
            )
        for key_id in keys:
            if not is_key_id(self._options.text("keys", key_id)):
                raise self._options.error("keys", "a key id is letters, digits, '-', '_' and '.'")
        return {key_id: self._options.text("keys", name) for key_id, name in keys.items()}

    def _parameters(self, query: object) -> frozenset[str]:
        names = self._options.texts("query", query)
        if len(names) > signed_url_parameters_max or any(set(name) & set("*&=#") for name in names):
            raise self._options.error("query", f"up to {signed_url_parameters_max} names of parameters are expected")
        return names
