from libc.stdint cimport uint8_t, uint64_t

from fastedge._core.htmltokens cimport Attribute, Tag
from fastedge._core.htmltree cimport Element, OpenElements

cdef enum:
    SELECTORS = 64

# What one simple selector asks for.
cdef enum:
    TAG, CLASS, PRESENT, EQUALS

cdef enum:
    DESCENDANT, CHILD

cdef struct Test:
    int kind
    const uint8_t* name     # of a tag or an attribute, in lower case
    int name_size
    const uint8_t* value
    int value_size

cdef struct Compound:
    int first               # its tests
    int last
    int combinator          # how it stands to the compound on its left

cdef struct Selector:
    int first               # its compounds, the rightmost first
    int last
    int anchor              # the test of the first by which it is looked for

cdef class Selectors:
    cdef readonly int count
    cdef list texts
    cdef Test* tests
    cdef Compound* compounds
    cdef Selector rows[SELECTORS]
    cdef uint64_t name_sizes        # of attributes that are anchors, a bit for each length
    cdef uint64_t tag_keys          # of tags that are anchors, a bit for each hash

    cdef uint64_t match(self, OpenElements tree, const Tag* tag) noexcept
    cdef int _fill(self, list parsed) except -1
    cdef int _keep(self, Test* test, str kind, bytes name, bytes value) except -1
    cdef int _hang(self, Selector* row) except -1
    cdef bint _holds(self, const Selector* selector, OpenElements tree, const Tag* tag) noexcept
    cdef bint _reaches(self, const Selector* selector, int compound, OpenElements tree, int below) noexcept
    cdef bint _fits(self, const Compound* compound, const uint8_t* page, const Tag* tag) noexcept


cdef inline uint64_t key_bit(uint64_t key) noexcept nogil:
    return <uint64_t> 1 << ((key * 0x9E3779B97F4A7C15u) >> 58)


cdef inline bint may_match(Selectors selectors, const Tag* tag) noexcept:
    """Whether the tag deserves a close look: it has an attribute, or a name, that some selector hangs on."""
    return (selectors.name_sizes & tag.name_sizes) != 0 or (selectors.tag_keys & key_bit(tag.key)) != 0
