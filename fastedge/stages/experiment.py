"""Experiment: puts each visitor into one variant and keeps them there, the same at every PoP without asking anyone."""

import os
import re
from collections.abc import Callable, Mapping

from fastedge._core.cookies import is_cookie_name
from fastedge._core.experimentstage import STICKY, ExperimentStage
from fastedge.errors import ConfigError
from fastedge.limits import experiment_cookie_max_age_s, experiment_name_bytes_max
from fastedge.routing.experiments import buckets_of

# RFC 8941 §3.1.2 and §3.3.4: the field is a dictionary of `name=variant`, names are keys and variants are tokens.
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")
_HEADER = re.compile(r"edge-[a-z0-9-]+")
# What browsers keep at most.
_AGE_MAX_S = 400 * 86_400


class Experiment:
    """Variants by weight: `ctx.variants[name]` for stages behind it, a field for the origin, and both in the cache key.

    Who cannot be known by what `sticky_by` names is known by a cookie of the experiment's own.
    """

    __slots__ = ("_buckets", "_cookie", "_header", "_max_age_s", "_name", "_of", "_random_bytes", "_sticky")

    on_error = "fail_open"

    def __init__(
        self,
        name: str,
        weights: Mapping[str, float],
        *,
        sticky_by: str = "cookie",
        salt: str | None = None,
        cookie: str | None = None,
        cookie_max_age_s: int = experiment_cookie_max_age_s,
        header: str | None = "edge-variant",
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        _expect(name, _KEY, "name", "a lower-case name like 'checkout' (RFC 8941 §3.1.2)")
        self._name = name
        try:
            self._buckets = buckets_of(name if salt is None else salt, weights)
        except ConfigError as error:
            raise ConfigError(f"Experiment {name!r}: {error}") from None
        for variant in weights:
            _expect(variant, _TOKEN, "weights", "variants that are tokens like 'new' (RFC 8941 §3.3.4)", name)
        self._sticky, self._of = _sticky(name, sticky_by)
        self._cookie = _cookie(name, f"edge_{name}" if cookie is None else cookie)
        if type(cookie_max_age_s) is not int or not 0 < cookie_max_age_s <= _AGE_MAX_S:
            raise ConfigError(
                f"Experiment {name!r}: cookie_max_age_s: expected 1 to {_AGE_MAX_S} s, found {cookie_max_age_s!r:.80}"
            )
        self._max_age_s = cookie_max_age_s
        if header is not None:
            _expect(header, _HEADER, "header", "a field like 'edge-variant', which clients cannot forge, or None", name)
        self._header = header
        self._random_bytes = random_bytes

    def bind(self, snapshot: object) -> ExperimentStage:
        """The compiled hooks; an experiment needs nothing of the configuration."""
        return ExperimentStage(
            self._name,
            self._buckets,
            self._sticky,
            self._of,
            cookie=self._cookie,
            max_age_s=self._max_age_s,
            header=self._header,
            random_bytes=self._random_bytes,
        )


def _expect(value: object, form: "re.Pattern[str]", option: str, expected: str, name: str = "") -> None:
    if not isinstance(value, str) or not form.fullmatch(value) or len(value) > experiment_name_bytes_max:
        where = f"Experiment {name!r}" if name else "Experiment"
        raise ConfigError(
            f"{where}: {option}: expected {expected} of at most {experiment_name_bytes_max} bytes, found {value!r:.80}"
        )


def _sticky(name: str, sticky_by: str) -> tuple[str, str]:
    """`cookie:uid` as its kind, `cookie:`, and the name behind it."""
    kind, colon, of = sticky_by.partition(":") if isinstance(sticky_by, str) else ("", "", "")
    if kind + colon not in STICKY or bool(colon) != bool(of):
        raise ConfigError(
            f"Experiment {name!r}: sticky_by: expected 'cookie', 'cookie:NAME', 'claim:NAME' or 'address',"
            f" found {sticky_by!r:.80}"
        )
    return kind + colon, _cookie(name, of, "sticky_by") if kind == "cookie" and of else of


def _cookie(name: str, cookie: str, option: str = "cookie") -> str:
    if not isinstance(cookie, str) or not is_cookie_name(cookie.encode("utf-8", "replace")):
        raise ConfigError(f"Experiment {name!r}: {option}: expected a cookie's name (a token), found {cookie!r:.80}")
    return cookie
