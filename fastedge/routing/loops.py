"""Redirects that never arrive: circles, and prefixes whose target lies beneath themselves so that it grows for ever.

Follows each row's own target through the table, as a client would; each URL is followed once, so the work is linear.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from fastedge._core.redirecttable import RedirectTable
from fastedge.limits import redirect_chain_max

# What a probe puts in the place of a wildcard: no row is about it by chance.
_PROBE = "fastedge-probe"
_PORTS = {"http": ":80", "https": ":443"}

Url = tuple[str, str]  # host or "", path


@dataclass(frozen=True, slots=True)
class Loop:
    """A chain of URLs that leads back to its first, or that only ever gets longer, and where the rows stand."""

    urls: tuple[str, ...]
    lines: tuple[int, ...]
    grows: bool
    unit: str = "line"

    def __str__(self) -> str:
        urls = (*self.urls, "…" if self.grows else self.urls[0])
        chain = " → ".join(url.replace(_PROBE, "…") for url in urls[:8])
        lines = ", ".join(map(str, sorted(set(self.lines))[:8]))
        if self.grows:
            return f"{self.unit} {lines}: redirects without end: {chain}"
        return f"{self.unit} {lines}: redirects in a circle: {chain}{' → …' if len(self.urls) > 7 else ''}"


def find_loops(table: RedirectTable, hosts: Collection[str] = ()) -> list[Loop]:
    """Every loop of a table, each once, in the order of the rows.

    `hosts` are names that reach this table: an absolute target at one of them, or at a host that a row names, is
    followed too. Neither the query nor the scheme of a URL can end a loop, so they are not looked at.
    """
    known = frozenset(hosts) | table.hosts()
    followed: set[Url] = set()
    endless: set[int] = set()
    loops = []
    for number in table.leading_on(bool(known)):
        loop = _walk(table, known, _start(table, number), followed, endless)
        if loop is not None:
            loops.append(loop)
    return loops


def _walk(table: RedirectTable, known: frozenset[str], url: Url, followed: set[Url], endless: set[int]) -> Loop | None:
    """Follow one URL to its end, or to where an earlier walk has been; a URL that this walk has seen closes a loop."""
    walk: dict[Url, int] = {}
    uses: dict[int, int] = {}
    found = None
    for here, number, kind in _steps(table, known, url):
        if here in walk:
            start = list(walk).index(here)
            found = _loop(table, list(walk.items())[start:], grows=False)
            break
        if here in followed or number in endless:
            break
        walk[here] = number
        if kind == "exact":
            continue
        # Only wildcards make ever new URLs; one that keeps on doing so is without end.
        uses[number] = uses.get(number, 0) + 1
        if uses[number] > redirect_chain_max:
            endless.update(uses)
            found = _loop(table, list(walk.items())[:4], grows=True)
            break
    followed.update(walk)
    return found


def _start(table: RedirectTable, number: int) -> Url:
    """A URL that the row is meant for."""
    _, _, host, path, _, _, _ = table.row(number)
    return host, path.replace("*", _PROBE)


def _steps(table: RedirectTable, known: frozenset[str], url: Url) -> Iterator[tuple[Url, int, str]]:
    """Each URL that is redirected, with the row that does it and the row's kind."""
    after: Url | None = url
    while after is not None:
        host, path = here = after
        number = table.find_row(path, host)
        answer = table.find(path, "", host)
        if answer is None:
            return
        yield here, number, table.row(number)[1]
        after = _destination(answer[1], host, known)


def _destination(location: str, host: str, known: frozenset[str]) -> Url | None:
    """The host and path that a Location asks for next; None if that is not for this table to answer."""
    location = location.partition("#")[0].partition("?")[0]
    if location.startswith("/"):
        return host, location
    scheme, _, rest = location.partition("://")
    authority, _, path = rest.partition("/")
    name = authority.lower().removesuffix(_PORTS[scheme.lower()])
    return (name, f"/{path}") if name in known else None


def _loop(table: RedirectTable, members: list[tuple[Url, int]], grows: bool) -> Loop:
    urls = tuple(host + path for (host, path), _ in members)
    lines = tuple(table.row(number)[0] for _, number in members)
    return Loop(urls, lines, grows, table.unit)
