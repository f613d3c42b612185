"""ESI 1.0 tags (W3C note of 2001) as parts of a page. Fetches nothing: an include is an input like any other."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from fastedge._core.htmltokens import read_attributes
from fastedge.html.expressions import EsiError, Variable, parse_expression, parse_variable
from fastedge.html.steps import Part, Value
from fastedge.limits import esi_depth_max, esi_url_bytes_max

Row = tuple[bytes, bool, int, int, tuple[int, int] | None, bool]
Text = tuple[str | Variable, ...]  # with variables inside

_BLOCKS = {
    b"choose": b"",
    b"try": b"",
    b"when": b"choose",
    b"otherwise": b"choose",
    b"attempt": b"try",
    b"except": b"try",
}
_PAIRED = frozenset({*_BLOCKS, b"remove", b"vars", b""})
# Of two parts that are one stretch of the page: what a branch or an element holds is around the tag that is all of it.
_OUTERMOST, INNERMOST = -1, 1 << 30
_IN_TEXT = re.compile(r"\$\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class Include:
    """`esi:include`: an input whose value is another URL's body. None: it cannot be had, nor its alternative."""

    src: Text
    alt: Text = ()
    continues: bool = False  # onerror="continue": no failure even inside an esi:attempt
    maxwait_ms: int | None = None

    def url(self, get: Callable[[Variable], str | None], alternative: bool = False) -> str:
        """The URL of `src` or `alt`; variables go in percent-encoded."""
        parts = self.alt if alternative else self.src
        return "".join(part if isinstance(part, str) else quote(get(part) or part.default, safe="") for part in parts)


class EsiReader:
    """Turns the ESI tags of one page into parts; `EsiError` when they do not fit together."""

    def __init__(self, page: bytes, number_of: Callable[[object], int]) -> None:
        self._page = page
        self._number_of = number_of
        self._open: list[tuple[Row, Part | None]] = []
        self._attempts = 0
        self.parts: list[Part] = []

    def read(self, rows: list[Row]) -> list[Part]:
        for row in rows:
            name, closing, start, end, place, self_closing = row
            if place is None:
                continue  # inside a script
            if closing:
                self._end(row)
            elif name in _PAIRED and not self_closing:
                self._begin(row)
            elif name == b"include":
                self._include(start, end)
            elif name not in _PAIRED and name != b"comment":
                raise EsiError(f"unknown tag {name[:20]!r}")
            else:
                self._drop(start, end)
        if self._open:
            raise EsiError("a tag is not closed")
        return self.parts

    def _drop(self, start: int, end: int) -> None:
        self.parts.append(Part(start, end, INNERMOST, "drop"))

    def _begin(self, row: Row) -> None:
        name, _, start, end, _, _ = row
        around = self._open[-1][0][0] if self._open else b""
        if len(self._open) == esi_depth_max or (name in _BLOCKS and _BLOCKS[name] not in (b"", around)):
            raise EsiError("a tag is too deep, or in the wrong place")
        part = None
        if name in (b"choose", b"try"):
            part = Part(start, start, INNERMOST, "blocks")
        elif name in (b"when", b"otherwise"):
            test = self._test(start) if name == b"when" else lambda values: True
            part = Part(end, end, _OUTERMOST, "when", test=test)
        elif name == b"attempt":
            part = Part(end, end, _OUTERMOST, "attempt", number=self._attempts)
            self._attempts += 1
        elif name == b"except":
            part = Part(end, end, _OUTERMOST, "except")
        elif name != b"remove":
            self._drop(start, end)  # esi:vars and <!--esi
        self._open.append((row, part))

    def _end(self, row: Row) -> None:
        name, _, start, end, _, _ = row
        if name in (b"include", b"comment"):
            return self._drop(start, end)
        if not self._open or self._open[-1][0][0] != name:
            raise EsiError("tags are not nested")
        opening, part = self._open.pop()
        if name == b"remove":
            self._drop(opening[2], end)
        elif part is None:
            self._drop(start, end)
        else:
            part.end = end if part.kind == "blocks" else start
            self.parts.append(part)
        return None

    def _attributes(self, start: int) -> dict[bytes, str]:
        found: dict[bytes, str] = {}
        for name, _, value, value_end, _, _ in read_attributes(self._page, start)[1]:
            found.setdefault(
                name, html.unescape(self._page[value:value_end].decode("utf-8", "replace")) if value >= 0 else ""
            )
        return found

    def _test(self, start: int) -> Callable[[tuple[object, ...]], bool]:
        text = self._attributes(start).get(b"test")
        if text is None:
            raise EsiError("esi:when without a test")
        return parse_expression(text, self._number_of)

    def _include(self, start: int, end: int) -> None:
        attributes = self._attributes(start)
        if not attributes.get(b"src"):
            raise EsiError("esi:include without a src")
        maxwait = attributes.get(b"maxwait", "")
        include = Include(
            text_of(attributes[b"src"]),
            text_of(attributes.get(b"alt", "")),
            attributes.get(b"onerror") == "continue",
            int(maxwait) if maxwait.isascii() and maxwait.isdigit() and len(maxwait) < 8 else None,
        )
        for part in (*include.src, *include.alt):
            if isinstance(part, Variable):
                self._number_of(part)
        value = Value(self._number_of(include), "raw", attempt=-1 if include.continues else self._attempt())
        self.parts.append(Part(start, end, INNERMOST, "drop", value))

    def _attempt(self) -> int:
        """The innermost esi:attempt that is open."""
        return next(
            (part.number for _, part in reversed(self._open) if part is not None and part.kind == "attempt"), -1
        )


def text_of(text: str) -> Text:
    """A URL with variables."""
    if len(text) > esi_url_bytes_max:
        raise EsiError("a URL is too long")
    pieces = _IN_TEXT.split(text)
    parsed = (parse_variable(piece) if i % 2 else piece for i, piece in enumerate(pieces))
    return tuple(piece for piece in parsed if piece != "")
