cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from fastedge._core.wildcard cimport Capture

cdef enum Kind:
    EXACT = 0
    PREFIX = 1
    PATTERN = 2

cdef enum:
    CAPTURES = 9
    SOURCE_BYTES = 2048
    LENGTH_WORDS = SOURCE_BYTES // 64 + 1

cdef struct Row:
    uint64_t text        # where host, path and target stand in the arena, in this order
    uint32_t line
    uint16_t path_size
    uint16_t target_size
    uint16_t query_at    # where a kept query joins the target: before its fragment
    uint16_t status
    uint8_t host_size    # 0: any host
    uint8_t kind
    uint8_t stars
    uint8_t keep_query
    uint8_t has_query    # the target has a query of its own
    uint8_t carries      # the target has references, as bytes 1 to 9

cdef struct Pattern:
    uint64_t mask        # of the literal bytes that its path begins with, up to eight
    uint64_t head        # those bytes
    Py_ssize_t row

cdef struct Match:
    Py_ssize_t row       # -1: none
    Capture captures[CAPTURES]


@cython.final
cdef class RedirectTable:
    cdef Row* rows
    cdef Py_ssize_t size, room
    cdef char* arena
    cdef Py_ssize_t arena_size, arena_room
    cdef uint64_t* slots
    cdef uint64_t slot_mask
    cdef uint64_t prefix_lengths[LENGTH_WORDS]
    cdef Py_ssize_t prefix_size_max
    cdef Pattern* patterns
    cdef Py_ssize_t pattern_count
    cdef bint has_any, has_hosts
    cdef readonly str unit

    cdef int append(self, Row row, const char* host, const char* path, const char* target) except -1
    cdef int index(self) except -1
    cdef void claim_pattern(self, Py_ssize_t number, const char* path, Py_ssize_t size) noexcept
    cdef bint may_lead_on(self, Py_ssize_t number, bint absolute) noexcept
    cdef Py_ssize_t claim(self, Py_ssize_t number) noexcept
    cdef void match(
        self, const char* host, Py_ssize_t host_size, const char* path, Py_ssize_t path_size, Match* found
    ) noexcept
    cdef Py_ssize_t same(
        self, Kind kind, const char* host, Py_ssize_t host_size, const char* path, Py_ssize_t path_size
    ) noexcept
    cdef Py_ssize_t probe(
        self, uint64_t key, Kind kind, const char* host, Py_ssize_t host_size, const char* path, Py_ssize_t path_size
    ) noexcept
    cdef void match_prefix(
        self, const char* host, Py_ssize_t host_size, const char* path, Py_ssize_t path_size, Match* found
    ) noexcept
    cdef void match_pattern(
        self, const char* host, Py_ssize_t host_size, const char* path, Py_ssize_t path_size, Match* found
    ) noexcept
    cdef bytes location(self, Match* found, const char* path, const char* query, Py_ssize_t query_size)
    cdef tuple describe(self, Py_ssize_t number)
