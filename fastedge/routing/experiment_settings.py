"""What may change about experiments while the edge runs: `[experiments] file`, and the slots that it is swapped into.

Nothing is half in force: a file that does not fit an experiment changes none of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from fastedge._core.bucket import Buckets
from fastedge._core.experimentslot import STATES, ExperimentSlot
from fastedge._core.exposures import Exposures
from fastedge.errors import ConfigError
from fastedge.limits import experiment_settings_max
from fastedge.routing.allocation import Allocation, allocation_of, read_allocation
from fastedge.routing.experiments import buckets_of

_KEYS = ("state", "weights", "allocation", "default")


@dataclass(frozen=True, slots=True)
class Setting:
    """One experiment's entry; what is None is as the policy has it."""

    state: str = "on"
    allocation: Allocation | None = None
    default: str | None = None


Settings = Mapping[str, Setting]
NO_SETTINGS: Settings = MappingProxyType({})


def read_settings(name: str, data: bytes) -> Settings:
    """The entries of a file. Raises ConfigError, a line for each that cannot be used; `name` is the file's."""
    try:
        document = msgspec.json.decode(data, type=dict[str, dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f'{name}: expected JSON, {{"experiment": {{"state": …}}}}: {error}') from None
    if len(document) > experiment_settings_max:
        raise ConfigError(f"{name}: {len(document)} experiments, at most {experiment_settings_max} are allowed")
    settings, problems = {}, []
    for experiment, entry in document.items():
        try:
            settings[experiment] = _setting(entry)
        except ConfigError as error:
            problems.append(f"{name}: {experiment!r:.80}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return MappingProxyType(settings)


def _setting(entry: Mapping[str, Any]) -> Setting:
    for key in entry:
        if key not in _KEYS:
            raise ConfigError(f"there is no {key!r:.80}; there are {', '.join(_KEYS)}")
    state, default = entry.get("state", "on"), entry.get("default")
    if not isinstance(state, str) or state not in STATES:
        raise ConfigError(f"state: expected one of {', '.join(STATES)}, found {state!r:.80}")
    if default is not None and not isinstance(default, str):
        raise ConfigError(f"default: expected a variant, found {default!r:.80}")
    if "weights" in entry and "allocation" in entry:
        raise ConfigError("expected one of weights and allocation: an allocation says what they come to")
    allocation = None
    if "weights" in entry:
        allocation = allocation_of(entry["weights"])
    elif "allocation" in entry:
        allocation = read_allocation(entry["allocation"])
    return Setting(state, allocation, default)


class _Bound(NamedTuple):
    slot: ExperimentSlot
    salt: str
    own: Buckets  # as the policy says it
    default: int


class ExperimentSlots:
    """The slots of one generation's experiments. `exposures` counts who is exposed; None: nobody does."""

    def __init__(self, settings: Settings = NO_SETTINGS, exposures: Exposures | None = None) -> None:
        self.exposures = exposures
        self._settings = settings
        self._bound: list[_Bound] = []

    def slot(self, name: str, salt: str, buckets: Buckets, default: str | None) -> ExperimentSlot:
        """The place of an experiment, as the settings have it now. Raises ConfigError if they do not fit it."""
        variants = buckets.variants
        row = -1 if self.exposures is None else self.exposures.row(name)
        slot = ExperimentSlot(name, buckets, row=row)
        bound = _Bound(slot, salt, buckets, -1 if default is None else variants.index(default))
        slot.swap(*_as_set(bound, self._settings))
        self._bound.append(bound)
        return slot

    def swap(self, settings: Settings) -> None:
        """All of them, from the next request on. Raises ConfigError, and changes nothing, if one does not fit."""
        swaps = [(bound.slot, _as_set(bound, settings)) for bound in self._bound]
        for slot, (buckets, state, default) in swaps:
            slot.swap(buckets, state, default)
        self._settings = settings

    def unknown(self) -> Iterator[str]:
        """The settings that no experiment has."""
        names = {bound.slot.name for bound in self._bound}
        return (name for name in self._settings if name not in names)


def _as_set(bound: _Bound, settings: Settings) -> tuple[Buckets, str, int]:
    setting = settings.get(bound.slot.name)
    if setting is None:
        return bound.own, "on", bound.default
    variants = bound.own.variants
    try:
        buckets = bound.own
        if setting.allocation is not None:
            buckets = buckets_of(bound.salt, setting.allocation, variants)
        if setting.default is not None and setting.default not in variants:
            raise ConfigError(f"default: {setting.default!r:.80} is no variant of it; there are {', '.join(variants)}")
    except ConfigError as error:
        raise ConfigError(f"experiment {bound.slot.name!r}: {error}") from None
    return buckets, setting.state, bound.default if setting.default is None else variants.index(setting.default)
