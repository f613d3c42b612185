"""Require: what the claims that a gate has verified have to say; else 403.

Options stand here; what happens on each request is `_core.requirestage`.
"""

from collections.abc import Collection, Mapping
from typing import Any

from fastedge._core.gate import Refusal
from fastedge._core.requirestage import ClaimRule, RequireStage
from fastedge.errors import ConfigError
from fastedge.limits import require_values_max
from fastedge.stages.options import Options

Claim = str | tuple[str, ...]  # a name, or the way through objects: ("realm_access", "roles")
Value = str | int | float | bool


class Require:
    """Claims that a request must have; every rule that is given has to hold. Stands behind the gate that verifies them.

    | option | holds when |
    |---|---|
    | `scopes=["orders:read"]` | all of them are in `scope` or `scp`: an array, or words (RFC 8693 §4.2) |
    | `roles=["admin", "ops"]` | one of them is in `roles` or `role` (or in `roles_claim`), an array or one text |
    | `equals={"tenant": "acme"}` | the claim is exactly that |
    | `one_of={"plan": ["gold", "silver"]}` | the claim is one of them |
    | `contains={"groups": "staff"}` | the claim is an array that holds it; a list: all of it |

    Types count: `True` is not 1, "1" is not 1. A claim is a name, or a tuple of names into objects.
    """

    on_error = "fail_closed"

    def __init__(
        self,
        *,
        scopes: Collection[str] = (),
        roles: Collection[str] = (),
        roles_claim: Claim | None = None,
        equals: Mapping[Claim, Value] | None = None,
        one_of: Mapping[Claim, Collection[Value]] | None = None,
        contains: Mapping[Claim, Value | Collection[Value]] | None = None,
    ) -> None:
        options = self._options = Options("Require")
        rules: list[ClaimRule] = []
        if options.texts("scopes", scopes):
            refusal = Refusal("Require", "scopes", 403, ['Bearer error="insufficient_scope"'])
            rules.append(ClaimRule("all_in", [("scope",), ("scp",)], scopes, refusal, splits=True))
        if options.texts("roles", roles):
            paths = [("roles",), ("role",)] if roles_claim is None else [self._path("roles_claim", roles_claim)]
            rules.append(ClaimRule("any_in", paths, roles, _refusal("roles", None)))
        elif roles_claim is not None:
            raise options.error("roles_claim", "needs roles")
        for option, relation, given in (
            ("equals", "is_one_of", {claim: [value] for claim, value in self._mapping("equals", equals).items()}),
            ("one_of", "is_one_of", self._mapping("one_of", one_of)),
            ("contains", "contains", {c: _listed(v) for c, v in self._mapping("contains", contains).items()}),
        ):
            for claim, values in given.items():
                rules.append(self._rule(option, relation, claim, values))
        if not rules:
            raise ConfigError("Require() without a rule lets everyone with claims in; say what is required")
        self._rules = rules

    def bind(self, snapshot: Any) -> RequireStage:
        return RequireStage(self._rules, _refusal("no_claims", None))

    def _rule(self, option: str, relation: str, claim: Claim, values: Any) -> ClaimRule:
        path = self._path(option, claim)
        if isinstance(values, str) or not isinstance(values, Collection) or not 0 < len(values) <= require_values_max:
            raise self._options.error(option, f"1 to {require_values_max} values are expected for {claim!r}")
        for value in values:
            if not isinstance(value, str | int | float):
                raise self._options.error(option, f"texts, numbers, True or False are expected, not {value!r}")
        return ClaimRule(relation, [path], values, _refusal(option, ".".join(path)))

    def _mapping(self, option: str, value: object) -> Mapping[Any, Any]:
        if value is not None and not isinstance(value, Mapping):
            raise self._options.error(option, '{"claim": …} is expected')
        return value or {}

    def _path(self, option: str, claim: object) -> tuple[str, ...]:
        return self._options.text_list(option, [claim] if isinstance(claim, str) else claim) or self._empty(option)

    def _empty(self, option: str) -> tuple[str, ...]:
        raise self._options.error(option, "a claim has a name")


def _refusal(reason: str, claim: str | None) -> Refusal:
    return Refusal("Require", reason if claim is None else f"{reason} {claim}", 403)


def _listed(value: Any) -> Any:
    return value if isinstance(value, Collection) and not isinstance(value, str) else [value]
