"""What a request comes from: bot, mobile, tablet or desktop, by Sec-CH-UA-Mobile and a small table of marks in User-Agent.

A guess by what a client says of itself: good enough to choose whom an experiment is about, never to let anyone in.
"""

from cpython.object cimport PyObject
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy

from fastedge._core.fields cimport FieldName, Line, intern_text

cdef FieldName _USER_AGENT = intern_text("user-agent")
cdef FieldName _MOBILE = intern_text("sec-ch-ua-mobile")

DEVICES = ("bot", "mobile", "tablet", "desktop")

# What is looked for in User-Agent, in any case; of what is found, the class that stands first in DEVICES but for tablet,
# which beats mobile. What Android says without "mobile" is a tablet.
MARKS = (
    ("bot", "bot"), ("crawl", "bot"), ("spider", "bot"), ("slurp", "bot"), ("headless", "bot"), ("externalhit", "bot"),
    ("ipad", "tablet"), ("tablet", "tablet"), ("kindle", "tablet"),
    ("mobi", "mobile"), ("iphone", "mobile"),
)

cdef enum:
    ANDROID = DESKTOP + 1
    MARKS_ALL = 13

cdef struct Mark:
    char[12] text
    int size
    int device

cdef Mark[MARKS_ALL] _marks             # sorted; the last one ends the table
cdef unsigned char[32 * 32] _begins     # by the low bits of two letters, the first mark that begins so, from 1; 0: none


# User agents that were seen: few are common, and to compare one costs a tenth of reading it.
cdef uint64_t PRIME = <uint64_t> 0x100000001B3       # FNV's
cdef enum:
    KNOWN = 256
    KNOWN_SIZE_MAX = 248

cdef struct Known:
    unsigned char size      # 0: none
    unsigned char found
    char[KNOWN_SIZE_MAX] text

cdef Known[KNOWN] _known


cdef _learn():
    cdef int i
    rows = sorted([(text, DEVICES.index(device) + 1) for text, device in MARKS] + [("android", ANDROID), ("~~", 0)])
    assert len(rows) == MARKS_ALL
    for i, (text, device) in enumerate(rows):
        _marks[i].size = len(text)
        _marks[i].device = device
        for j, letter in enumerate(text.encode()):
            _marks[i].text[j] = letter
        if not _begins[pair(_marks[i].text)]:
            _begins[pair(_marks[i].text)] = i + 1


cdef inline int pair(const char* at) noexcept nogil:
    return (at[0] & 31) << 5 | (at[1] & 31)


_learn()


def device_class(Request request not None):
    """The class of a request's device."""
    return DEVICES[looked_up(request) - 1]


cdef int device_of(Request request, Context ctx) except -1:
    """A Device; looked up once a request."""
    if ctx.device == UNKNOWN:
        ctx.device = looked_up(request)
    return ctx.device


cdef int looked_up(Request request) except -1:
    cdef Py_ssize_t i
    cdef Line* line
    cdef int found = 0
    for i in range(request.fields.total):
        line = &request.fields.lines[i]
        if line.name == <PyObject*> _USER_AGENT:
            found |= known_marks(line.at, line.size)
        elif line.name == <PyObject*> _MOBILE and line.size == 2 and memcmp(line.at, b"?1", 2) == 0:
            found |= 1 << MOBILE
    if found & 1 << BOT:
        return BOT
    if found & 1 << TABLET or (found & 1 << ANDROID and not found & 1 << MOBILE):
        return TABLET
    return MOBILE if found & 1 << MOBILE else DESKTOP


cdef int known_marks(const char* at, Py_ssize_t size) noexcept:
    cdef Known* known
    if not 0 < size <= KNOWN_SIZE_MAX:
        return marks_in(at, size)
    known = &_known[place_of(at, size)]
    if known.size != size or memcmp(known.text, at, size) != 0:
        memcpy(known.text, at, size)
        known.size = <unsigned char> size
        known.found = <unsigned char> marks_in(at, size)
    return known.found


cdef int place_of(const char* at, Py_ssize_t size) noexcept:
    cdef uint64_t[2] words
    cdef uint64_t mixed = size
    cdef Py_ssize_t i = 0
    while i + 16 <= size:
        memcpy(words, at + i, 16)
        mixed = (mixed ^ words[0]) * PRIME ^ words[1]
        mixed ^= mixed >> 29
        i += 16
    while i < size:
        mixed = (mixed ^ <unsigned char> at[i]) * PRIME
        i += 1
    return <int> ((mixed * PRIME >> 32) % KNOWN)


cdef int marks_in(const char* at, Py_ssize_t size) noexcept nogil:
    """The set of the classes whose marks are in a text."""
    cdef int row, found = 0
    cdef Py_ssize_t i
    for i in range(size - 1):
        row = _begins[pair(at + i)]
        if row and at[i] & 0x40:        # a letter, or near enough
            found |= marks_at(at + i, size - i, &_marks[row - 1], i)
    return found


cdef int marks_at(const char* at, Py_ssize_t size, const Mark* mark, Py_ssize_t before) noexcept nogil:
    while mark.text[0] == at[0] | 0x20:
        if begins_with(at, size, mark.text, mark.size):
            if mark.device != BOT or before < 2 or not begins_with(at - 2, size + 2, "cubot", 5):     # a maker of phones
                return 1 << mark.device
        mark += 1
    return 0


cdef bint begins_with(const char* at, Py_ssize_t size, const char* text, int text_size) noexcept nogil:
    cdef int i
    if size < text_size:
        return False
    for i in range(text_size):
        if at[i] | 0x20 != text[i]:
            return False
    return True
