from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    ATTRIBUTES = 64     # of one tag that are kept; a tag with more matches nothing

# What HTML says of an element by its name.
cdef enum:
    VOID = 1 << 0
    FORMATTING = 1 << 1     # reopened after what they were left open in
    SPECIAL = 1 << 2        # end tags of ordinary elements do not reach past them
    OPTIONAL_END = 1 << 3
    IMPLIED_END = 1 << 4    # closed by "generate implied end tags"
    CLOSES_P = 1 << 5
    SCOPE = 1 << 6          # bounds "has an element in scope"
    MARKER = 1 << 7         # what is left open inside is not reopened outside
    RAW = 1 << 8            # its content is text without markup
    RCDATA = 1 << 9         # its content is text with character references
    TABLE_PART = 1 << 10
    TABLE_CONTEXT = 1 << 11 # directly inside, only parts of tables are at home
    HEAD_CONTENT = 1 << 12
    SCOPED_END = 1 << 13    # its end tag is looked for in scope
    HEADING = 1 << 14
    BREAKS_OUT = 1 << 15    # cannot be inside svg or math
    SCRIPT_LIKE = 1 << 16   # its content is code: only raw values, never escaped ones
    OWN_START = 1 << 17     # what its start tag does depends on more than whether a p, an a or a heading is open

# Elements with rules of their own; 0 is every other name.
cdef enum:
    OTHER, A, NOBR, HTML, HEAD, BODY, FRAMESET, P, LI, DD, DT, BUTTON, FORM, TABLE, TABLE_BODY, TR, CELL, CAPTION
    COLGROUP, COL, SELECT, OPTION, OPTGROUP, HR, INPUT, SCRIPT, STYLE, TEMPLATE, SVG, MATH, PLAINTEXT, FONT, BR
    RUBY, RUBY_TEXT, RUBY_BASE, TEXTAREA, OBJECT, FOREIGN_HTML, TITLE, MATH_TEXT, ANNOTATION, MATH_GLYPH, FRAME
    IDS

cdef struct Attribute:
    int name
    int name_size
    int value           # -1: it has none
    int value_size
    int end             # behind the closing quote
    char quote          # 0: unquoted

cdef struct Tag:
    int start           # at the "<"
    int end             # behind the ">"
    int name
    int name_size
    uint64_t key        # the name's first eight bytes in lower case
    int id
    uint32_t flags
    bint closing
    bint self_closing
    bint overflow       # it has more than ATTRIBUTES
    int count
    uint64_t name_sizes # of its attributes, a bit for each length
    Attribute attributes[ATTRIBUTES]

cdef inline uint64_t size_bit(int size) noexcept nogil:
    return <uint64_t> 1 << (size if size < 63 else 63)

cdef bint read_tag(const uint8_t* page, int at, int size, Tag* tag) noexcept nogil
cdef int comment_end(const uint8_t* page, int at, int size) noexcept nogil
cdef int bogus_comment_end(const uint8_t* page, int at, int size) noexcept nogil
cdef int cdata_end(const uint8_t* page, int at, int size) noexcept nogil
cdef int raw_end(const uint8_t* page, int at, int size, const Tag* opening) noexcept nogil
cdef int script_end(const uint8_t* page, int at, int size) noexcept nogil
cdef bint same_text(const uint8_t* text, const uint8_t* lower, int size) noexcept nogil
cdef bint is_space(uint8_t c) noexcept nogil
