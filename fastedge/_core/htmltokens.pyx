"""The tokens of an HTML page (WHATWG HTML §13.2.5) as spans into its bytes: tags, comments, and where raw text ends.

Never allocates, never copies, never looks past the page: each function takes where to begin and says where it ends.
"""

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastedge._core.htmlbytes cimport fe_attribute_name, fe_find, fe_name

cdef enum:
    SPACE = 1
    ENDS_NAME = 2           # of a tag
    ENDS_ATTRIBUTE = 4      # its name
    ENDS_VALUE = 8          # without quotes
    LETTER = 16
    NAMES = 512

cdef struct Name:
    uint64_t key
    int size
    int id
    uint32_t flags
    uint8_t rest[8]         # of a name longer than its key

cdef uint8_t CLASS[256]
cdef uint8_t LOWER[256]
cdef Name names[NAMES]


# --- what HTML says of names (§13.2.4.2, §13.2.4.3, §13.2.6.4.7) ----------------------------------------------------

cdef dict GROUPS = {
    VOID: "area base basefont bgsound br col embed frame hr img image input keygen link meta param source track wbr",
    FORMATTING: "a b big code em font i nobr s small strike strong tt u",
    SPECIAL: "address applet area article aside base basefont bgsound blockquote body br button caption center col colgroup dd "
    "details dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup "
    "hr html iframe img input keygen li link listing main marquee menu meta nav noembed noframes noscript object ol p param "
    "plaintext pre script search section select source style summary table tbody td template textarea tfoot th thead title "
    "tr track ul wbr xmp",
    OPTIONAL_END: "html head body p li dd dt option optgroup rb rp rt rtc td th tr tbody thead tfoot colgroup caption",
    IMPLIED_END: "dd dt li optgroup option p rb rp rt rtc",
    CLOSES_P: "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer form h1 h2 h3 "
    "h4 h5 h6 header hgroup hr li dd dt listing main menu nav ol p plaintext pre search section summary ul xmp",
    SCOPE: "applet caption html table td th marquee object template select",
    MARKER: "applet caption td th marquee object template",
    RAW: "style xmp iframe noembed noframes noscript script plaintext",
    RCDATA: "textarea title",
    TABLE_PART: "caption col colgroup tbody td tfoot th thead tr",
    TABLE_CONTEXT: "table tbody tfoot thead tr colgroup",
    HEAD_CONTENT: "base basefont bgsound link meta title noscript noframes style script template",
    SCOPED_END: "address article aside blockquote button center details dialog dir div dl fieldset figcaption figure footer "
    "header hgroup listing main menu nav ol pre search section summary ul applet marquee object select",
    HEADING: "h1 h2 h3 h4 h5 h6",
    BREAKS_OUT: "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var",
    OWN_START: "html head body frameset frame table caption col colgroup tbody td tfoot th thead tr form li dd dt nobr button option "
    "optgroup rb rp rt rtc svg math template select style xmp iframe noembed noframes noscript script plaintext textarea title",
    SCRIPT_LIKE: "script style xmp iframe noembed noframes noscript plaintext",
}
cdef dict KINDS = {
    "a": A, "nobr": NOBR, "html": HTML, "head": HEAD, "body": BODY, "frameset": FRAMESET, "p": P, "li": LI, "dd": DD, "dt": DT,
    "button": BUTTON, "form": FORM, "table": TABLE, "tbody": TABLE_BODY, "thead": TABLE_BODY, "tfoot": TABLE_BODY, "tr": TR,
    "td": CELL, "th": CELL, "caption": CAPTION, "colgroup": COLGROUP, "col": COL, "select": SELECT, "option": OPTION,
    "optgroup": OPTGROUP, "hr": HR, "input": INPUT, "keygen": INPUT, "script": SCRIPT, "style": STYLE, "template": TEMPLATE,
    "svg": SVG, "math": MATH, "plaintext": PLAINTEXT, "font": FONT, "br": BR, "rt": RUBY_TEXT, "rp": RUBY_TEXT,
    "ruby": RUBY, "rb": RUBY_BASE, "rtc": RUBY_BASE, "textarea": TEXTAREA, "object": OBJECT, "applet": OBJECT, "marquee": OBJECT,
    "foreignobject": FOREIGN_HTML, "desc": FOREIGN_HTML, "title": TITLE, "mi": MATH_TEXT, "mo": MATH_TEXT, "mn": MATH_TEXT,
    "ms": MATH_TEXT, "mtext": MATH_TEXT, "annotation-xml": ANNOTATION, "mglyph": MATH_GLYPH, "malignmark": MATH_GLYPH,
    "frame": FRAME,
}


cdef uint32_t place(uint64_t key, int size) noexcept nogil:
    return <uint32_t> (((key ^ <uint64_t> size) * 0x9E3779B97F4A7C15u) >> 55)


cdef int learn(str text) except -1:
    """A name's place in the table; there is always room, and nothing is ever taken out."""
    cdef bytes name = text.encode()
    cdef uint64_t key = int.from_bytes(name[:8], "little")
    cdef uint32_t at = place(key, <int> len(name))
    while names[at].size:
        at = (at + 1) % NAMES
    names[at].key, names[at].size = key, <int> len(name)
    names[at].id = KINDS.get(text, OTHER)
    for flag, group in GROUPS.items():
        if text in group.split():
            names[at].flags |= <uint32_t> flag
    for i, c in enumerate(name[8:]):
        names[at].rest[i] = c
    return 0


cdef int classify() except -1:
    """Fill the tables. A NUL ends every run, so that the one behind the page does; those inside are stepped over."""
    cdef int c
    for c in range(256):
        LOWER[c] = c + 32 if c"A" <= c <= c"Z" else c
        CLASS[c] = LETTER if c"a" <= LOWER[c] <= c"z" else 0
    for c in b"\t\n\f\r ":
        CLASS[c] = SPACE | ENDS_NAME | ENDS_ATTRIBUTE | ENDS_VALUE
    CLASS[0] = CLASS[<int> c">"] = ENDS_NAME | ENDS_ATTRIBUTE | ENDS_VALUE
    CLASS[<int> c"/"] = ENDS_NAME | ENDS_ATTRIBUTE
    CLASS[<int> c"="] = ENDS_ATTRIBUTE
    for name in sorted({*KINDS, *(" ".join(GROUPS.values())).split()}):
        learn(name)
    return 0


classify()


cdef bint is_space(uint8_t c) noexcept nogil:
    return (CLASS[c] & SPACE) != 0


cdef bint same_text(const uint8_t* text, const uint8_t* lower, int size) noexcept nogil:
    """Whether a text is this one, which is in lower case, whatever the case of its own ASCII letters."""
    cdef int i
    for i in range(size):
        if LOWER[text[i]] != lower[i]:
            return False
    return True


# --- tags ------------------------------------------------------------------------------------------------------------

cdef inline int run(const uint8_t* page, int at, int size, uint8_t stop) noexcept nogil:
    """The first byte of a class at or behind `at`, or `size`."""
    while True:
        while CLASS[page[at]] & stop == 0:
            at += 1
        if page[at] or at >= size:
            return at
        at += 1


cdef inline int spaces(const uint8_t* page, int at) noexcept nogil:
    while CLASS[page[at]] & SPACE:
        at += 1
    return at


cdef bint read_tag(const uint8_t* page, int at, int size, Tag* tag) noexcept nogil:
    """The tag whose `<` is at `at`, a letter or `/` and a letter behind it. False when the page ends inside it."""
    cdef int i = at + 1
    tag.start = at
    tag.closing = page[i] == c"/"
    i += tag.closing
    tag.name = i
    if i + 8 <= size:
        i += fe_name(page + i, &tag.key)
        if CLASS[page[i]] & ENDS_NAME == 0 or page[i] == 0:
            i = run(page, i, size, ENDS_NAME)
            if i - tag.name < 8:
                tag.key = key_of(page + tag.name, i - tag.name)
    else:
        i = run(page, i, size, ENDS_NAME)
        tag.key = key_of(page + tag.name, i - tag.name)
    tag.name_size = i - tag.name
    recognize(page + tag.name, tag)
    tag.count = 0
    tag.name_sizes = 0
    tag.overflow = False
    tag.self_closing = False
    while True:
        i = spaces(page, i)
        if page[i] == c">":     # not behind the page, where a NUL is
            tag.end = i + 1
            return True
        if i >= size:
            return False
        if page[i] == c"/":
            i += 1
            tag.self_closing = page[i] == c">"
            continue
        i = read_attribute(page, i, size, tag)
        if i < 0:
            return False


cdef uint64_t key_of(const uint8_t* name, int size) noexcept nogil:
    cdef uint64_t key = 0
    cdef int i
    for i in range(min(size, 8)):
        key |= <uint64_t> LOWER[name[i]] << (8 * i)
    return key


cdef inline void recognize(const uint8_t* name, Tag* tag) noexcept nogil:
    cdef uint32_t at = place(tag.key, tag.name_size)
    tag.id, tag.flags = OTHER, 0
    while names[at].size:
        if names[at].key == tag.key and names[at].size == tag.name_size:
            if tag.name_size <= 8 or same_text(name + 8, names[at].rest, tag.name_size - 8):
                tag.id, tag.flags = names[at].id, names[at].flags
                return
        at = (at + 1) % NAMES


cdef inline int read_attribute(const uint8_t* page, int at, int size, Tag* tag) noexcept nogil:
    """Keeps the attribute that begins at `at`; where it ends, or -1 when the page does."""
    cdef Attribute* found = &tag.attributes[tag.count if tag.count < ATTRIBUTES else ATTRIBUTES - 1]
    cdef int i = at + 1
    if i + 16 <= size:
        i += fe_attribute_name(page + i)
    if CLASS[page[i]] & ENDS_ATTRIBUTE == 0 or page[i] == 0:
        i = run(page, i, size, ENDS_ATTRIBUTE)
    if tag.count < ATTRIBUTES:
        tag.count += 1
    else:
        tag.overflow = True
    tag.name_sizes |= size_bit(i - at)
    found.name, found.name_size, found.end = at, i - at, i
    found.value, found.value_size, found.quote = -1, 0, 0
    if page[i] != c"=":
        i = spaces(page, i)
        if page[i] != c"=":
            return i
    i = spaces(page, i + 1)
    if i >= size:
        return -1
    if page[i] == c'"' or page[i] == c"'":
        found.quote = <char> page[i]
        found.value = i + 1
        i = fe_find(page, page[i], i + 1, size)
        if i >= size:
            return -1
        found.value_size = i - found.value
        found.end = i + 1
        return i + 1
    found.value = i
    if page[i] != c">":
        i = run(page, i, size, ENDS_VALUE)
    found.value_size = i - found.value
    found.end = i
    return i


# --- what is no tag: where it ends, or `size` + 1 when the page ends before it -----------------------------------------

cdef int comment_end(const uint8_t* page, int at, int size) noexcept nogil:
    """Behind a comment whose `<!--` is at `at`: `-->`, `--!>`, and at its very beginning `>` and `->`."""
    cdef int i = at + 4
    while True:
        i = fe_find(page, c">", i, size)
        if i == size:
            return size + 1
        if page[i - 1] == c"-" and page[i - 2] == c"-":     # of `<!-->` and `<!--->` the dashes are the opening ones
            return i + 1
        if page[i - 1] == c"!" and page[i - 2] == c"-" and page[i - 3] == c"-" and i - 3 >= at + 4:
            return i + 1
        i += 1


cdef int bogus_comment_end(const uint8_t* page, int at, int size) noexcept nogil:
    """Behind `<!…>`, `<?…>` or `</…>` that is nothing else, and behind a doctype: the first `>` ends them all."""
    return fe_find(page, c">", at, size) + 1


cdef int cdata_end(const uint8_t* page, int at, int size) noexcept nogil:
    cdef int i = at + 9
    while True:
        i = fe_find(page, c">", i, size)
        if i == size:
            return size + 1
        if i >= at + 11 and page[i - 1] == c"]" and page[i - 2] == c"]":
            return i + 1
        i += 1


cdef inline bint ends_here(const uint8_t* page, int at, int size, const uint8_t* name, int name_size) noexcept nogil:
    """Whether the end tag of this name, given in lower case, begins at `at`, where a `<` is."""
    return (
        page[at + 1] == c"/"
        and at + 2 + name_size < size
        and same_text(page + at + 2, name, name_size)
        and CLASS[page[at + 2 + name_size]] & ENDS_NAME
        and page[at + 2 + name_size] != 0
    )


cdef int raw_end(const uint8_t* page, int at, int size, const Tag* opening) noexcept nogil:
    """Where the end tag of a raw text element begins, or `size`."""
    cdef uint8_t name[9]
    cdef int i
    for i in range(opening.name_size):     # none of them has more than eight letters
        name[i] = LOWER[page[opening.name + i]]
    while True:
        at = fe_find(page, c"<", at, size)
        if at == size or ends_here(page, at, size, name, opening.name_size):
            return at
        at += 1


cdef int script_end(const uint8_t* page, int at, int size) noexcept nogil:
    """Where a script's end tag begins, or `size`. Inside `<!-- … -->`, `<script` makes `</script` part of the script."""
    cdef const uint8_t* name = <const uint8_t*> "script"
    cdef bint escaped = False, twice = False
    cdef int i = at
    while True:
        i = script_stop(page, i, size, escaped)
        if i >= size:
            return size
        if page[i] == c">":
            escaped = twice = False
        elif ends_here(page, i, size, name, 6):
            if not twice:
                return i
            twice = False
        elif not escaped and page[i + 1] == c"!" and page[i + 2] == c"-" and page[i + 3] == c"-":
            escaped = True
            i += 2     # its dashes may be those of `-->`
            continue
        elif escaped and i + 7 < size and same_text(page + i + 1, name, 6) and CLASS[page[i + 7]] & ENDS_NAME and page[i + 7]:
            twice = True
        i += 1


cdef inline int script_stop(const uint8_t* page, int at, int size, bint escaped) noexcept nogil:
    """The next `<`, or inside `<!--` the `>` of a `-->`."""
    if not escaped:
        return fe_find(page, c"<", at, size)
    while at < size:
        if page[at] == c"<" or (page[at] == c">" and page[at - 1] == c"-" and page[at - 2] == c"-"):
            return at
        at += 1
    return size


# --- the Python face -------------------------------------------------------------------------------------------------

def read_attributes(bytes page not None, int at):
    """The start tag at `at` as (end of its name, its attributes); each attribute is (name in lower case, where the name
    begins, where its value begins or -1, where that ends, where all of it ends, its quote or b"")."""
    cdef Tag tag
    cdef int i
    cdef Attribute* one
    cdef const uint8_t* data = page
    if at < 0 or at + 1 >= len(page) or page[at] != c"<" or not CLASS[data[at + 1]] & LETTER:
        raise ValueError("no tag begins there")
    if not read_tag(data, at, <int> len(page), &tag):
        raise ValueError("the page ends inside this tag")
    found = []
    for i in range(tag.count):
        one = &tag.attributes[i]
        quote = bytes([one.quote]) if one.quote else b""
        name = page[one.name:one.name + one.name_size].lower()
        found.append((name, one.name, one.value, one.value + one.value_size, one.end, quote))
    return tag.name + tag.name_size, found
