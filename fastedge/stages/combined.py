"""AnyOf and AllOf: gates out of gates, where one kind of credential is not the only one, or not enough.

Options stand here; what happens on each request is `_core.combinedgates`.
"""

from typing import Any

from fastedge._core.combinedgates import AllGate, AnyGate
from fastedge._core.gate import Gate
from fastedge.errors import ConfigError


class AnyOf:
    """One of several credentials: the first gate, in order, whose credential is shown decides.

    A credential that is shown and no good is refused; a later one does not make up for it.
    """

    on_error = "fail_closed"

    def __init__(self, *gates: Any) -> None:
        self._gates = _gates("AnyOf", gates)

    def bind(self, snapshot: Any) -> AnyGate:
        return AnyGate("AnyOf", _bound("AnyOf", self._gates, snapshot))


class AllOf:
    """Every one of several credentials. `ctx.claims` are those of all; of two of one name, the first gate's."""

    on_error = "fail_closed"

    def __init__(self, *gates: Any) -> None:
        self._gates = _gates("AllOf", gates)

    def bind(self, snapshot: Any) -> AllGate:
        gates = _bound("AllOf", self._gates, snapshot)
        told = [name for gate in gates for name in gate.reserved_fields]
        for name in told:
            if told.count(name) > 1:
                raise ConfigError(f"AllOf(...): two gates forward a claim as {name!r}")
        return AllGate("AllOf", gates)


def _gates(stage: str, gates: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(gates) < 2:
        raise ConfigError(f"{stage}(...): at least two gates are expected, such as JwtAuth(...) and ApiKeyAuth(...)")
    for gate in gates:
        if isinstance(gate, type) or not hasattr(gate, "bind"):
            raise _no_gate(stage, gate)
    return gates


def _bound(stage: str, gates: tuple[Any, ...], snapshot: Any) -> list[Gate]:
    bound: list[Gate] = []
    for gate in gates:
        one = gate.bind(snapshot)
        if not isinstance(one, Gate):
            raise _no_gate(stage, gate)
        if one.stranger is not None:
            raise ConfigError(f"{stage}(...): a gate that is optional lets in whoever the others would refuse")
        bound.append(one)
    return bound


def _no_gate(stage: str, found: object) -> ConfigError:
    name = found.__name__ if isinstance(found, type) else type(found).__name__
    return ConfigError(f"{stage}(...): {name} is no gate: JwtAuth, ApiKeyAuth, BasicAuth, SignedUrl, AnyOf, AllOf are")
