from libc.stdint cimport uint8_t

from fastedge._core.htmlselectors cimport Selectors
from fastedge._core.htmltokens cimport Tag
from fastedge._core.htmltree cimport OpenElements


cdef class Scan:
    cdef const uint8_t* page
    cdef int size
    cdef OpenElements tree
    cdef int mark, variable         # the next "{{edge." and "$("
    cdef int esi_close              # where the `-->` of an `<!--esi` stands, or -1
    cdef int vars                   # how many esi:vars are open
    cdef int marks
    cdef bint with_esi
    cdef readonly int lost_at       # from where on browsers may differ; -1: nowhere
    cdef readonly bint too_many
    cdef readonly bint esi_torn     # something begins inside an `<!--esi` and ends outside
    cdef readonly list comments
    cdef readonly list placeholders
    cdef readonly list variables
    cdef readonly list esi

    cdef bint _pass(self, Selectors selectors) except -1
    cdef int _token(self, int i, Selectors selectors) except -1
    cdef int _start_tag(self, int i, Selectors selectors) except -1
    cdef int _raw_text(self, const Tag* tag, int mode) except -1
    cdef int _end_tag(self, int i) except -1
    cdef int _declaration(self, int i) except -1
    cdef int _comment(self, int i) except -1
    cdef int _look_at_comment(self, int start, int end) except -1
    cdef int _esi_tag(self, const Tag* tag) except -1
    cdef int _mark_esi(self, bytes name, bint closing, int start, int end, bint self_closing) except -1
    cdef int _next_mark(self, int at) noexcept
    cdef int _note(self, int end, int where, int tag) except -1
    cdef int _note_all(self, int end, int where, int tag) except -1
    cdef int _keep(
        self, list rows, int at, const char* closing, int closing_size, int end, int where, int tag, const char* opening,
        int opening_size,
    ) except -1
    cdef tuple _place(self)
    cdef bint _is_esi(self, const Tag* tag) noexcept
    cdef bint _is_full(self) noexcept
