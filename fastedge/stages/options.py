"""Options that several stages have, checked in the same words. Each raises ConfigError that names stage and option."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

from fastedge._core.credential import CredentialSource
from fastedge._core.message import Plan
from fastedge.errors import ConfigError, StageError
from fastedge.identity.claims import field_value
from fastedge.limits import token_claim_field_bytes_max

Made = TypeVar("Made")


class Options:
    """Checks the options of one stage. No message repeats a value that could be a secret in the place of a name."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def error(self, option: str, problem: str) -> ConfigError:
        return ConfigError(f"{self._stage}({option}=...): {problem}")

    def text(self, option: str, value: object) -> str:
        if not isinstance(value, str) or not value:
            found = type(value).__name__ if value else "nothing"
            raise self.error(option, f"a text is expected, not {found}")
        return value

    def texts(self, option: str, values: object) -> frozenset[str]:
        return frozenset(self.text_list(option, values))

    def text_list(self, option: str, values: object) -> tuple[str, ...]:
        if isinstance(values, str) or not isinstance(values, Collection):
            raise self.error(option, f"a list of texts is expected, not {values!r}")
        return tuple(self.text(option, value) for value in values)

    def flag(self, option: str, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.error(option, f"True or False is expected, not {value!r}")
        return value

    def number(self, option: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.error(option, f"a number from {low} to {high} is expected, not {value!r}")
        return value

    def realm(self, value: object) -> str:
        realm = self.text("realm", value)
        if not (realm.isascii() and realm.isprintable()) or '"' in realm or "\\" in realm:
            raise self.error("realm", f"printable ASCII without quotes is expected, not {value!r}")
        return realm

    def made(self, option: str, make: Callable[[], Made]) -> Made:
        """What `make` gives; what it objects to with a ValueError or StageError is the option's fault."""
        try:
            return make()
        except (StageError, ValueError) as error:
            raise self.error(option, str(error)) from None

    def places(self, option: str, value: object, *, scheme: str) -> tuple[CredentialSource, ...]:
        """Where a credential may stand, in order."""
        texts = self.text_list(option, [value] if isinstance(value, str) else value)
        if not texts or len(set(texts)) < len(texts):
            raise self.error(option, "at least one place, each once")
        return tuple(self.made(option, partial(CredentialSource, text, scheme=scheme)) for text in texts)

    def named(self, option: str, name: str, known: Mapping[str, Any], section: str) -> Any:
        """What of the configuration stands under that name."""
        found = known.get(name)
        if found is None:
            names = ", ".join(sorted(known)) or "none"
            raise ConfigError(f"{self._stage}({option}={name!r}): there is no [{section}.{name}]; known: {names}")
        return found

    def forwarded(self, forward_claims: object, key_claims: object) -> tuple["Forwarded", ...]:
        """`forward_claims` maps claims to fields for the origin; those in `key_claims` are in the cache key."""
        if not isinstance(forward_claims, Mapping):
            raise self.error("forward_claims", '{"claim": "field"} is expected')
        keyed = self.texts("key_claims", key_claims)
        rows = [
            Forwarded(self.text("forward_claims", claim), self.text("forward_claims", name).lower(), claim in keyed)
            for claim, name in forward_claims.items()
        ]
        for claim in keyed - {row.claim for row in rows}:
            raise self.error("key_claims", f"{claim!r} is not in forward_claims")
        for row in rows:
            self._check_field(row.field, [other.field for other in rows])
        return tuple(rows)

    def _check_field(self, name: str, fields: list[str]) -> None:
        self.made("forward_claims", lambda: Plan().remove_header(name))
        if name in ("authorization", "cookie") or fields.count(name) > 1:
            raise self.error("forward_claims", f"two things cannot both be {name!r}")


class Forwarded(NamedTuple):
    """A claim that the origin is told: in which field (lower-case), and whether it is in the cache key."""

    claim: str
    field: str
    keyed: bool


def claim_fields(rows: tuple[Forwarded, ...], claims: Mapping[str, Any]) -> list[tuple[str, str, bool]] | None:
    """What the origin is told, (field, value, keyed); None when a value is too long."""
    fields = [
        (row.field, field_value(claims[row.claim]), row.keyed) for row in rows if claims.get(row.claim) is not None
    ]
    return None if any(len(text) > token_claim_field_bytes_max for _, text, _ in fields) else fields
