"""From a page and the rules about it to a template. Never raises for a page: what cannot be done is left alone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from fastedge._core.htmlscan import Scan
from fastedge._core.htmltokens import read_attributes
from fastedge._core.template import Template
from fastedge.html.contexts import CODE_ELEMENTS, attribute_context, part_context
from fastedge.html.encoding import page_encoding
from fastedge.html.esi import INNERMOST, EsiReader
from fastedge.html.expressions import EsiError, parse_variable
from fastedge.html.rules import ATTRIBUTE_ACTIONS, CONTENT_ACTIONS, PageRules, Slot
from fastedge.html.steps import Part, StepWriter, Value
from fastedge.limits import html_bytes_max, html_problems_max

# Why something of a page was left alone.
PROBLEMS = {
    "encoding": "the page is in an encoding that is not read byte by byte, as UTF-16",
    "too_large": "the page is larger than html_bytes_max",
    "too_many": "the page has more places for slots than the bounds allow",
    "unbalanced": "the element is not closed, or misnested, or what is around it is",
    "doubtful": "browsers may make no element of it, or put it elsewhere; without a name: all from there on",
    "void": "the element can have no content",
    "code": "a script, a style, an event handler: only a raw value may go there",
    "context": "a comment, a tag outside of its attributes' values, or behind a `<`",
    "unquoted": "an attribute without quotes that holds more than the placeholder",
    "url": "an attribute whose URL the value could turn elsewhere",
    "unknown_name": "no slot of the policy has this name",
    "unmatched": "a comment that begins or ends a slot, and its other half is not in the same element",
    "overlap": "it crosses another slot",
    "esi": "ESI tags that are unknown, unclosed or wrongly nested: none of the page's are processed",
}

_TAG_NAME = re.compile(rb"<([^\t\n\f\r />]+)")
_BROKEN_OFF = re.compile(rb"<(?:/[A-Za-z]*)?\Z")  # what a value behind it could make a tag of
_EQUALS = re.compile(rb"[\t\n\f\r ]*=")


def compile_page(page: bytes, rules: PageRules, charset: str | None = None) -> Template:
    """The template of a page. `charset` is its Content-Type's; values are written as the page's encoding needs it.

    `template.inputs` are names of slots, `Variable`s and `Include`s. Without values it renders the page itself, but for
    ESI.
    """
    encoding = page_encoding(page, charset)
    if encoding is None or len(page) > html_bytes_max:
        reason = "encoding" if encoding is None else "too_large"
        return Template(page, [("static", 0, len(page))], (), ((reason, "", 0),))
    made = _Compiler(page, rules).compile()
    return Template(page, made.steps, made.inputs, made.problems, encoding != "utf-8")


@dataclass(slots=True)
class _Compiler:
    page: bytes
    rules: PageRules
    steps: list[tuple[object, ...]] = field(default_factory=list)
    inputs: dict[object, int] = field(default_factory=dict)
    problems: list[tuple[str, str, int]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def compile(self) -> "_Compiler":
        scan = Scan(self.page, self.rules.selectors, self.rules.esi)
        if scan.esi:
            try:
                if scan.esi_torn:
                    raise EsiError("a tag crosses the end of an <!--esi")
                self.parts += EsiReader(self.page, self._input).read(scan.esi)
                self._variables(scan.variables)
            except EsiError:
                self.inputs.clear()
                self.parts.clear()
                self.problems.clear()
                self._problem("esi", "", scan.esi[0][2])
                scan = Scan(self.page, self.rules.selectors)
        if scan.too_many:
            self._problem("too_many", "", 0)
        if scan.lost_at >= 0:
            self._problem("doubtful", "", scan.lost_at)
        for row in scan.elements:
            self._element(_Element(*row))
        self._comments(scan.comments)
        for mark in scan.placeholders:
            self._placeholder(*mark)
        writer = StepWriter(len(self.page))
        blocks = [part for part in self.parts if part.kind not in ("own", "drop")]
        crossing = [part for part in self.parts if any(_cross(part, block) for block in blocks)]
        self.steps = writer.write([part for part in self.parts if part not in crossing] if crossing else self.parts)
        for part in (*crossing, *writer.crossing):
            self._problem("overlap", part.name, part.start)
        return self

    def _input(self, what: object) -> int:
        return self.inputs.setdefault(what, len(self.inputs))

    def _problem(self, reason: str, name: str, at: int) -> None:
        if len(self.problems) < html_problems_max:
            self.problems.append((reason, name, at))

    # --- elements ----------------------------------------------------------------------------------------------------

    def _element(self, found: "_Element") -> None:
        """Every slot of one element: an outer part, one for its content, and those of its attributes."""
        outer = Part(found.start, found.end, found.order)
        inner = Part(found.content, found.content_end, found.order, parent=outer)
        tag = self._tag_name(found.start)
        parts = [outer, inner]
        bits = found.rules
        while bits:
            slot = self.rules.slots[(bits & -bits).bit_length() - 1]
            bits &= bits - 1
            reason = _objection(slot, tag, found) or self._behind_broken_tag(slot, found)
            if reason:
                self._problem(reason, slot.name, found.start)
            elif slot.action in ATTRIBUTE_ACTIONS:
                self._attribute(slot, tag, found)
            else:
                self._place(slot, found, outer, inner, parts)
        self.parts += [part for part in parts if part.value or part.before or part.behind]

    def _tag_name(self, start: int) -> bytes:
        found = _TAG_NAME.match(self.page, start)
        return found[1].lower() if found else b""

    def _behind_broken_tag(self, slot: Slot, found: "_Element") -> str | None:
        """Whether a `<` of the text before would make a tag together with a value."""
        places = {"inner": found.content, "prepend": found.content, "append": found.content_end, "after": found.end}
        at = places.get(slot.action, found.start)
        return "context" if slot.action not in ATTRIBUTE_ACTIONS and self._broken_off(at) else None

    def _broken_off(self, at: int) -> bool:
        return self.page.rfind(b"<", max(at - 16, 0), at) >= 0 and bool(
            _BROKEN_OFF.search(self.page, max(at - 16, 0), at)
        )

    def _place(self, slot: Slot, found: "_Element", outer: Part, inner: Part, parts: list[Part]) -> None:
        context = "nothing" if slot.action == "remove" else "raw" if slot.raw else "text"
        ends = {"inner": b"", "prepend": b"", "append": found.inside, "after": found.behind}.get(
            slot.action, found.before
        )
        value = Value(self._input(slot.name), context, (ends, b""))
        if slot.action == "before":
            outer.before += (value,)
        elif slot.action == "after":
            outer.behind += (value,)
        elif slot.action == "prepend":
            inner.before += (value,)
        elif slot.action == "append":
            inner.behind += (value,)
        else:
            self._take(inner if slot.action == "inner" else outer, value, parts, slot.name)

    @staticmethod
    def _take(part: Part, value: Value, parts: list[Part], name: str) -> None:
        """Let a value take the place of a part; one that comes second, of what is inside of it."""
        if part.value is not None:
            part = Part(part.start, part.end, part.order, parent=part)
            parts.append(part)
        part.value, part.name = value, name

    def _attribute(self, slot: Slot, tag: bytes, element: "_Element") -> None:
        name_end, attributes = read_attributes(self.page, element.start)
        name = slot.attribute.lower().encode()
        found = next((one for one in attributes if one[0] == name), None)
        if slot.action == "set_attribute":
            context = "quoted" if slot.raw else attribute_context(tag, name)
            if context is None:
                return self._problem("code", slot.name, element.start)
            part = Part(name_end, name_end, element.order, name=slot.name)
            wrapping = (b" " + slot.attribute.encode() + b'="', b'"')
            if found is not None and found[2] < 0:
                part.start = part.end = found[4]
                wrapping = (b'="', b'"')
            elif found is not None:
                part.start, part.end = found[2] - len(found[5]), found[4]
                wrapping = _QUOTED
            part.value = Value(self._input(slot.name), context, wrapping)
            self.parts.append(part)
        elif found is not None and _EQUALS.match(self.page, found[4]):
            self._problem("context", slot.name, element.start)  # its rest would be the value of the one before
        elif found is not None:
            value = Value(self._input(slot.name), "nothing")
            self.parts.append(Part(found[1], found[4], element.order, value=value, name=slot.name))
        return None

    # --- comments ----------------------------------------------------------------------------------------------------

    def _comments(self, rows: Iterable[tuple[bytes, int, int, tuple[int, int] | None]]) -> None:
        opened: list[_Opening] = []
        for text, start, end, place in rows:
            name = text.partition(b"edge:")[2].decode("utf-8", "replace")
            if name not in self.rules.named:
                self._problem("unknown_name", name[:80], start)
            elif not text.startswith(b"/"):
                opened.append((name, start, end, place))
            elif not any(one[0] == name for one in opened):
                self._problem("unmatched", name, start)
            else:
                while opened[-1][0] != name:
                    self._problem("unmatched", *opened.pop()[:2])
                self._between(name, opened.pop(), start, place)
        for name, start, _, _ in opened:
            self._problem("unmatched", name, start)

    def _between(self, name: str, opening: "_Opening", end: int, place: tuple[int, int] | None) -> None:
        if place is None or opening[3] is None:
            return self._problem("doubtful", name, opening[1])
        if place != opening[3]:
            return self._problem("unbalanced", name, opening[1])
        value = Value(self._input(name), "raw" if self.rules.named[name].raw else "text")
        self.parts.append(Part(opening[2], end, 0, value=value, name=name))
        return None

    # --- placeholders and variables ----------------------------------------------------------------------------------

    def _placeholder(self, text: bytes, start: int, end: int, where: str, tag: int) -> None:
        name = text.strip().decode("utf-8", "replace")
        slot = self.rules.named.get(name)
        if slot is None:
            return self._problem("unknown_name", name[:80], start)
        try:
            written = self._written(start, end, where, tag, slot.raw)
        except _LeftAloneError as why:
            return self._problem(str(why), name, start)
        self.parts.append(Part(start, end, 0, value=Value(self._input(name), *written), name=name))
        return None

    def _variables(self, rows: Iterable[tuple[bytes, int, int, str, int]]) -> None:
        for text, start, end, where, tag in rows:
            name = text.decode("utf-8", "replace")
            variable = parse_variable(name)
            try:
                written = self._written(start, end, where, tag, False)
            except _LeftAloneError as why:
                self._problem(str(why), name[:80], start)
                continue
            default = text.partition(b"|")[2]
            content = (end - 1 - len(default), end - 1)
            if default[:1] == b"'":
                content = (content[0] + 1, content[1] - 1)
            value = Value(self._input(variable), *written)
            self.parts.append(Part(start, end, INNERMOST, "drop", value, content=content))

    def _written(self, start: int, end: int, where: str, tag: int, raw: bool) -> tuple[str, tuple[bytes, bytes]]:
        """How a placeholder's value is written, and what stands around it."""
        if where == "tag":
            return self._written_in_tag(start, end, tag, raw)
        if where == "comment" or self._broken_off(start):
            raise _LeftAloneError("context")
        if where == "doubtful" or (where == "code" and not raw):
            raise _LeftAloneError(where)
        return ("raw" if raw else "text"), _BARE

    def _written_in_tag(self, start: int, end: int, tag: int, raw: bool) -> tuple[str, tuple[bytes, bytes]]:
        for name, _, value, value_end, _, quote in read_attributes(self.page, tag)[1]:
            if not value <= start < end <= value_end:
                continue
            if not quote and (value, value_end) != (start, end):
                raise _LeftAloneError("unquoted")
            element = self._tag_name(tag)
            context = part_context(element, name, self.page[value:start], self.page[end:value_end])
            if context is None and not raw:
                raise _LeftAloneError("code" if attribute_context(element, name) is None else "url")
            return ("quoted" if raw or context is None else context), _BARE if quote else _QUOTED
        raise _LeftAloneError("context")


class _LeftAloneError(Exception):
    """Says by its reason why a placeholder cannot have a value. Never leaves this module."""


class _Element(NamedTuple):
    """A row of `Scan.elements`."""

    rules: int
    start: int
    content: int
    content_end: int
    end: int
    order: int
    problem: str | None
    has_content: bool
    start_clean: bool
    end_clean: bool
    before: bytes
    inside: bytes
    behind: bytes


_Opening = tuple[str, int, int, tuple[int, int] | None]
_BARE = (b"", b"")
_QUOTED = (b'"', b'"')


def _objection(slot: Slot, tag: bytes, found: _Element) -> str | None:
    """Why a slot cannot be had of an element. Its attributes stand in its start tag, whatever comes behind."""
    if found.problem == "doubtful":
        return "doubtful"
    if slot.action in CONTENT_ACTIONS and not found.has_content:
        return "void"
    if slot.action in CONTENT_ACTIONS and not slot.raw and tag in CODE_ELEMENTS:
        return "code"
    if not slot.raw and _lands_before_a_table(slot, tag):
        return "doubtful"
    if found.problem and slot.action not in ATTRIBUTE_ACTIONS:
        return "unbalanced"
    if slot.action in ("before", "replace", "remove") and not found.start_clean:
        return "unbalanced"
    return "unbalanced" if slot.action in ("append", "after") and not found.end_clean else None


def _cross(one: Part, other: Part) -> bool:
    return one.start < other.start < one.end < other.end or other.start < one.start < other.end < one.end


def _lands_before_a_table(slot: Slot, tag: bytes) -> bool:
    """Whether text would be directly in a table, out of which browsers move it."""
    if slot.action in CONTENT_ACTIONS:
        return tag in _TABLES
    return tag in _TABLE_PARTS and slot.action in ("before", "after", "replace")


_TABLES = frozenset({b"table", b"tbody", b"thead", b"tfoot", b"tr", b"colgroup"})
_TABLE_PARTS = _TABLES - {b"table"} | {b"td", b"th", b"caption", b"col"}
