"""The open elements of an HTML page, as browsers build them (WHATWG HTML §13.2.6), as far as an element's end needs it.

What browsers move, reopen or drop is not followed: whatever stood open meanwhile counts as unbalanced. So an element that is
called fine has the same boundaries in every browser. One state is chosen: scripting is on, so `noscript` is raw text.
"""

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from fastedge._core.htmlbytes cimport fe_starts
from fastedge._core.htmltokens cimport (
    A, ANNOTATION, BODY, BR, BREAKS_OUT, BUTTON, CAPTION, CELL, CLOSES_P, COL, COLGROUP, DD, DT, FONT, FOREIGN_HTML, FORM,
    FORMATTING, FRAME, FRAMESET, HEAD, HEAD_CONTENT, HEADING, HR, HTML, IMPLIED_END, INPUT, LI, MARKER, MATH, MATH_GLYPH, MATH_TEXT,
    NOBR, OBJECT, OPTGROUP, OPTION, OPTIONAL_END, OTHER, OWN_START, P, PLAINTEXT, RAW, RCDATA, RUBY, RUBY_BASE, RUBY_TEXT, SCOPE, SCOPED_END, SCRIPT,
    SELECT, SPECIAL, STYLE, SVG, TABLE, TABLE_BODY, TABLE_CONTEXT, TABLE_PART, TEMPLATE, TEXTAREA, TITLE, TR, VOID, Tag, is_space,
    same_text,
)

from fastedge.limits import html_depth_max, html_found_max

assert html_depth_max == DEPTH and html_found_max == FOUND

# Scopes: what bounds the search for an open element (§13.2.4.2).
cdef enum:
    ANY_SCOPE, ITEM_SCOPE, BUTTON_SCOPE, TABLE_SCOPE, MARKER_SCOPE

cdef int NONE = -1


@cython.final
cdef class OpenElements:
    """Takes tags and text in the order of the page; `found` has what was to be remembered."""

    def __cinit__(self):
        self.stack = <Element*> malloc(2 * DEPTH * sizeof(Element))
        self.found = <Found*> malloc(FOUND * sizeof(Found))
        if self.stack == NULL or self.found == NULL:
            raise MemoryError
        self.gone = self.stack + DEPTH
        self.closings = []
        self.quirks = 1
        self.watches_text = True

    def __dealloc__(self):
        free(self.stack)
        free(self.found)

    # --- what comes in -----------------------------------------------------------------------------------------------

    cdef int doctype(self, int start, int end) except -1:
        """`<!DOCTYPE html>` and nothing else surely means no quirks; without any, it surely is quirks (§13.2.6.4.1)."""
        cdef int i = start + 9
        if self.depth or self.quirks != 1:
            return 0
        while is_space(self.page[i]):
            i += 1
        self.quirks = 2
        if end - i >= 5 and same_text(self.page + i, <const uint8_t*> b"html", 4):
            i += 4
            while is_space(self.page[i]):
                i += 1
            if i == end - 1:
                self.quirks = 0
        return 0

    cdef int start(self, const Tag* tag) except -1:
        """What a start tag does; says how what follows is to be read."""
        cdef Element* top = self.stack + self.depth - 1
        self.closed = 0
        self.closed_clean = True
        self.pushed = False
        self.lost |= self.depth >= DEPTH - 4
        if self.lost:
            return self._mode(tag)
        if self._only_pushes(tag, top):
            self._push(tag, 0)
            return MARKUP
        if self.depth and top.foreign and not (
            top.integration == 1
            or (top.integration == 2 and tag.id != MATH_GLYPH)
            or (top.id == ANNOTATION and tag.id == SVG)
        ):
            return self._start_foreign(tag)
        return self._start_html(tag)

    cdef int remember(self, const Tag* tag, uint64_t rules) except -1:
        """Keep the element on top as one that rules ask for."""
        cdef Element* top = self.stack + self.depth - 1
        cdef Found* found = self.found + self.count
        if self.count == FOUND:
            self.overflow = True
            return 0
        found.rules, found.id, found.flags, found.serial = rules, tag.id, tag.flags, top.serial
        found.start, found.content, found.content_end, found.end = tag.start, tag.end, tag.end, tag.end
        found.problem = DOUBTFUL if top.doubtful or self.lost else UNBALANCED
        found.has_content = not (tag.self_closing if top.foreign else (tag.flags & VOID) != 0)
        found.start_clean, found.end_clean = self.closed_clean, True
        self.closings.append([self._end_tags(NULL), b"", b""])
        top.found = self.count
        self.count += 1
        return 0

    cdef int settle(self, const Tag* tag) except -1:
        """Take off an element that can have no content."""
        cdef Element* top = self.stack + self.depth - 1
        if self.pushed and (tag.self_closing if top.foreign else (tag.flags & VOID) != 0):
            self.closed = 0
            self._close_one(top, tag.end, tag.end, True)
            self.depth -= 1
        return self._look()

    cdef inline int _look(self) except -1:
        self.watches_text = (
            not self.body_open or self.after_body or (self.stack[self.depth - 1].flags & TABLE_CONTEXT) != 0
        )
        return 0

    cdef int end(self, const Tag* tag) except -1:
        """What an end tag does."""
        cdef int i = self.depth - 1
        if self.lost:
            return 0
        self.closed = 0
        self.closed_clean = True
        if i > 0 and self._is_named(&self.stack[i], tag) and tag.id not in (FORM, BODY) and not self.stack[i].foreign:
            return self.close_top(tag.start, tag.end)
        if self.depth and self.stack[i].foreign and (tag.id == P or tag.id == BR):
            self._break_out(tag.start)
        while i > 0 and self.stack[i].foreign and not self._is_named(&self.stack[i], tag):
            i -= 1
        if i > 0 and self.stack[i].foreign and i < self.depth:
            self._close(i, tag.start, tag.end, True)
        else:
            self._end_html(tag)
        return self._look()

    cdef int end_of_top(self, int at, int size) noexcept:
        """Where the end tag at `at` ends, if it surely is that of the element on top, as nearly always: `close_top` takes it then.

        0: it has to be read, and taken by `end`.
        """
        cdef const Element* top = self.stack + self.depth - 1
        cdef int end
        if self.depth < 2 or self.lost or top.foreign or top.name_size > 8 or top.id == FORM or top.id == BODY:
            return 0
        end = at + 3 + top.name_size
        if end > size or at + 10 > size or self.page[end - 1] != c">":
            return 0
        return end if fe_starts(self.page + at + 2, top.key, top.name_size) else 0

    cdef int close_top(self, int at, int end) except -1:
        """What the end tag of the element on top does."""
        cdef Element* top = self.stack + self.depth - 1
        self.closed = 0
        self.closed_clean = True
        if top.found >= 0 or top.flags & MARKER:
            self._close(self.depth - 1, at, end, True)
        else:
            self.open_count[top.id] -= 1
            self.depth -= 1
        return self._look()

    cdef int text(self, int start, int end) except -1:
        """Text, which may be nothing but spaces."""
        while start < end and is_space(self.page[start]):
            start += 1
        if start == end or self.lost or self.open_count[TEMPLATE]:
            return 0
        self.closed = 0
        if not self.body_open:
            self._enter_body(start)
        elif self.after_body:
            self._leave_end()
        elif self.stack[self.depth - 1].flags & TABLE_CONTEXT:
            self.leaks += 1     # it ends up before the table
        self.watches_text = (self.stack[self.depth - 1].flags & TABLE_CONTEXT) != 0
        return 0

    cdef int finish(self, bint complete, int size) except -1:
        """The page is over. `complete`: not in the midst of a tag, a comment or raw text."""
        self.closed = 0
        self.closed_clean = True
        if not complete:
            self.lost = True
        return self._close(0, size, size, False)

    cdef bint takes_cdata(self) noexcept:
        return self.depth > 0 and self.stack[self.depth - 1].foreign != 0

    cdef int place(self) noexcept:
        """A number that says which element is open here."""
        return self.stack[self.depth - 1].serial if self.depth else 0

    cdef bint in_code(self) noexcept:
        """Whether text here is a script or a style, in svg for example: there it is no raw text."""
        return self.depth > 0 and self.stack[self.depth - 1].id in (SCRIPT, STYLE)

    # --- start tags --------------------------------------------------------------------------------------------------

    cdef inline bint _only_pushes(self, const Tag* tag, const Element* top) noexcept:
        """Whether the tag opens an element in the body and does nothing else, as most do. True only where it surely is so."""
        if self.watches_text or tag.flags & OWN_START or top.foreign or top.in_table or self.open_count[SELECT]:
            return False
        if tag.flags & (CLOSES_P | HEADING) and (self.open_count[P] or tag.flags & top.flags & HEADING):
            return False
        return tag.id != A or not (self.open_count[A] or self.leaks)

    cdef int _start_html(self, const Tag* tag) except -1:
        cdef int id = tag.id
        if not self.body_open and not self.open_count[TEMPLATE]:
            if self._start_before_body(tag):
                return self._mode(tag)
        elif id == FRAMESET:
            self.lost = True
            return MARKUP
        elif id == HTML or id == HEAD or id == BODY or id == FRAME:
            self.leaks += tag.count != 0    # a second body gives its attributes to the first
            return MARKUP
        if self.after_body:
            self._leave_end()
        if self._in_scope(SELECT, MARKER_SCOPE) >= 0 and self._start_in_select(tag):
            return self._mode(tag)
        if tag.flags & TABLE_PART:
            self._start_table_part(tag)
        elif self.depth and self.stack[self.depth - 1].in_table:
            self._start_in_table(tag)
        else:
            self._start_in_body(tag)
        return self._mode(tag)

    cdef int _mode(self, const Tag* tag) noexcept:
        """How the content of an HTML element is read, whatever has become of the element (§13.2.6.2)."""
        if tag.id == SCRIPT:
            return SCRIPT_TEXT
        if tag.id == PLAINTEXT:
            return PLAIN_TEXT
        return RAW_TEXT if tag.flags & (RAW | RCDATA) else MARKUP

    cdef int _start_before_body(self, const Tag* tag) except -1:
        """html, head and body, inferred where they are left out. 1: nothing is left to do."""
        cdef int head
        if tag.id == HTML:
            if self.depth == 0:
                self._push(tag, 0)
            else:
                self.leaks += 1
            return 1
        if self.depth == 0:
            self._infer(b"html", HTML, SCOPE | SPECIAL | OPTIONAL_END)
        if tag.id == HEAD or (tag.flags & HEAD_CONTENT and not self.head_seen):
            if not self.head_seen:
                self.head_seen = True
                if tag.id == HEAD:
                    self._push(tag, 0)
                else:
                    self._infer(b"head", HEAD, SPECIAL | OPTIONAL_END)
            if tag.id == HEAD:
                return 1
        if tag.flags & HEAD_CONTENT:
            return 0
        if tag.id == BODY:
            head = self._in_scope(HEAD, ANY_SCOPE)
            if head >= 0:
                self._close(head, tag.start, tag.start, False)
            self.head_seen = self.body_open = True
            self._push(tag, 0)
            return 1
        if tag.id == FRAMESET:
            self.lost = True
            return 1
        self._enter_body(tag.start)
        return 0

    cdef int _enter_body(self, int at) except -1:
        cdef int head
        if self.depth == 0:
            self._infer(b"html", HTML, SCOPE | SPECIAL | OPTIONAL_END)
        head = self._in_scope(HEAD, ANY_SCOPE)
        if head >= 0:
            self._close(head, at, at, False)
        self.head_seen = self.body_open = True
        return self._infer(b"body", BODY, SPECIAL | OPTIONAL_END)

    cdef int _leave_end(self) except -1:
        """Content behind `</body>`: it is inside after all."""
        cdef int i
        self.after_body = False
        for i in range(self.count):
            if self.found[i].id == BODY or self.found[i].id == HTML:
                self.found[i].problem = UNBALANCED
        return 0

    cdef int _start_in_select(self, const Tag* tag) except -1:
        """Browsers differ, since what may be inside has been widened. 1: this tag is no element for some of them."""
        cdef int select = self._in_scope(SELECT, MARKER_SCOPE)
        if tag.id == OPTION or tag.id == OPTGROUP or tag.id == HR:
            if self.stack[self.depth - 1].id == OPTION:
                self._close(self.depth - 1, tag.start, tag.start, False)
            if tag.id != OPTION and self.stack[self.depth - 1].id == OPTGROUP:
                self._close(self.depth - 1, tag.start, tag.start, False)
            self._push(tag, 0)
            return 1
        if tag.id == SCRIPT or tag.id == TEMPLATE:
            return 0
        if tag.id == SELECT or tag.id == INPUT or tag.id == TEXTAREA or tag.flags & TABLE_PART or tag.id == TABLE:
            self._close(select, tag.start, tag.start, False)
            return tag.id == SELECT
        self.leaks += 1
        if tag.flags & (RAW | RCDATA) or tag.id == SVG or tag.id == MATH:
            self.lost = True
        return 1

    cdef int _start_table_part(self, const Tag* tag) except -1:
        """The parts of tables close each other, and infer what is left out between them (§13.2.6.4.9)."""
        cdef int table = self._in_scope(TABLE, TABLE_SCOPE)
        cdef int keep
        if table < 0:
            if self.open_count[TEMPLATE]:
                self._push(tag, 0)
            return 0
        keep = table
        if tag.id == TR or tag.id == CELL:
            keep = max(keep, self._in_scope(TABLE_BODY, TABLE_SCOPE))
        if tag.id == CELL:
            keep = max(keep, self._in_scope(TR, TABLE_SCOPE))
        if tag.id == COL:
            keep = max(keep, self._in_scope(COLGROUP, TABLE_SCOPE))
        if keep < self.depth - 1:
            self._close(keep + 1, tag.start, tag.start, False)
        if tag.id == COL and self.stack[keep].id != COLGROUP:
            self._infer(b"colgroup", COLGROUP, SPECIAL | OPTIONAL_END | TABLE_CONTEXT)
        if (tag.id == TR or tag.id == CELL) and self.stack[keep].id == TABLE:
            self._infer(b"tbody", TABLE_BODY, SPECIAL | OPTIONAL_END | TABLE_CONTEXT)
        if tag.id == CELL and self.stack[self.depth - 1].id != TR:
            self._infer(b"tr", TR, SPECIAL | OPTIONAL_END | TABLE_CONTEXT)
        self._push(tag, 0)
        return 0

    cdef int _start_in_table(self, const Tag* tag) except -1:
        """Directly in a table: what is not at home there, browsers move before it."""
        cdef int table = self._in_scope(TABLE, TABLE_SCOPE)
        if self.stack[self.depth - 1].id == COLGROUP and tag.id != TEMPLATE:
            self._close(self.depth - 1, tag.start, tag.start, False)
        if tag.id == SCRIPT or tag.id == STYLE or tag.id == TEMPLATE:
            return self._push(tag, 0)
        self.leaks += 1
        if tag.id == TABLE and table >= 0:
            self._close(table, tag.start, tag.start, False)
            return self._start_html(tag)
        if tag.id == FORM:
            if not self.form and not self.open_count[TEMPLATE]:
                self.serials += 1
                self.form = self.serials
            return 0
        self._start_in_body(tag)
        if self.pushed:
            self.stack[self.depth - 1].doubtful = True
        return 0

    cdef int _start_in_body(self, const Tag* tag) except -1:
        cdef int open_one
        if tag.id == FORM and self.form and not self.open_count[TEMPLATE]:
            return 0
        if tag.flags & CLOSES_P or tag.id == TABLE:
            open_one = self._in_scope(P, BUTTON_SCOPE)
            if open_one >= 0 and (tag.id != TABLE or self.quirks == 0) and tag.id not in (LI, DD, DT):
                self._close(open_one, tag.start, tag.start, False)
            elif open_one >= 0 and tag.id == TABLE and self.quirks == 2:
                self.leaks += 1
        self._close_like(tag)
        self._push(tag, 1 if tag.id == SVG else 2 if tag.id == MATH else 0)
        if tag.id == FORM and not self.open_count[TEMPLATE]:
            self.form = self.stack[self.depth - 1].serial
        return 0

    cdef int _close_like(self, const Tag* tag) except -1:
        """What a start tag closes because two of its kind cannot be inside one another (§13.2.6.4.7)."""
        cdef int open_one = NONE
        cdef Element* top = self.stack + self.depth - 1
        if tag.flags & HEADING and top.flags & HEADING and not top.foreign:
            open_one = self.depth - 1
        elif tag.id == LI or tag.id == DD or tag.id == DT:
            open_one = self._open_item(tag.id)
            if open_one >= 0:
                self._close(open_one, tag.start, tag.start, False)
            open_one = self._in_scope(P, BUTTON_SCOPE)
        elif tag.id == A or tag.id == NOBR:
            if self.leaks:
                self.leaks += 1     # it may be closing one that was left open before
                self.closed_clean = False
            self._end_formatting(tag, MARKER_SCOPE if tag.id == A else ANY_SCOPE)
        elif tag.id == BUTTON:
            open_one = self._in_scope(BUTTON, ANY_SCOPE)
        elif (tag.id == OPTION or tag.id == OPTGROUP) and top.id == OPTION:
            open_one = self.depth - 1
        elif (tag.id == RUBY_BASE or tag.id == RUBY_TEXT) and self._in_scope(RUBY, ANY_SCOPE) >= 0:
            self._pop_implied(tag.start, NONE)
        if open_one >= 0:
            self._close(open_one, tag.start, tag.start, False)
        return 0

    cdef int _open_item(self, int id) noexcept:
        """The open li, or dd or dt, that a new one closes."""
        cdef int i
        if self.open_count[LI if id == LI else DD] == 0 and (id == LI or self.open_count[DT] == 0):
            return NONE
        for i in range(self.depth - 1, -1, -1):
            if self.stack[i].foreign == 0 and (self.stack[i].id == id or (id != LI and self.stack[i].id in (DD, DT))):
                return i
            if self.stack[i].flags & SPECIAL and self.stack[i].id != P and not self._is_plain_block(&self.stack[i]):
                return NONE
            if self.stack[i].integration:
                return NONE
        return NONE

    cdef bint _is_plain_block(self, const Element* element) noexcept:
        """div and address, through which an item closes the one before it."""
        if element.start < 0 or element.foreign:
            return False
        if element.name_size == 3:
            return same_text(self.page + element.name, <const uint8_t*> b"div", 3)
        return element.name_size == 7 and same_text(self.page + element.name, <const uint8_t*> b"address", 7)

    cdef int _start_foreign(self, const Tag* tag) except -1:
        """Inside svg and math; HTML that cannot be there ends them (§13.2.6.5)."""
        cdef Element* top = self.stack + self.depth - 1
        if tag.flags & BREAKS_OUT or (tag.id == FONT and self._has_attribute(tag)):
            self._break_out(tag.start)
            return self._start_html(tag)
        self._push(tag, top.foreign)
        return MARKUP

    cdef bint _has_attribute(self, const Tag* tag) noexcept:
        """Whether a font has what only HTML's has."""
        cdef int i
        cdef const uint8_t* name
        for i in range(tag.count):
            name = self.page + tag.attributes[i].name
            if tag.attributes[i].name_size == 5 and same_text(name, <const uint8_t*> b"color", 5):
                return True
            if tag.attributes[i].name_size == 4:
                if same_text(name, <const uint8_t*> b"face", 4) or same_text(name, <const uint8_t*> b"size", 4):
                    return True
        return tag.overflow

    cdef int _break_out(self, int at) except -1:
        cdef int i = self.depth - 1
        while i > 0 and self.stack[i].foreign and not self.stack[i].integration:
            i -= 1
        self.leaks += 1
        return self._close(i + 1, at, at, False) if i + 1 < self.depth else 0

    cdef int _push(self, const Tag* tag, int foreign) except -1:
        cdef Element* element = self.stack + self.depth
        cdef Element* parent = element - 1
        self.serials += 1
        element.start, element.name, element.name_size = tag.start, tag.name, tag.name_size
        element.key, element.id, element.flags = tag.key, tag.id, tag.flags
        element.leaks, element.serial, element.found = self.leaks, self.serials, NONE
        element.foreign, element.integration = foreign, 0
        element.in_table = self.depth > 0 and parent.in_table
        element.doubtful = self.depth > 0 and (
            parent.doubtful or (parent.id == TEMPLATE and not parent.foreign) or self.in_code()
        )
        if foreign:
            element.flags = 0
            if foreign == 1 and (tag.id == FOREIGN_HTML or tag.id == TITLE):
                element.integration, element.flags = 1, SPECIAL | SCOPE
            elif foreign == 2 and (tag.id == MATH_TEXT or tag.id == ANNOTATION):
                element.integration, element.flags = 2 * (tag.id == MATH_TEXT), SPECIAL | SCOPE
                if tag.id == ANNOTATION and tag.count:      # its encoding says whether HTML is inside
                    self.lost = True
        elif tag.flags & TABLE_CONTEXT or tag.id == TABLE:
            element.in_table = True
        elif tag.id == CELL or tag.id == CAPTION or tag.id == TEMPLATE:
            element.in_table = False
        self.open_count[tag.id] += not foreign
        self.depth += 1
        self.pushed = True
        return 0

    cdef int _infer(self, const char* name, int id, uint32_t flags) except -1:
        """An element that browsers put where its start tag was left out."""
        cdef Tag tag
        cdef int i = 0
        tag.start, tag.name, tag.id, tag.flags, tag.key, tag.count = -1, -1, id, flags, 0, 0
        while name[i]:
            tag.key |= <uint64_t> <uint8_t> name[i] << (8 * i)
            i += 1
        tag.name_size = i
        self._push(&tag, 0)
        self.pushed = False
        return 0

    # --- end tags ----------------------------------------------------------------------------------------------------

    cdef int _end_html(self, const Tag* tag) except -1:
        cdef int found = NONE
        cdef int id = tag.id
        if id == BODY or id == HTML:
            return self._end_document(tag)
        if not self.body_open and not self.open_count[TEMPLATE]:
            if id == P or id == BR:
                self.leaks += 1
            found = self._named_in_scope(tag, ANY_SCOPE)
        elif tag.flags & FORMATTING:
            return self._end_formatting(tag, ANY_SCOPE)
        elif id == FORM and not self.open_count[TEMPLATE]:
            return self._end_form(tag)
        elif id == P or id == BR:
            found = self._in_scope(P, BUTTON_SCOPE) if id == P else NONE
            if found < 0 and self.depth and self.stack[self.depth - 1].in_table:
                self.leaks += 1     # an empty one comes into being, before the table
        elif id == LI:
            found = self._in_scope(LI, ITEM_SCOPE)
        elif id == TABLE or id == TEMPLATE or tag.flags & TABLE_PART:
            found = self._named_in_scope(tag, TABLE_SCOPE)
        elif tag.flags & HEADING:
            found = self._heading_in_scope()
            if found >= 0 and not self._is_named(&self.stack[found], tag):
                return self._close(found, tag.start, tag.end, False)
        elif tag.flags & SCOPED_END or id == DD or id == DT or id == FORM:
            found = self._named_in_scope(tag, ANY_SCOPE)
        else:
            return self._end_ordinary(tag)
        return self._close(found, tag.start, tag.end, True) if found >= 0 else 0

    cdef int _end_ordinary(self, const Tag* tag) except -1:
        """Any other end tag: it does not reach past a special element."""
        cdef int i
        for i in range(self.depth - 1, -1, -1):
            if self.stack[i].foreign == 0 and self._is_named(&self.stack[i], tag):
                return self._close(i, tag.start, tag.end, True)
            if self.stack[i].flags & SPECIAL or self.stack[i].integration:
                return 0
        return 0

    cdef int _end_formatting(self, const Tag* tag, int scope) except -1:
        """Its end tag, or a start tag that ends it. What is open around a special element is torn apart (§13.2.6.4.7)."""
        cdef int i
        cdef int found = self._named_in_scope(tag, scope)
        cdef bint torn = False
        if found < 0:
            if self.leaks and tag.closing:
                self.leaks += 1     # it may be the end of one that was left open before
            return 0
        for i in range(found + 1, self.depth):
            torn = torn or (self.stack[i].flags & SPECIAL) != 0 or self.stack[i].foreign != 0
        if not torn:
            return self._close(found, tag.start, tag.end, tag.closing)
        self.leaks += 1
        self.closed_clean = False
        return self._remove(found)

    cdef int _end_document(self, const Tag* tag) except -1:
        """`</body>` and `</html>`: what follows may still turn out to be inside, and is looked at."""
        cdef int body = self._in_scope(BODY, ANY_SCOPE)
        cdef int i
        if self.open_count[TEMPLATE] or body < 0:
            if not self.open_count[TEMPLATE] and not self.body_open:
                self._enter_body(tag.start)
                self.after_body = True
            return 0
        if body + 1 < self.depth:
            self._close(body + 1, tag.start, tag.start, False)
        if not self.after_body:
            i = body if tag.id == BODY else 0
            self._close_one(&self.stack[i], tag.start, tag.end, True)
            self.stack[i].found = NONE
        self.after_body = True
        return 0

    cdef int _end_form(self, const Tag* tag) except -1:
        """The open form ends, whatever is open inside of it stays open (§13.2.6.4.7)."""
        cdef int i, serial = self.form
        self.form = 0
        for i in range(self.depth - 1, -1, -1):
            if self.stack[i].serial == serial:
                self._pop_implied(tag.start, NONE)
                if i == self.depth - 1:
                    return self._close(i, tag.start, tag.end, True)
                self.leaks += 1
                return self._remove(i)
            if self.stack[i].flags & SCOPE:
                break
        self.leaks += serial != 0
        return 0

    # --- closing -----------------------------------------------------------------------------------------------------

    cdef int _close(self, int index, int content_end, int end, bint named) except -1:
        """Everything down to an element ends at `content_end`; `named`: it does so by its own end tag, which ends at `end`."""
        cdef int i
        cdef Element* element
        for i in range(self.depth - 1, index - 1, -1):
            element = &self.stack[i]
            if element.flags & MARKER and not element.foreign and (element.id != OBJECT or (named and i == index)):
                self.leaks = element.leaks if not element.doubtful else max(element.leaks, self.leaks)
            if named and i == index:
                self._close_one(element, content_end, end, True)
            else:
                self._close_one(element, content_end, content_end, False)
                self.gone[self.closed] = element[0]
                self.closed += 1
        self.depth = index
        return 0

    cdef int _close_one(self, Element* element, int content_end, int end, bint named) except -1:
        """The end of one element, which those in `gone` have just ended inside of."""
        cdef bint clean = named or ((element.flags & OPTIONAL_END) != 0 and element.foreign == 0)
        cdef Found* found
        cdef bint children_clean = self.closed_clean
        if not clean:
            self.closed_clean = False
            if element.flags & FORMATTING:
                self.leaks += 1
        self.open_count[element.id] -= not element.foreign
        if element.serial == self.form:
            self.form = 0 if named else self.form
        if element.found < 0:
            return 0
        found = self.found + element.found
        found.content_end, found.end = content_end, end
        if found.problem == UNBALANCED and clean and element.leaks == self.leaks and not self.lost:
            found.problem = FINE
        found.end_clean = children_clean and self.leaks == 0    # what is open again, open it stays to the end
        self.closings[element.found][1] = self._end_tags(NULL)
        self.closings[element.found][2] = b"" if named else self._end_tags(element)
        return 0

    cdef int _pop_implied(self, int at, int kept) except -1:
        """Generate implied end tags, except for one kind of element."""
        while self.stack[self.depth - 1].flags & IMPLIED_END and self.stack[self.depth - 1].id != kept:
            self._close(self.depth - 1, at, at, False)
        return 0

    cdef int _remove(self, int index) except -1:
        """An element ends while others inside of it stay open: its end is not where it seems."""
        cdef int i
        self.stack[index].leaks = -1
        self._close_one(&self.stack[index], self.stack[index].start, self.stack[index].start, True)
        for i in range(index, self.depth - 1):
            self.stack[i] = self.stack[i + 1]
        self.depth -= 1
        return 0

    cdef bytes _end_tags(self, const Element* last):
        """The end tags of what the last token closed without naming it, and of one more."""
        cdef int i
        if self.closed == 0 and last == NULL:
            return b""
        names = [self._name(&self.gone[i]) for i in range(self.closed)]
        if last != NULL:
            names.append(self._name(last))
        return b"".join([b"</%b>" % name for name in names])

    cdef bytes _name(self, const Element* element):
        if element.start < 0:
            return (<uint64_t> element.key).to_bytes(8, "little").rstrip(b"\0")
        return self.page[element.name:element.name + element.name_size]

    # --- looking for open elements -----------------------------------------------------------------------------------

    cdef int _in_scope(self, int id, int scope) noexcept:
        """The innermost open HTML element of a kind, or -1."""
        cdef int i
        if self.open_count[id] == 0:
            return NONE
        for i in range(self.depth - 1, -1, -1):
            if self.stack[i].id == id and not self.stack[i].foreign:
                return i
            if self._is_bound(&self.stack[i], scope):
                return NONE
        return NONE

    cdef int _named_in_scope(self, const Tag* tag, int scope) noexcept:
        cdef int i
        if self.open_count[tag.id] == 0:
            return NONE
        for i in range(self.depth - 1, -1, -1):
            if not self.stack[i].foreign and self._is_named(&self.stack[i], tag):
                return i
            if self._is_bound(&self.stack[i], scope):
                return NONE
        return NONE

    cdef int _heading_in_scope(self) noexcept:
        cdef int i
        for i in range(self.depth - 1, -1, -1):
            if self.stack[i].flags & HEADING and not self.stack[i].foreign:
                return i
            if self.stack[i].flags & SCOPE:
                return NONE
        return NONE

    cdef bint _is_bound(self, const Element* element, int scope) noexcept:
        """Whether a search ends at this element (§13.2.4.2)."""
        if scope == TABLE_SCOPE:
            return not element.foreign and element.id in (HTML, TABLE, TEMPLATE)
        if scope == MARKER_SCOPE:
            return element.flags & MARKER != 0
        if element.flags & SCOPE:
            return True
        if element.foreign:
            return False
        if scope == BUTTON_SCOPE:
            return element.id == BUTTON
        return scope == ITEM_SCOPE and element.name_size == 2 and element.start >= 0 and (
            same_text(self.page + element.name, <const uint8_t*> b"ol", 2)
            or same_text(self.page + element.name, <const uint8_t*> b"ul", 2)
        )

    cdef bint _is_named(self, const Element* element, const Tag* tag) noexcept:
        if element.key != tag.key or element.name_size != tag.name_size:
            return False
        if element.name_size <= 8 or element.id != OTHER or tag.id != OTHER:
            return element.id == tag.id
        return _same(self.page + element.name + 8, self.page + tag.name + 8, element.name_size - 8)


cdef bint _same(const uint8_t* one, const uint8_t* other, int size) noexcept:
    """Whether two names are the same but for the case of ASCII letters."""
    cdef int i
    for i in range(size):
        if one[i] != other[i] and ((one[i] ^ other[i]) != 0x20 or not c"a" <= one[i] | 0x20 <= c"z"):
            return False
    return True
