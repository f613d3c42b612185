"""`Experiment(target={…})`: checked, and compiled to what is asked on each request."""

from collections.abc import Mapping
from typing import Any

from fastedge._core.condition import Match
from fastedge._core.device import DEVICES
from fastedge._core.target import Target
from fastedge.errors import ConfigError
from fastedge.geo.regions import parse_region
from fastedge.limits import experiment_targets_max

_KEYS = ("path", "device", "country", "claims")


def target_of(target: Mapping[str, Any] | None) -> Target:
    """Whom an experiment is about; without a target everyone but bots. Raises ConfigError."""
    if target is None:
        return Target()
    if not isinstance(target, Mapping) or not target:
        raise ConfigError(f"target: expected a mapping with some of {', '.join(_KEYS)}, found {target!r:.80}")
    for key in target:
        if key not in _KEYS:
            raise ConfigError(f"target: there is no {key!r:.80}; there are {', '.join(_KEYS)}")
    options: dict[str, Any] = {}
    if "path" in target:
        options["path"] = Match(path=_listed("path", target["path"]))
    if "device" in target:
        options["devices"] = _devices(target["device"])
    if "country" in target:
        regions = map(parse_region, _listed("country", target["country"]))
        options["countries"] = frozenset[str]().union(*(region.members for region in regions))
    if "claims" in target:
        options["claims"] = _claims(target["claims"])
    return Target(**options)


def _devices(asked: object) -> list[Any]:
    devices = _listed("device", asked)
    for device in devices:
        if device not in DEVICES:
            raise ConfigError(f"target: device: expected some of {', '.join(DEVICES)}, found {device!r:.80}")
    return devices


def _claims(asked: object) -> dict[str, list[Any]]:
    if not isinstance(asked, Mapping) or not asked:
        raise ConfigError(f"target: claims: expected {{'claim': value or values}}, found {asked!r:.80}")
    claims = {str(name): _listed("claims", values) for name, values in asked.items()}
    for values in claims.values():
        for value in values:
            if type(value) not in (str, int, bool):
                raise ConfigError(f"target: claims: expected texts, integers, True or False, found {value!r:.80}")
    return claims


def _listed(key: str, asked: Any) -> list[Any]:
    values = list(asked) if isinstance(asked, list | tuple | set | frozenset) else [asked]
    if not 0 < len(values) <= experiment_targets_max:
        raise ConfigError(f"target: {key}: expected 1 to {experiment_targets_max} values")
    return values
