from fastedge._core.htmlscan cimport Scan
from fastedge._core.htmltokens cimport Attribute, Tag
from fastedge._core.htmltree cimport Found
from fastedge._core.template cimport Template
from fastedge.html.steps cimport Part, Value


cpdef Template compile_page(bytes page, rules, str charset=*)

cdef class Compiler:
    cdef bytes page
    cdef tuple slots
    cdef dict named         # slots by name: those without a selector
    cdef list steps
    cdef dict inputs        # what is asked for, and its number
    cdef list problems
    cdef list parts

    cdef int compile(self, rules) except -1
    cdef Scan _scan(self, rules)
    cdef int _write(self) except -1
    cdef int _problem(self, str reason, str name, int at) except -1

    cdef int _element(self, const Found* found, list closings) except -1
    cdef bint _is_behind_broken_tag(self, str action, const Found* found) except -1
    cdef bint _is_broken_off(self, int at) noexcept
    cdef int _place(self, slot, const Found* found, list closings, Part outer, Part inner, list parts) except -1
    cdef int _attribute(self, slot, const Found* found) except -1
    cdef int _set_attribute(self, slot, const Found* found, const Tag* tag, const Attribute* attribute) except -1

    cdef int _comments(self, list rows) except -1
    cdef int _between(self, str name, tuple opening, int end, tuple place) except -1

    cdef int _placeholder(self, bytes text, int start, int end, str where, int tag) except -1
    cdef int _variables(self, list rows) except -1
    cdef tuple _written(self, int start, int end, str where, int at, bint raw)
    cdef tuple _written_in_tag(self, int start, int end, int at, bint raw)
