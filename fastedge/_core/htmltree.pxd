from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastedge._core.htmltokens cimport IDS, Tag

cdef enum:
    DEPTH = 512         # elements inside one another; browsers go no deeper either
    FOUND = 256         # elements of one page that rules ask for

# What is wrong with an element that was found.
cdef enum:
    FINE, UNBALANCED, DOUBTFUL

# How what follows a start tag is to be read.
cdef enum:
    MARKUP, RAW_TEXT, SCRIPT_TEXT, PLAIN_TEXT

cdef struct Element:
    int start           # of its start tag; -1: it has none, browsers infer it
    int name
    int name_size
    uint64_t key
    int id
    uint32_t flags
    int leaks           # as counted when it was opened
    int serial
    int found           # its number among the found, or -1
    uint8_t foreign     # 1: svg, 2: math
    uint8_t integration # 1: HTML inside, 2: MathML text
    bint in_table       # the nearest of table, cell and caption is a table
    bint doubtful       # whether it becomes an element, and where, is not sure

cdef struct Found:
    uint64_t rules      # a bit for each rule that asks for it
    int start           # of the start tag
    int content         # behind the start tag
    int content_end
    int end             # behind the end tag, or where it is inferred to be
    int id
    uint32_t flags
    int serial
    int problem
    bint has_content
    bint start_clean    # what its start tag closes, may all be left unclosed
    bint end_clean      # what its end closes

cdef class OpenElements:
    cdef const uint8_t* page
    cdef int depth
    cdef int leaks                  # counts formatting elements left open: browsers open them again, further on
    cdef bint lost                  # from here on nothing is sure
    cdef bint pushed                # whether the last start tag became an element; it is on top until it is settled
    cdef bint watches_text          # whether text that is no space changes anything here
    cdef int count                  # of the found
    cdef bint overflow
    cdef list closings              # of each found: end tags that its start, its content's end and its own end make up for
    cdef Found* found
    cdef Element* stack

    cdef int steps                  # looks at elements around others
    cdef int serials
    cdef int quirks                 # 0: no, 1: yes, 2: who knows
    cdef bint body_open, head_seen, after_body
    cdef int form                   # the serial of the open form, or 0
    cdef int open_count[IDS]        # open HTML elements of each kind
    cdef int closed                 # elements that the last token closed without naming them, innermost first
    cdef bint closed_clean
    cdef Element* gone              # those

    cdef int doctype(self, int start, int end) except -1
    cdef int start(self, const Tag* tag) except -1
    cdef int remember(self, const Tag* tag, uint64_t rules) except -1
    cdef int settle(self, const Tag* tag) except -1
    cdef int end(self, const Tag* tag) except -1
    cdef int end_of_top(self, int at, int size) noexcept
    cdef int close_top(self, int at, int end) except -1
    cdef int text(self, int start, int end) except -1
    cdef int finish(self, bint complete, int size) except -1
    cdef bint takes_cdata(self) noexcept
    cdef int place(self) noexcept
    cdef bint in_code(self) noexcept

    cdef int _look(self) except -1
    cdef bint _only_pushes(self, const Tag* tag, const Element* top) noexcept
    cdef int _start_html(self, const Tag* tag) except -1
    cdef int _start_before_body(self, const Tag* tag) except -1
    cdef int _start_in_select(self, const Tag* tag) except -1
    cdef int _start_table_part(self, const Tag* tag) except -1
    cdef int _start_in_table(self, const Tag* tag) except -1
    cdef int _start_in_body(self, const Tag* tag) except -1
    cdef int _start_foreign(self, const Tag* tag) except -1
    cdef int _close_like(self, const Tag* tag) except -1
    cdef int _enter_body(self, int at) except -1
    cdef int _leave_end(self) except -1
    cdef int _push(self, const Tag* tag, int foreign) except -1
    cdef int _infer(self, const char* name, int id, uint32_t flags) except -1
    cdef int _end_html(self, const Tag* tag) except -1
    cdef int _end_ordinary(self, const Tag* tag) except -1
    cdef int _end_formatting(self, const Tag* tag, int scope) except -1
    cdef int _end_document(self, const Tag* tag) except -1
    cdef int _end_form(self, const Tag* tag) except -1
    cdef int _break_out(self, int at) except -1
    cdef int _close(self, int index, int content_end, int end, bint named) except -1
    cdef int _close_one(self, Element* element, int content_end, int end, bint named) except -1
    cdef int _pop_implied(self, int at, int kept) except -1
    cdef int _in_scope(self, int id, int scope) noexcept
    cdef int _named_in_scope(self, const Tag* tag, int scope) noexcept
    cdef bint _is_named(self, const Element* element, const Tag* tag) noexcept
    cdef int _open_item(self, int id) noexcept
    cdef int _heading_in_scope(self) noexcept
    cdef bint _is_plain_block(self, const Element* element) noexcept
    cdef bint _is_bound(self, const Element* element, int scope) noexcept
    cdef bint _has_attribute(self, const Tag* tag) noexcept
    cdef int _remove(self, int index) except -1
    cdef bytes _name(self, const Element* element)
    cdef bytes _end_tags(self, const Element* last)
    cdef int _mode(self, const Tag* tag) noexcept
