"""Redirects: answers a path that has moved with where it went, from a table of up to a million rows."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from fastedge._core.redirectstage import RedirectStage
from fastedge._core.redirecttable import RedirectTable
from fastedge.errors import ConfigError
from fastedge.routing.loops import find_loops
from fastedge.routing.redirects import Row, table_of


class _Snapshot(Protocol):
    @property
    def tables(self) -> Mapping[str, RedirectTable]: ...


class Redirects:
    """Redirects by a table of `[tables]` in `edge.toml`, or by a few rows given here.

    All methods are redirected. 301 and 302 let a client turn POST into GET (RFC 9110 §15.4.2); 307 and 308 do not.
    `cache_control` is the answer's Cache-Control; left out it has none, and clients keep a 301 or 308 as they like.
    """

    __slots__ = ("_cache_control", "_name", "_table")

    def __init__(
        self, table: str | None = None, *, rows: Iterable[Row] | None = None, cache_control: str | None = None
    ) -> None:
        if (table is None) == (rows is None):
            raise ConfigError("Redirects: give either table, a name of [tables], or rows")
        if table is not None and not isinstance(table, str):
            raise ConfigError(f"Redirects: table: expected a name of [tables], found {table!r:.80}")
        self._name = table
        self._table = None if rows is None else _table_without_loops(rows)
        self._cache_control = _checked_field("cache_control", cache_control)

    def bind(self, snapshot: _Snapshot) -> RedirectStage:
        """The compiled hook on this configuration's table."""
        table = self._table
        if table is None:
            assert self._name is not None
            table = snapshot.tables.get(self._name)
        if table is None:
            names = ", ".join(sorted(snapshot.tables)) or "none"
            raise ConfigError(f"Redirects: there is no table {self._name!r}; [tables] has {names}")
        return RedirectStage(table, self._cache_control)


def _table_without_loops(rows: Iterable[Row]) -> RedirectTable:
    """`check` looks for loops in the tables of files; rows in a policy are few enough to look at once."""
    table = table_of(rows, "Redirects: rows")
    loops = find_loops(table)
    if loops:
        raise ConfigError("\n".join(f"Redirects: rows, {loop}" for loop in loops))
    return table


def _checked_field(option: str, value: str | None) -> str | None:
    if value is not None and not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
        raise ConfigError(f"Redirects: {option}: expected a field value like 'max-age=3600', found {value!r:.80}")
    return value
