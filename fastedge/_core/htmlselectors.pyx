"""Selectors, matched against a start tag and the elements that are open around it.

A tag is looked at closely only if it has an attribute, or a name, that some selector hangs on.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

from fastedge._core.htmltokens cimport Attribute, Tag, is_space, read_tag, same_text, size_bit
from fastedge._core.htmltree cimport Element, OpenElements

from fastedge.limits import html_ancestors_max, html_rules_max

assert html_rules_max == SELECTORS
cdef int STEPS_MAX = html_ancestors_max


@cython.final
cdef class Selectors:
    """Takes parsed selectors: each a list of compounds, the rightmost first; a compound is (combinator to the left, tests);
    a test is (kind, name, value) with kind "tag", "class", "present" or "equals"."""

    def __cinit__(self, list parsed not None):
        cdef Py_ssize_t compounds = sum([len(one) for one in parsed])
        cdef Py_ssize_t tests = sum([len(compound[1]) for one in parsed for compound in one])
        if len(parsed) > SELECTORS:
            raise ValueError("too many selectors")
        self.tests = <Test*> calloc(tests + 1, sizeof(Test))
        self.compounds = <Compound*> calloc(compounds + 1, sizeof(Compound))
        if self.tests == NULL or self.compounds == NULL:
            raise MemoryError
        self.texts = []
        self._fill(parsed)

    def __dealloc__(self):
        free(self.tests)
        free(self.compounds)

    cdef int _fill(self, list parsed) except -1:
        cdef int test = 0, compound = 0
        cdef Selector* row
        for one in parsed:
            row = &self.rows[self.count]
            row.first = compound
            for combinator, tests in one:
                self.compounds[compound].first = test
                self.compounds[compound].combinator = CHILD if combinator == ">" else DESCENDANT
                for kind, name, value in tests:
                    self._keep(&self.tests[test], kind, name, value)
                    test += 1
                self.compounds[compound].last = test
                compound += 1
            row.last = compound
            self._hang(row)
            self.count += 1
        return 0

    cdef int _keep(self, Test* test, str kind, bytes name, bytes value) except -1:
        test.kind = {"tag": TAG, "class": CLASS, "present": PRESENT, "equals": EQUALS}[kind]
        self.texts += [name, value]
        test.name, test.name_size = <const uint8_t*> PyBytes_AS_STRING(name), <int> len(name)
        test.value, test.value_size = <const uint8_t*> PyBytes_AS_STRING(value), <int> len(value)
        return 0

    cdef int _hang(self, Selector* row) except -1:
        """Choose what it hangs on: an attribute's value, else an attribute, else the tag."""
        cdef int i
        cdef Test* anchor
        cdef Compound* compound = &self.compounds[row.first]
        row.anchor = compound.first
        for i in range(compound.first, compound.last):
            if self.tests[i].kind > self.tests[row.anchor].kind:
                row.anchor = i
        anchor = &self.tests[row.anchor]
        if anchor.kind == TAG:
            if anchor.name_size == 0:
                self.tag_keys = ~<uint64_t> 0
            self.tag_keys |= key_bit(int.from_bytes(self.texts[2 * row.anchor][:8], "little"))
        else:
            self.name_sizes |= size_bit(anchor.name_size)
        return 0

    cdef uint64_t match(self, OpenElements tree, const Tag* tag) noexcept:
        """Which selectors match the element on top of the stack, whose start tag this is: a bit for each."""
        cdef int row
        cdef uint64_t found = 0
        if tag.overflow:
            return 0
        for row in range(self.count):
            if self._holds(&self.rows[row], tree, tag):
                found |= <uint64_t> 1 << row
        return found

    cdef bint _holds(self, const Selector* selector, OpenElements tree, const Tag* tag) noexcept:
        if not passes(&self.tests[selector.anchor], tree.page, tag):
            return False
        if not self._fits(&self.compounds[selector.first], tree.page, tag):
            return False
        return self._reaches(selector, selector.first, tree, tree.depth - 1)

    cdef bint _reaches(self, const Selector* selector, int compound, OpenElements tree, int below) noexcept:
        """Whether what stands left of a compound is found among the elements around; goes back where a `>` does not fit.

        The descendant combinator nearest on the left is the only point to return to: nearer ancestors leave more to it.
        """
        cdef int point = -1, mark = 0, i = below
        cdef Tag tag
        while True:
            if compound + 1 == selector.last:
                return True
            if self.compounds[compound].combinator == DESCENDANT:
                point, mark = compound, i
            i -= 1
            tree.steps += 1
            if i < 0 or tree.steps > STEPS_MAX:
                return False
            if open_tag(tree, i, &tag) and self._fits(&self.compounds[compound + 1], tree.page, &tag):
                compound += 1
            elif point >= 0:
                mark -= 1
                compound, i = point, mark
            else:
                return False

    cdef bint _fits(self, const Compound* compound, const uint8_t* page, const Tag* tag) noexcept:
        cdef int i
        for i in range(compound.first, compound.last):
            if not passes(&self.tests[i], page, tag):
                return False
        return True


cdef bint open_tag(OpenElements tree, int index, Tag* tag) noexcept:
    """The start tag of an open element, read again; only its name where the page leaves it out."""
    cdef const Element* element = &tree.stack[index]
    if element.start >= 0:
        return read_tag(tree.page, element.start, 0x7FFFFFFF, tag) and not tag.overflow
    tag.name, tag.name_size, tag.key, tag.count = -1, element.name_size, element.key, 0
    return True


cdef bint passes(const Test* test, const uint8_t* page, const Tag* tag) noexcept:
    cdef int i
    if test.kind == TAG:
        return test.name_size == 0 or is_tag(test, page, tag)
    for i in range(tag.count):
        if tag.attributes[i].name_size == test.name_size:
            if same_text(page + tag.attributes[i].name, test.name, test.name_size):
                return has_value(test, page, &tag.attributes[i])    # of two of one name, the first counts
    return False


cdef bint is_tag(const Test* test, const uint8_t* page, const Tag* tag) noexcept:
    cdef uint64_t key = 0
    cdef int i
    if test.name_size != tag.name_size:
        return False
    if tag.name >= 0:
        return same_text(page + tag.name, test.name, test.name_size)
    for i in range(min(test.name_size, 8)):
        key |= <uint64_t> test.name[i] << (8 * i)
    return key == tag.key


cdef bint has_value(const Test* test, const uint8_t* page, const Attribute* attribute) noexcept:
    """Compared as written: a value with character references matches only itself."""
    cdef const uint8_t* value = page + attribute.value
    cdef int i = 0, start
    if test.kind == PRESENT:
        return True
    if attribute.value < 0:
        return test.kind == EQUALS and test.value_size == 0
    if test.kind == EQUALS:
        return attribute.value_size == test.value_size and memcmp(value, test.value, test.value_size) == 0
    while i < attribute.value_size:
        while i < attribute.value_size and is_space(value[i]):
            i += 1
        start = i
        while i < attribute.value_size and not is_space(value[i]):
            i += 1
        if i - start == test.value_size and memcmp(value + start, test.value, test.value_size) == 0:
            return True
    return False
