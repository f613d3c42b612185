"""From a page and the rules about it to a template. Never raises for a page: what cannot be done is left alone."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t

from fastedge._core.htmlscan cimport Scan
from fastedge._core.htmltokens cimport Attribute, SCRIPT_LIKE, TABLE_CONTEXT, TABLE_PART, Tag, is_space, read_tag, same_text
from fastedge._core.htmltree cimport DOUBTFUL, FINE, Found
from fastedge._core.template cimport Template
from fastedge.html.steps cimport Part, StepWriter, Value, part_of, value_of

from fastedge.html.contexts import attribute_context, part_context
from fastedge.html.encoding import page_encoding
from fastedge.html.esi import EsiReader
from fastedge.html.expressions import EsiError, parse_variable
from fastedge.html.rules import ATTRIBUTE_ACTIONS, CONTENT_ACTIONS
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

cdef Py_ssize_t BYTES_MAX = html_bytes_max
cdef Py_ssize_t PROBLEMS_MAX = html_problems_max
cdef int TAG_BEGINS = 16    # so far before a value, what it could make a tag of may begin
cdef tuple BARE = (b"", b"")
cdef tuple QUOTED = (b'"', b'"')


cpdef Template compile_page(bytes page, rules, str charset=None):
    """The template of a page. `charset` is its Content-Type's; values are written as the page's encoding needs it.

    `template.inputs` are names of slots, `Variable`s and `Include`s. Without values it renders the page itself, but for
    ESI.
    """
    cdef Compiler made
    encoding = page_encoding(page, charset)
    if encoding is None or len(page) > BYTES_MAX:
        reason = "encoding" if encoding is None else "too_large"
        return Template(page, [("static", 0, len(page))], (), ((reason, "", 0),))
    made = Compiler.__new__(Compiler)
    made.page, made.slots, made.named = page, rules.slots, rules.named
    made.inputs, made.problems, made.parts = {}, [], []
    made.compile(rules)
    return Template(page, made.steps, made.inputs, made.problems, encoding != "utf-8")


@cython.final
cdef class Compiler:
    """One page's way from what is found in it to steps."""

    def number_of(self, what):
        """Which input it is."""
        return self.inputs.setdefault(what, len(self.inputs))

    cdef int compile(self, rules) except -1:
        cdef Scan scan = self._scan(rules)
        cdef int i
        if scan.too_many:
            self._problem("too_many", "", 0)
        if scan.lost_at >= 0:
            self._problem("doubtful", "", scan.lost_at)
        for i in range(scan.tree.count):
            self._element(&scan.tree.found[i], <list> scan.tree.closings[i])
        self._comments(scan.comments)
        for text, start, end, where, tag in scan.placeholders:
            self._placeholder(text, start, end, where, tag)
        return self._write()

    cdef Scan _scan(self, rules):
        """What is in the page; ESI tags have become parts, or a problem."""
        cdef Scan scan = Scan(self.page, rules.selectors, rules.esi)
        if not scan.esi:
            return scan
        try:
            if scan.esi_torn:
                raise EsiError("a tag crosses the end of an <!--esi")
            self.parts += EsiReader(self.page, self.number_of).read(scan.esi)
            self._variables(scan.variables)
            return scan
        except EsiError:
            self.inputs.clear()
            self.parts.clear()
            self.problems.clear()
            self._problem("esi", "", scan.esi[0][2])
            return Scan(self.page, rules.selectors)

    cdef int _write(self) except -1:
        cdef StepWriter writer = StepWriter(len(self.page))
        cdef Part part
        cdef list blocks = [part for part in self.parts if part.kind not in ("own", "drop")]
        cdef list crossing = [part for part in self.parts if crosses_one(part, blocks)] if blocks else []
        self.steps = writer.write([part for part in self.parts if part not in crossing] if crossing else self.parts)
        for part in (*crossing, *writer.crossing):
            self._problem("overlap", part.name, part.start)
        return 0

    cdef int _problem(self, str reason, str name, int at) except -1:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append((reason, name, at))
        return 0

    # --- elements ----------------------------------------------------------------------------------------------------

    cdef int _element(self, const Found* found, list closings) except -1:
        """Every slot of one element: an outer part, one for its content, and those of its attributes."""
        cdef Part outer = part_of(found.start, found.end, found.serial, None, None, ""), part
        cdef Part inner = part_of(found.content, found.content_end, found.serial, outer, None, "")
        cdef list parts = [outer, inner]
        cdef str action, reason
        cdef int i
        for i in range(len(self.slots)):
            if not found.rules >> i & 1:
                continue
            slot = self.slots[i]
            action = slot.action
            reason = objection(action, slot.raw, found)
            if reason is None and self._is_behind_broken_tag(action, found):
                reason = "context"
            if reason is not None:
                self._problem(reason, slot.name, found.start)
            elif action in ATTRIBUTE_ACTIONS:
                self._attribute(slot, found)
            else:
                self._place(slot, found, closings, outer, inner, parts)
        for part in parts:
            if part.value is not None or part.before or part.behind:
                self.parts.append(part)
        return 0

    cdef bint _is_behind_broken_tag(self, str action, const Found* found) except -1:
        """Whether a `<` of the text before would make a tag together with a value."""
        if action == "inner" or action == "prepend":
            return self._is_broken_off(found.content)
        if action == "append":
            return self._is_broken_off(found.content_end)
        if action == "after":
            return self._is_broken_off(found.end)
        return action in ("before", "replace", "remove") and self._is_broken_off(found.start)

    cdef bint _is_broken_off(self, int at) noexcept:
        """Whether the text before ends in `<`, or in `</` and letters."""
        cdef const uint8_t* page = <const uint8_t*> PyBytes_AS_STRING(self.page)
        cdef int first = max(at - TAG_BEGINS, 0), i = at - 1
        if i >= first and page[i] == c"<":
            return True
        while i >= first and c"a" <= page[i] | 0x20 <= c"z":
            i -= 1
        return i > first and page[i] == c"/" and page[i - 1] == c"<"

    cdef int _place(self, slot, const Found* found, list closings, Part outer, Part inner, list parts) except -1:
        cdef str action = slot.action
        cdef str context = "nothing" if action == "remove" else "raw" if slot.raw else "text"
        cdef bytes ends = closings[1] if action == "append" else closings[2] if action == "after" else closings[0]
        if action == "inner" or action == "prepend":
            ends = b""
        cdef Value value = value_of(self.number_of(slot.name), context, (ends, b"") if ends else BARE)
        if action == "before":
            outer.before += (value,)
        elif action == "after":
            outer.behind += (value,)
        elif action == "prepend":
            inner.before += (value,)
        elif action == "append":
            inner.behind += (value,)
        else:
            take(inner if action == "inner" else outer, value, parts, slot.name)
        return 0

    cdef int _attribute(self, slot, const Found* found) except -1:
        cdef const uint8_t* page = <const uint8_t*> PyBytes_AS_STRING(self.page)
        cdef bytes name = slot.attribute.lower().encode()
        cdef const Attribute* attribute
        cdef Tag tag
        read_tag(page, found.start, <int> len(self.page), &tag)
        attribute = named(&tag, page, name)
        if slot.action == "set_attribute":
            return self._set_attribute(slot, found, &tag, attribute)
        if attribute == NULL:
            return 0
        if is_equals_next(page, attribute.end):     # its rest would be the value of the one before
            return self._problem("context", slot.name, found.start)
        value = value_of(self.number_of(slot.name), "nothing", BARE)
        self.parts.append(part_of(attribute.name, attribute.end, found.serial, None, value, slot.name))
        return 0

    cdef int _set_attribute(self, slot, const Found* found, const Tag* tag, const Attribute* attribute) except -1:
        """In the place of the attribute's value, behind its name if it has none, or first of the tag."""
        cdef str written = slot.attribute
        cdef str context = "quoted" if slot.raw else attribute_context(name_of(self.page, tag), written.lower().encode())
        cdef tuple wrapping = QUOTED
        cdef Part part
        if context is None:
            return self._problem("code", slot.name, found.start)
        part = part_of(tag.name + tag.name_size, tag.name + tag.name_size, found.serial, None, None, slot.name)
        if attribute == NULL:
            wrapping = (b" " + written.encode() + b'="', b'"')
        elif attribute.value < 0:
            part.start = part.end = attribute.end
            wrapping = (b'="', b'"')
        else:
            part.start, part.end = attribute.value - (attribute.quote != 0), attribute.end
        part.value = value_of(self.number_of(slot.name), context, wrapping)
        self.parts.append(part)
        return 0

    # --- comments ----------------------------------------------------------------------------------------------------

    cdef int _comments(self, list rows) except -1:
        cdef list opened = []       # (name, start, end, place)
        for text, start, end, place in rows:
            name = (<bytes> text).partition(b"edge:")[2].decode("utf-8", "replace")
            if name not in self.named:
                self._problem("unknown_name", name[:80], start)
            elif not text.startswith(b"/"):
                opened.append((name, start, end, place))
            elif not any([one[0] == name for one in opened]):
                self._problem("unmatched", name, start)
            else:
                while (opening := opened.pop())[0] != name:
                    self._problem("unmatched", opening[0], opening[1])
                self._between(name, opening, start, place)
        for name, start, _, _ in opened:
            self._problem("unmatched", name, start)
        return 0

    cdef int _between(self, str name, tuple opening, int end, tuple place) except -1:
        if place is None or opening[3] is None:
            return self._problem("doubtful", name, opening[1])
        if place != opening[3]:
            return self._problem("unbalanced", name, opening[1])
        value = value_of(self.number_of(name), "raw" if self.named[name].raw else "text", BARE)
        self.parts.append(part_of(opening[2], end, 0, None, value, name))
        return 0

    # --- placeholders and variables ----------------------------------------------------------------------------------

    cdef int _placeholder(self, bytes text, int start, int end, str where, int tag) except -1:
        cdef str name = text.strip().decode("utf-8", "replace"), context
        slot = self.named.get(name)
        if slot is None:
            return self._problem("unknown_name", name[:80], start)
        context, found = self._written(start, end, where, tag, slot.raw)
        if context is None:
            return self._problem(found, name, start)
        self.parts.append(part_of(start, end, 0, None, value_of(self.number_of(name), context, found), name))
        return 0

    cdef int _variables(self, list rows) except -1:
        cdef int content, content_end
        for text, start, end, where, tag in rows:
            name = text.decode("utf-8", "replace")
            variable = parse_variable(name)
            context, found = self._written(start, end, where, tag, False)
            if context is None:
                self._problem(found, name[:80], start)
                continue
            default = text.partition(b"|")[2]
            content, content_end = end - 1 - len(default), end - 1
            if default[:1] == b"'":
                content, content_end = content + 1, content_end - 1
            value = value_of(self.number_of(variable), context, found)
            self.parts.append(Part(start, end, 0, "drop", value, content=(content, content_end)))
        return 0

    cdef tuple _written(self, int start, int end, str where, int at, bint raw):
        """How a placeholder's value is written, and what stands around it; or None, and why there can be no value."""
        if where == "tag":
            return self._written_in_tag(start, end, at, raw)
        if where == "comment" or self._is_broken_off(start):
            return None, "context"
        if where == "doubtful" or (where == "code" and not raw):
            return None, where
        return ("raw" if raw else "text"), BARE

    cdef tuple _written_in_tag(self, int start, int end, int at, bint raw):
        cdef const uint8_t* page = <const uint8_t*> PyBytes_AS_STRING(self.page)
        cdef const Attribute* one
        cdef Tag tag
        cdef int i, value_end
        read_tag(page, at, <int> len(self.page), &tag)
        for i in range(tag.count):
            one = &tag.attributes[i]
            value_end = one.value + one.value_size
            if not one.value <= start < end <= value_end:
                continue
            if not one.quote and (one.value != start or value_end != end):
                return None, "unquoted"
            element, name = name_of(self.page, &tag), self.page[one.name:one.name + one.name_size].lower()
            context = part_context(element, name, self.page[one.value:start], self.page[end:value_end])
            if context is None and not raw:
                return None, "code" if attribute_context(element, name) is None else "url"
            return ("quoted" if raw or context is None else context), BARE if one.quote else QUOTED
        return None, "context"


cdef str objection(str action, bint raw, const Found* found):
    """Why a slot cannot be had of an element. Its attributes stand in its start tag, whatever comes behind."""
    cdef bint inside = action in CONTENT_ACTIONS
    if found.problem == DOUBTFUL:
        return "doubtful"
    if inside and not found.has_content:
        return "void"
    if inside and not raw and found.flags & SCRIPT_LIKE:
        return "code"
    if not raw and lands_before_a_table(action, inside, found):
        return "doubtful"
    if found.problem != FINE and action not in ATTRIBUTE_ACTIONS:
        return "unbalanced"
    if not found.start_clean and action in ("before", "replace", "remove"):
        return "unbalanced"
    return "unbalanced" if not found.end_clean and action in ("append", "after") else None


cdef bint lands_before_a_table(str action, bint inside, const Found* found) except -1:
    """Whether text would be directly in a table, out of which browsers move it."""
    if inside:
        return found.flags & TABLE_CONTEXT != 0
    return found.flags & TABLE_PART != 0 and action in ("before", "after", "replace")


cdef int take(Part part, Value value, list parts, str name) except -1:
    """Let a value take the place of a part; one that comes second, of what is inside of it."""
    if part.value is not None:
        part = part_of(part.start, part.end, part.order, part, None, "")
        parts.append(part)
    part.value, part.name = value, name
    return 0


cdef bint crosses_one(Part part, list others) except -1:
    cdef Part other
    for other in others:
        if part.start < other.start < part.end < other.end or other.start < part.start < other.end < part.end:
            return True
    return False


cdef bytes name_of(bytes page, const Tag* tag):
    """In lower case."""
    return page[tag.name:tag.name + tag.name_size].lower()


cdef const Attribute* named(const Tag* tag, const uint8_t* page, bytes name) noexcept:
    """The first attribute of this name, given in lower case, or NULL."""
    cdef const uint8_t* lower = <const uint8_t*> PyBytes_AS_STRING(name)
    cdef int i
    for i in range(tag.count):
        if tag.attributes[i].name_size == len(name) and same_text(page + tag.attributes[i].name, lower, <int> len(name)):
            return &tag.attributes[i]
    return NULL


cdef bint is_equals_next(const uint8_t* page, int at) noexcept:
    while is_space(page[at]):
        at += 1
    return page[at] == c"="
