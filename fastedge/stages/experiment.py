"""Experiment: puts each visitor into one variant and keeps them there, the same at every PoP without asking anyone."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastedge._core.cookies import is_cookie_name
from fastedge._core.credential import CredentialSource
from fastedge._core.experimentstage import STICKY, ExperimentStage, Why
from fastedge.errors import ConfigError
from fastedge.limits import experiment_cookie_max_age_s, experiment_name_bytes_max, experiment_sticky_max
from fastedge.routing.allocation import Allocation
from fastedge.routing.experiment_settings import ExperimentSlots
from fastedge.routing.experiments import Layer, buckets_of
from fastedge.routing.overrides import OVERRIDE, read_override
from fastedge.stages.target import target_of

# RFC 8941 §3.1.2 and §3.3.4: the field is a dictionary of `name=variant`, names are keys and variants are tokens.
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")
_HEADER = re.compile(r"edge-[a-z0-9-]+")
# What browsers keep at most.
_AGE_MAX_S = 400 * 86_400


class Experiment:
    """Variants by weight: `ctx.variants[name]` for stages behind it, a field for the origin, and both in the cache key.

    Who is not in it (not targeted, outside its range of `layer`, everyone while it is off) has the variant `default`,
    or none. Who cannot be known by what `sticky_by` names is known by a cookie of the experiment's own. With
    `keyed=False` neither origin nor key hears of it: one stored page is for all variants, which the edge tells apart.
    """

    __slots__ = (
        "_buckets",
        "_cookie",
        "_default",
        "_header",
        "_keyed",
        "_layer",
        "_max_age_s",
        "_name",
        "_override_keys",
        "_random_bytes",
        "_salt",
        "_sticky",
        "_target",
    )

    on_error = "fail_open"

    def __init__(
        self,
        name: str,
        weights: Mapping[str, float] | Allocation,
        *,
        sticky_by: str | Sequence[str] | None = None,
        salt: str | None = None,
        cookie: str | None = None,
        cookie_max_age_s: int = experiment_cookie_max_age_s,
        header: str | None = "edge-variant",
        keyed: bool = True,
        layer: Layer | None = None,
        target: Mapping[str, Any] | None = None,
        default: str | None = None,
        override_keys: str | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        _expect(name, _KEY, "name", "a lower-case name like 'checkout' (RFC 8941 §3.1.2)")
        self._name = name
        self._salt = name if salt is None else salt
        try:
            self._buckets = buckets_of(self._salt, weights)
            self._target = target_of(target)
        except ConfigError as error:
            raise self._error(str(error)) from None
        for variant in self._buckets.variants:
            _expect(variant, _TOKEN, "weights", "variants that are tokens like 'new' (RFC 8941 §3.3.4)", name)
        if layer is not None:
            sticky_by, cookie = self._of_layer(layer, sticky_by, cookie)
        self._layer = None if layer is None else layer.range_of(name)
        self._sticky = _ways(name, "cookie" if sticky_by is None else sticky_by)
        self._cookie = _cookie(name, f"edge_{name}" if cookie is None else cookie)
        if type(cookie_max_age_s) is not int or not 0 < cookie_max_age_s <= _AGE_MAX_S:
            raise self._error(f"cookie_max_age_s: expected 1 to {_AGE_MAX_S} s, found {cookie_max_age_s!r:.80}")
        self._max_age_s = cookie_max_age_s
        if header is not None:
            _expect(header, _HEADER, "header", "a field like 'edge-variant', which clients cannot forge, or None", name)
        if not isinstance(keyed, bool):
            raise self._error(f"keyed: expected True or False, found {keyed!r:.80}")
        self._header = header if keyed else None
        self._keyed = keyed
        if default is not None and default not in self._buckets.variants:
            raise self._error(f"default: expected one of {', '.join(self._buckets.variants)}, found {default!r:.80}")
        self._default = default
        if override_keys is not None and not (isinstance(override_keys, str) and override_keys):
            raise self._error("override_keys: expected the NAME of a [keys.NAME]")
        self._override_keys = override_keys
        self._random_bytes = random_bytes

    def bind(self, snapshot: Any) -> ExperimentStage:
        """The compiled hooks: with the experiment's place among the settings, and the keys of overrides."""
        slots: ExperimentSlots = getattr(snapshot, "experiments", None) or ExperimentSlots()
        sources = judge = None
        if self._override_keys is not None:
            sources = [CredentialSource(f"query:{OVERRIDE}"), CredentialSource(f"cookie:{OVERRIDE}")]
            judge = self._judge(snapshot.keys, self._override_keys)
        return ExperimentStage(
            slots.slot(self._name, self._salt, self._buckets, self._default),
            self._sticky,
            cookie=self._cookie,
            max_age_s=self._max_age_s,
            header=self._header,
            keyed=self._keyed,
            random_bytes=self._random_bytes,
            target=self._target,
            layer=self._layer,
            override_sources=sources,
            judge=judge,
            exposures=slots.exposures,
        )

    def _of_layer(self, layer: Layer, sticky_by: object, cookie: object) -> tuple[str | Sequence[str], str]:
        """What its visitors are known by: the same in the whole layer, or one would be in two of its experiments."""
        if not isinstance(layer, Layer):
            raise self._error(f"layer: expected a Layer(…), found {layer!r:.80}")
        if layer.range_of(self._name) is None:
            raise self._error(f"layer: {layer.name!r} has no range for it")
        if sticky_by is not None or cookie is not None:
            raise self._error(
                "sticky_by, cookie: expected none beside a layer, which says both for all its experiments"
            )
        return layer.sticky_by, layer.cookie

    def _judge(self, keys: Mapping[str, Any], named: str) -> Callable[[bytes, float], str | None]:
        """judge(override, now): the variant, None for an override of another experiment, or why it is ignored."""
        found = keys.get(named)
        if found is None:
            known = ", ".join(sorted(keys)) or "none"
            raise self._error(f"override_keys: no [keys] is named {named!r}; there are: {known}")
        key = found.choose("HS256", None) if hasattr(found, "choose") else None
        if key is None:
            raise self._error(f"override_keys: [keys.{named}] is not one shared secret")
        # HMAC-SHA-256 is what RFC 7518 calls HS256; no token begins like a text that is signed here.
        check, name = key.checks["HS256"], self._name

        def judge(text: bytes, now: float) -> str | None:
            override = read_override(text)
            if override is None:
                return Why("malformed")
            if override.experiment != name:
                return None
            if not check(override.signed, override.signature):
                return Why("signature")
            return override.variant if now < override.expires_s else Why("expired")

        return judge

    def _error(self, problem: str) -> ConfigError:
        return ConfigError(f"Experiment {self._name!r}: {problem}")


def _expect(value: object, form: "re.Pattern[str]", option: str, expected: str, name: str = "") -> None:
    if not isinstance(value, str) or not form.fullmatch(value) or len(value) > experiment_name_bytes_max:
        where = f"Experiment {name!r}" if name else "Experiment"
        raise ConfigError(
            f"{where}: {option}: expected {expected} of at most {experiment_name_bytes_max} bytes, found {value!r:.80}"
        )


def _ways(name: str, sticky_by: object) -> list[tuple[str, str]]:
    """The kinds, such as `cookie:`, and the names behind them; the own cookie is the last resort."""
    texts = [sticky_by] if not isinstance(sticky_by, list | tuple) else sticky_by
    ways = [_way(name, text) for text in texts]
    kinds = [kind for kind, _ in ways]
    if not 0 < len(ways) <= experiment_sticky_max or len(set(ways)) < len(ways):
        raise ConfigError(
            f"Experiment {name!r}: sticky_by: expected 1 to {experiment_sticky_max} different ones,"
            f" found {sticky_by!r:.80}"
        )
    if "address" in kinds[:-1]:
        raise ConfigError(f"Experiment {name!r}: sticky_by: 'address' is always there: what follows it never counts")
    return ways if {"cookie", "address"} & {*kinds} else [*ways, ("cookie", "")]


def _way(name: str, text: object) -> tuple[str, str]:
    """`cookie:uid` as its kind, `cookie:`, and the name behind it."""
    kind, colon, of = text.partition(":") if isinstance(text, str) else ("", "", "")
    if kind + colon not in STICKY or bool(colon) != bool(of):
        raise ConfigError(
            f"Experiment {name!r}: sticky_by: expected 'cookie', 'cookie:NAME', 'claim:NAME' or 'address',"
            f" found {text!r:.80}"
        )
    return kind + colon, _cookie(name, of, "sticky_by") if kind == "cookie" and of else of


def _cookie(name: str, cookie: str, option: str = "cookie") -> str:
    if not isinstance(cookie, str) or not is_cookie_name(cookie.encode("utf-8", "replace")):
        raise ConfigError(f"Experiment {name!r}: {option}: expected a cookie's name (a token), found {cookie!r:.80}")
    return cookie
