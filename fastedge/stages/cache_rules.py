"""CacheRules: how long answers are kept, what tells them apart, and by which names they are purged.

Options are checked and compiled here once; one compiled hook puts them onto the plan. No request runs Python.
"""

import re
from collections.abc import Collection, Mapping
from functools import reduce
from operator import or_
from typing import Any, Final, Protocol

from fastedge._core.cachestage import SOURCES, CacheStage, KeyPart
from fastedge._core.condition import Condition, Match
from fastedge._core.geostage import FACTS
from fastedge._core.queryrules import QueryRules
from fastedge.errors import ConfigError
from fastedge.limits import cache_key_parts_max, cache_tag_bytes_max, cache_tags_max, cache_ttl_s_max
from fastedge.stages.geo import check_table

_STATUSES: Final = re.compile(r"([2-5])xx|([2-5]\d\d)(?:-([2-5]\d\d))?")
_BYPASSED_BY: Final = ("cookie", "header", "query")


class Snapshot(Protocol):
    """What of a configuration this stage needs."""

    @property
    def geo(self) -> object: ...


class CacheRules:
    """Puts onto the plan what of the cache's behaviour is not left to the origin. What is not named stays as it is.

    Of several in a pipeline the later overrides what it names; key parts, tags and bypasses add up. All options and
    reasons: docs/stages/cache_rules.md.
    """

    __slots__ = ("_geo", "_options")

    def __init__(
        self,
        *,
        ttl_s: float | None = None,
        default_ttl_s: float | None = None,
        status_ttl_s: Mapping[str | int, float] | None = None,
        stale_while_revalidate_s: float | None = None,
        stale_if_error_s: float | None = None,
        key: Collection[str] = (),
        keep_query: Collection[str] | None = None,
        drop_query: Collection[str] | None = None,
        sort_query: bool = False,
        bypass: Condition | Collection[str] | None = None,
        tags: Collection[str] | Mapping[str, Collection[str]] = (),
        strip_cookies: bool = False,
        ignore_cookies: bool | None = None,
        ignore_client: bool | None = None,
    ) -> None:
        everywhere, by_path = _tags(tags)
        self._geo = [part for part in _texts("key", key) if part in FACTS]
        self._options: dict[str, Any] = {
            "ttl": _seconds("ttl_s", ttl_s),
            "default_ttl": _seconds("default_ttl_s", default_ttl_s),
            "status_ttls": _by_status(status_ttl_s),
            "stale_while_revalidate": _seconds("stale_while_revalidate_s", stale_while_revalidate_s),
            "stale_if_error": _seconds("stale_if_error_s", stale_if_error_s),
            "key_parts": _key_parts(key),
            "query": _query_rules(keep_query, drop_query, _flag("sort_query", sort_query) == 1),
            "bypass": bypass if bypass is None or isinstance(bypass, Condition) else _presence(bypass),
            "tags": everywhere,
            "tags_by_path": by_path,
            "strips_cookies": _flag("strip_cookies", strip_cookies) == 1,
            "ignores_cookies": _flag("ignore_cookies", ignore_cookies),
            "ignores_request": _flag("ignore_client", ignore_client),
        }

    def bind(self, snapshot: Snapshot) -> CacheStage:
        if self._geo:
            check_table("CacheRules", snapshot.geo, self._geo)
        return CacheStage(**self._options)


def _flag(option: str, value: bool | None) -> int:
    """1, 0, or -1 for None: what the plan has stays."""
    if value is not None and type(value) is not bool:
        raise ConfigError(f"CacheRules {option}: expected True or False, found {value!r:.80}")
    return -1 if value is None else int(value)


def _seconds(option: str, value: float | None) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= cache_ttl_s_max:
        raise ConfigError(f"CacheRules {option}: expected seconds from 0 to {cache_ttl_s_max}, found {value!r:.80}")
    return float(value)


def _texts(option: str, values: Collection[str]) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Collection):
        raise ConfigError(f"CacheRules {option}: expected a list of texts, found {values!r:.80}")
    for value in values:
        if not isinstance(value, str) or not value or not value.isprintable():
            raise ConfigError(f"CacheRules {option}: expected texts that can be printed, found {value!r:.80}")
    return tuple(values)


def _by_status(ttls: Mapping[str | int, float] | None) -> tuple[tuple[int, int, float], ...] | None:
    """(first, last, seconds) of each "404", "500-599" or "5xx", in the order given."""
    if ttls is None:
        return None
    if not isinstance(ttls, Mapping) or not ttls:
        raise ConfigError(f"CacheRules status_ttl_s: expected statuses and their seconds, found {ttls!r:.80}")
    rows = []
    for statuses, seconds in ttls.items():
        found = _STATUSES.fullmatch(str(statuses))
        hundred, first, last = found.groups() if found else (None, "1", "0")
        low, high = (int(hundred) * 100, int(hundred) * 100 + 99) if hundred else (int(first), int(last or first))
        if low > high:
            raise ConfigError(
                f"CacheRules status_ttl_s: expected a status like 404, '500-599' or '5xx', found {statuses!r:.80}"
            )
        rows.append((low, high, _seconds(f"status_ttl_s[{statuses!r}]", seconds) or 0.0))
    return tuple(rows)


def _key_parts(parts: Collection[str]) -> tuple[KeyPart, ...]:
    texts = _texts("key", parts)
    if len(set(texts)) != len(texts) or len(texts) > cache_key_parts_max:
        raise ConfigError(f"CacheRules key: expected up to {cache_key_parts_max} different parts, found {parts!r:.80}")
    return tuple(map(_key_part, texts))


def _key_part(text: str) -> KeyPart:
    source, colon, of = text.partition(":")
    if source + colon not in SOURCES or bool(colon) != bool(of):
        known = ", ".join(f"'{name}NAME'" if name.endswith(":") else f"'{name}'" for name in SOURCES)
        raise ConfigError(f"CacheRules key: expected one of {known}, found {text!r:.80}")
    if source in _BYPASSED_BY:
        _is_there("key", text)  # its name is one that a request can have
    return KeyPart(source + colon, of)


def _presence(names: Collection[str]) -> Condition:
    texts = _texts("bypass", names)
    if not texts:
        raise ConfigError("CacheRules bypass: an empty list is never there; leave it out, or give Match(...)")
    return reduce(or_, (_is_there("bypass", text) for text in texts))


def _is_there(option: str, text: str) -> Condition:
    """Holds where the request has the cookie, field or parameter."""
    source, _, name = text.partition(":")
    if source not in _BYPASSED_BY or not name:
        raise ConfigError(
            f"CacheRules {option}: expected 'cookie:NAME', 'header:NAME', 'query:NAME', Match(...), found {text!r:.80}"
        )
    try:
        return Match(**{"field" if source == "header" else source: {name: "*"}})  # type: ignore[arg-type]
    except ConfigError as error:
        raise ConfigError(f"CacheRules {option}: {text!r}: {error}") from None


def _query_rules(keep: Collection[str] | None, drop: Collection[str] | None, sort: bool) -> QueryRules | None:
    if keep is not None and drop is not None:
        raise ConfigError("CacheRules: give either keep_query or drop_query")
    listed = drop if keep is None else keep
    if listed is None:
        return QueryRules(None, True, sort) if sort else None
    names = _texts("drop_query" if keep is None else "keep_query", listed)
    return QueryRules([name.encode() for name in names], keep is not None, sort)


_Tags = tuple[bytes, ...]


def _tags(
    tags: Collection[str] | Mapping[str, Collection[str]],
) -> tuple[_Tags | None, tuple[tuple[Condition, _Tags], ...]]:
    """Those of every answer, and those by path."""
    if not isinstance(tags, Mapping):
        return _tag_names("tags", tags) or None, ()
    by_path = []
    for pattern, names in tags.items():
        try:
            by_path.append((Match(path=pattern), _tag_names(f"tags[{pattern!r}]", names)))
        except (ConfigError, TypeError) as error:
            raise ConfigError(f"CacheRules tags: {error}") from None
    return None, tuple(by_path)


def _tag_names(option: str, names: Collection[str]) -> _Tags:
    encoded = tuple(dict.fromkeys(name.encode() for name in _texts(option, names)))
    if len(encoded) > cache_tags_max or any(len(name) > cache_tag_bytes_max for name in encoded):
        raise ConfigError(
            f"CacheRules {option}: expected at most {cache_tags_max} tags of {cache_tag_bytes_max} bytes at most"
        )
    return encoded
