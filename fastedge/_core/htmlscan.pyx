"""One pass over an HTML page: the elements, comments, placeholders and ESI tags that rules may turn into slots.

Only says where they are. Never raises for what a page contains; whatever cannot be trusted is called so.
"""

cimport cython
from libc.stdint cimport uint8_t
from libc.string cimport memcmp

from fastedge._core.htmlbytes cimport fe_find, fe_search
from fastedge._core.htmlselectors cimport Selectors, may_match
from fastedge._core.htmltokens cimport (
    RCDATA, Tag, bogus_comment_end, cdata_end, comment_end, is_space, raw_end, read_tag, same_text, script_end,
)
from fastedge._core.htmltree cimport Found, MARKUP, OpenElements, PLAIN_TEXT, SCRIPT_TEXT

from fastedge.limits import html_bytes_max, html_marks_max

# Where a placeholder stands.
cdef enum:
    IN_TEXT, IN_REFERENCES, IN_CODE, IN_TAG, IN_COMMENT, IN_DOUBT

cdef tuple PLACES = ("text", "references", "code", "tag", "comment", "doubtful")
cdef tuple PROBLEMS = (None, "unbalanced", "doubtful")    # by the numbers of htmltree
cdef int MARKS_MAX = html_marks_max
cdef Py_ssize_t BYTES_MAX = html_bytes_max


cdef inline bint is_letter(uint8_t c) noexcept nogil:
    return c"a" <= c | 0x20 <= c"z"


@cython.final
cdef class Scan:
    """What a page has. Rows are tuples:

    `elements`: (rules that match, as bits; start; content; content_end; end; its place; problem or None; has content; its start is
    clean; its end is clean; end tags to write before it, at its content's end, behind it).
    `comments`: (text, start, end, place). `placeholders` and `variables`: (text, start, end, where, start of the tag or -1).
    `esi`: (name, is an end tag, start, end, place, is self-closing).
    A place is (number of the innermost open element, leaks): what begins and ends in the same place is balanced.
    """

    def __init__(self, bytes page not None, Selectors selectors not None, bint esi=False):
        if len(page) > BYTES_MAX:
            raise ValueError("the page is too large")
        self.page, self.size = page, <int> len(page)
        self.with_esi = esi
        self.tree = OpenElements()
        self.tree.page = self.page
        self.comments, self.placeholders, self.variables, self.esi = [], [], [], []
        self.esi_close = self.lost_at = -1
        self.mark = self._next_mark(0)
        self.variable = fe_search(self.page, b"$(", 2, 0, self.size) if esi else self.size
        self.tree.finish(self._pass(selectors), self.size)
        self.too_many |= self.tree.overflow

    @property
    def elements(self):
        """As rows; native code reads them in `tree`."""
        cdef Found* found
        cdef int i
        rows = []
        for i in range(self.tree.count):
            found = &self.tree.found[i]
            rows.append((
                found.rules, found.start, found.content, found.content_end, found.end, found.serial, PROBLEMS[found.problem],
                found.has_content, found.start_clean, found.end_clean, *self.tree.closings[i],
            ))
        return rows

    cdef bint _pass(self, Selectors selectors) except -1:
        """All of the page. Whether it is complete: it does not end inside a tag, a comment or raw text."""
        cdef int at = 0, i, limit
        cdef OpenElements tree = self.tree
        while at < self.size:
            limit = self.esi_close if self.esi_close >= 0 else self.size
            if at > limit:
                self.esi_torn = True
                return False
            i = fe_find(self.page, c"<", at, limit)
            if i > at:
                if tree.watches_text:
                    tree.text(at, i)
                self._note(i, IN_TEXT, -1)
            if i == self.esi_close:
                self._mark_esi(b"", True, i, i + 3, False)
                self.esi_close = -1
                at = i + 3
                continue
            if i == self.size:
                break
            at = self._token(i, selectors)
            if tree.lost and self.lost_at < 0:
                self.lost_at = i
        return at <= self.size and self.esi_close < 0

    cdef int _token(self, int i, Selectors selectors) except -1:
        """What begins with the `<` at `i`; where it ends, beyond the page if it does not."""
        cdef uint8_t c = self.page[i + 1]
        cdef int end
        if is_letter(c):
            return self._start_tag(i, selectors)
        if c == c"/" and is_letter(self.page[i + 2]):
            return self._end_tag(i)
        if c == c"!":
            return self._declaration(i)
        if c == c"?" or (c == c"/" and i + 2 < self.size):
            end = bogus_comment_end(self.page, i, self.size)    # `</>` is nothing at all
            self._note(end, IN_COMMENT, -1)
            return end
        if self.tree.watches_text:
            self.tree.text(i, i + 1)
        return i + 1

    cdef int _start_tag(self, int i, Selectors selectors) except -1:
        cdef Tag tag
        cdef int mode
        cdef unsigned long long rules
        if not read_tag(self.page, i, self.size, &tag):
            self._note(self.size, IN_CODE, -1)
            return self.size + 1
        if self.with_esi and self._is_esi(&tag):
            return self._esi_tag(&tag)
        mode = self.tree.start(&tag)
        if self.tree.pushed and may_match(selectors, &tag):
            rules = selectors.match(self.tree, &tag)
            if rules:
                self.tree.remember(&tag, rules)
        self._note(tag.end, IN_TAG, i)
        self.tree.settle(&tag)
        return tag.end if mode == MARKUP else self._raw_text(&tag, mode)

    cdef int _raw_text(self, const Tag* tag, int mode) except -1:
        cdef int end = self.size
        if mode == SCRIPT_TEXT:
            end = script_end(self.page, tag.end, self.size)
        elif mode != PLAIN_TEXT:
            end = raw_end(self.page, tag.end, self.size, tag)
        self._note(end, IN_REFERENCES if tag.flags & RCDATA else IN_CODE, -1)
        return end if end < self.size else self.size + 1

    cdef int _end_tag(self, int i) except -1:
        cdef Tag tag
        cdef int end = self.tree.end_of_top(i, self.size)
        if end and not (self.with_esi and self.page[i + 2] == c"e"):
            self._note(end, IN_COMMENT, -1)
            self.tree.close_top(i, end)
            return end
        if not read_tag(self.page, i, self.size, &tag):
            self._note(self.size, IN_CODE, -1)
            return self.size + 1
        self._note(tag.end, IN_COMMENT, -1)
        if self.with_esi and self._is_esi(&tag):
            return self._esi_tag(&tag)
        self.tree.end(&tag)
        return tag.end

    cdef int _declaration(self, int i) except -1:
        """`<!…`: a comment, a doctype, or CDATA."""
        cdef int end
        if self.page[i + 2] == c"-" and self.page[i + 3] == c"-":
            return self._comment(i)
        if self.size - i > 9 and memcmp(self.page + i + 2, b"[CDATA[", 7) == 0 and self.tree.takes_cdata():
            end = cdata_end(self.page, i, self.size)
        else:
            end = bogus_comment_end(self.page, i, self.size)
            if end <= self.size and end - i > 9 and same_text(self.page + i + 2, <const uint8_t*> b"doctype", 7):
                self.tree.doctype(i, end)
        self._note(end, IN_COMMENT, -1)
        return end

    cdef int _comment(self, int i) except -1:
        cdef int end, at = i + 4
        if self.with_esi and self.esi_close < 0 and self.size - i > 8 and memcmp(self.page + at, b"esi", 3) == 0 and is_space(self.page[at + 3]):
            end = fe_search(self.page, b"-->", 3, at + 3, self.size)
            if end < self.size:
                self._mark_esi(b"", False, i, at + 3, False)
                self.esi_close = end
                return at + 3
        end = comment_end(self.page, i, self.size)
        if end <= self.size:
            self._look_at_comment(i, end)
        self._note(end, IN_COMMENT, -1)
        return end

    cdef int _look_at_comment(self, int start, int end) except -1:
        """Keep `<!-- edge:name -->` and `<!-- /edge:name -->`."""
        cdef int at = start + 4
        while is_space(self.page[at]):
            at += 1
        if end - at < 9 or memcmp(self.page + at + (self.page[at] == c"/"), b"edge:", 5) != 0:
            return 0
        if self._is_full():
            return 0
        text = self.page[at:end].rstrip(b">").rstrip(b"!").rstrip(b"-").rstrip()
        self.comments.append((text, start, end, self._place()))
        return 0

    cdef tuple _place(self):
        """None in a script or a style, and where nothing is sure."""
        return None if self.tree.lost or self.tree.in_code() else (self.tree.place(), self.tree.leaks)

    cdef bint _is_full(self) noexcept:
        self.marks += 1
        self.too_many |= self.marks > MARKS_MAX
        return self.marks > MARKS_MAX

    # --- placeholders and ESI ----------------------------------------------------------------------------------------

    cdef int _next_mark(self, int at) noexcept:
        """The next `{{edge.`; braces are rare enough in pages."""
        while True:
            at = fe_find(self.page, c"{", at, self.size)
            if at == self.size or (self.page[at + 1] == c"{" and self.size - at > 7 and memcmp(self.page + at + 2, b"edge.", 5) == 0):
                return at
            at += 1

    cdef inline int _note(self, int end, int where, int tag) except -1:
        """Placeholders up to `end`, all of which are in one kind of place."""
        if self.mark >= end and self.variable >= end:
            return 0
        return self._note_all(end, where, tag)

    cdef int _note_all(self, int end, int where, int tag) except -1:
        if self.tree.lost:
            where = IN_DOUBT
        elif where == IN_TEXT and self.tree.in_code():
            where = IN_CODE
        if self.mark < end and self.mark < self.size:
            self.mark = self._keep(self.placeholders, self.mark, b"}}", 2, end, where, tag, b"{{edge.", 7)
        if self.variable < end and self.variable < self.size:
            self.variable = self._keep(self.variables if self.vars else None, self.variable, b")", 1, end, where, tag, b"$(", 2)
        return 0

    cdef int _keep(
        self, list rows, int at, const char* closing, int closing_size, int end, int where, int tag, const char* opening, int opening_size
    ) except -1:
        """Every `opening…closing` from `at` to `end`; where the next one is."""
        cdef int stop
        while at < end and at < self.size:
            stop = fe_search(self.page, closing, closing_size, at + opening_size, min(end, at + 512, self.size))
            if rows is not None and stop < min(end, at + 512, self.size) and not self._is_full():
                rows.append((self.page[at + opening_size:stop], at, stop + closing_size, PLACES[where], tag))
            at = fe_search(self.page, opening, opening_size, at + opening_size, self.size)
        return at

    cdef bint _is_esi(self, const Tag* tag) noexcept:
        return tag.name_size > 4 and memcmp(self.page + tag.name, b"esi:", 4) == 0

    cdef int _esi_tag(self, const Tag* tag) except -1:
        name = self.page[tag.name + 4:tag.name + tag.name_size]
        self._mark_esi(name, tag.closing, tag.start, tag.end, tag.self_closing)
        if name == b"vars":
            self.vars += 0 if tag.self_closing else -1 if tag.closing else 1
        self._note(tag.end, IN_COMMENT, -1)
        return tag.end

    cdef int _mark_esi(self, bytes name, bint closing, int start, int end, bint self_closing) except -1:
        if not self._is_full():
            self.esi.append((name, closing, start, end, self._place(), self_closing))
        return 0
