"""Exposures: the first time in a window that a visitor meets a variant. One shared mapping of bounded size: a table of
hashes that says who was there already, and a row of counters for each experiment.

The table forgets whom it has no room for, who then counts once more; it never takes one visitor for another but by an
equality of 56 bits. Nobody waits for anybody: two workers that see one visitor at the same instant may both count them.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcpy, memset

from hashlib import blake2b
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from fastedge._core.bucket cimport BUCKETS, VARIANTS
from fastedge.limits import (
    experiment_name_bytes_max, experiment_visitors_remembered_max, metrics_experiments_max,
)

cdef extern from *:
    """
    static inline int64_t fastedge_get(const int64_t* at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }
    static inline void fastedge_add(int64_t* at, int64_t n) { __atomic_fetch_add(at, n, __ATOMIC_RELAXED); }
    static inline int fastedge_claim(int64_t* at, int64_t was, int64_t is) {
        return __atomic_compare_exchange_n(at, &was, is, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    """
    int64_t fastedge_get(const int64_t* at) noexcept nogil
    void fastedge_add(int64_t* at, int64_t n) noexcept nogil
    bint fastedge_claim(int64_t* at, int64_t before, int64_t after) noexcept nogil

cdef uint64_t MARK = 0x7870786564656566     # "feedexpx"
cdef uint64_t LAYOUT_NOW = 1
cdef uint64_t SPREAD = <uint64_t> 0x9E3779B97F4A7C15    # odd, and no bit of it like its neighbours: 2^64 / the golden ratio
cdef Py_ssize_t SEEN = experiment_visitors_remembered_max
cdef int ROWS = metrics_experiments_max

cdef enum:
    HEAD_CELLS = 512        # a page: mark, layout, seconds of a window, the key
    SET_SIZE = 8            # hashes in one cache line: a visitor stands in one line
    # cells of a row
    ID = 0                  # of the experiment's name; 0: nobody has the row
    NAME = 1
    WINDOW = 9
    OBSERVED = 10
    EXPECTED = OBSERVED + VARIANTS      # in 10,000ths
    ROW_CELLS = EXPECTED + VARIANTS + 6

assert experiment_name_bytes_max <= 8 * (WINDOW - NAME) and SEEN % SET_SIZE == 0 and not SEEN & (SEEN - 1)

Row = NamedTuple("Row", [("experiment", str), ("window", int), ("observed", list), ("expected", list)])


def mapping_bytes():
    """How long the shared mapping is."""
    return 8 * (HEAD_CELLS + SEEN + ROWS * ROW_CELLS)


def initialise(buffer, bytes key not None, long long window_s):
    """Makes a zeroed, writable mapping of `mapping_bytes()` ready. `key` is 32 secret bytes, for the visitors' hashes."""
    cdef Py_buffer view
    cdef uint64_t* head
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        if len(key) != 32 or window_s < 1 or view.len != mapping_bytes():
            raise ValueError(f"exposures need {mapping_bytes()} bytes, a key of 32 and a window")
        head = <uint64_t*> view.buf
        head[0], head[1], head[2] = MARK, LAYOUT_NOW, window_s
        memcpy(&head[3], PyBytes_AS_STRING(key), 32)
    finally:
        PyBuffer_Release(&view)


@cython.final
cdef class Exposures:
    """ValueError for a buffer that `initialise` of this version did not make."""

    def __cinit__(self, buffer):
        cdef uint64_t* head
        PyObject_GetBuffer(buffer, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        head = <uint64_t*> self.view.buf
        if self.view.len != mapping_bytes() or head[0] != MARK or head[1] != LAYOUT_NOW:
            raise ValueError("this is no mapping of exposures, or one of another version of fastedge")
        self.window_s = head[2]
        self.key = PyBytes_FromStringAndSize(<char*> &head[3], 32)
        self.seen = head + HEAD_CELLS
        self.rows = <int64_t*> (self.seen + SEEN)

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    def row(self, str experiment not None):
        """The row in which an experiment is counted; -1 where all are taken."""
        cdef bytes name = experiment.encode()
        cdef int64_t id = <int64_t> (<uint64_t> xxh3_64_intdigest(name) | 1)
        cdef int64_t* cells
        cdef int i
        if len(name) > 8 * (WINDOW - NAME):
            raise ValueError(f"an experiment's name has at most {8 * (WINDOW - NAME)} bytes")
        for i in range(ROWS):
            cells = self.rows + i * ROW_CELLS
            if fastedge_claim(&cells[ID], 0, id):
                memcpy(&cells[NAME], PyBytes_AS_STRING(name), len(name))
            if fastedge_get(&cells[ID]) == id:
                return i
        return -1

    def expose(self, int row, int variant, Buckets buckets not None, bytes key not None, double now):
        """What the stage does, for tests and tools: whether this is the visitor's first time, which is then counted."""
        if not -1 <= row < ROWS or not 0 <= variant < len(buckets.variants):
            raise ValueError("there is no such row, or no such variant")
        if not self.is_first(row, variant, buckets.hash(key, len(key)), now):
            return False
        self.count(row, variant, buckets, now)
        return True

    def hash_of(self, bytes key not None):
        """What stands for a visitor's key where exposures are written down."""
        return self.visitor(key, len(key))

    def figures(self):
        """The rows that have counted something. `expected` is what the weights of each exposure come to."""
        cdef int64_t* cells
        cdef int i, j
        cdef list found = []
        for i in range(ROWS):
            cells = self.rows + i * ROW_CELLS
            count = next((j for j in range(VARIANTS, 0, -1) if cells[<int> EXPECTED + j - 1] or cells[<int> OBSERVED + j - 1]), 0)
            if count:
                name = (<char*> &cells[NAME])[:8 * (WINDOW - NAME)].rstrip(b"\0").decode("utf-8", "replace")
                found.append(Row(
                    name, cells[<int> WINDOW], [cells[<int> OBSERVED + j] for j in range(count)],
                    [cells[<int> EXPECTED + j] / <double> BUCKETS for j in range(count)],
                ))
        return found

    cdef bint is_first(self, int row, int variant, uint64_t hash, double now) noexcept:
        """Whether this visitor has not met this variant yet in this window; from now on they have."""
        cdef uint64_t window = <uint64_t> (now / self.window_s)
        cdef uint64_t what = <uint64_t> (row + 1) << 48 | window << 8 | <uint64_t> variant
        cdef uint64_t mixed = (hash ^ what) * SPREAD
        cdef uint64_t* line = self.seen + (mixed >> 32) % (SEEN // SET_SIZE) * SET_SIZE
        cdef uint64_t tag
        cdef int i, victim = <int> (mixed >> 61)
        mixed = (mixed ^ mixed >> 29) * SPREAD
        tag = ((mixed ^ mixed >> 32) & ~<uint64_t> 0xFF) | (window & 0xFF)
        for i in range(SET_SIZE):
            if line[i] == tag:
                return False
            if line[i] & 0xFF != tag & 0xFF:        # of another window, or of none
                victim = i
        line[victim] = tag
        return True

    cdef int count(self, int row, int variant, Buckets buckets, double now) noexcept:
        cdef int64_t* cells
        cdef int64_t window = <int64_t> (now / self.window_s), before
        cdef int i
        if row < 0:
            return 0
        cells = self.rows + row * ROW_CELLS
        before = fastedge_get(&cells[WINDOW])
        if before != window and fastedge_claim(&cells[WINDOW], before, window):
            memset(&cells[OBSERVED], 0, 8 * 2 * VARIANTS)
        fastedge_add(&cells[OBSERVED + variant], 1)
        for i in range(len(buckets.variants)):
            if buckets.shares[i]:
                fastedge_add(&cells[EXPECTED + i], buckets.shares[i])
        return 0

    cdef str visitor(self, const char* key, Py_ssize_t size):
        """Nobody finds the key from it without this host's secret, however few keys there may be (RFC 7693)."""
        return blake2b(key[:size], key=self.key, digest_size=12).hexdigest()
