cimport cython
from libc.stdint cimport uint32_t, uint64_t

cdef enum Purged:
    KEPT = 0
    SOFTLY = 1      # stale: may be validated, or sent while it is
    HARD = 2        # gone

# The mapping's first cells.
cdef enum Head:
    MAGIC
    LAYOUT
    NEXT            # the last number given out
    VERSION
    FLOOR_HARD      # all that was born before this number is purged
    FLOOR_SOFT
    RING_COUNT      # prefixes ever written
    RING_NEWEST     # the number of the last one
    HEAD_CELLS

cdef enum:
    PREFIX_BYTES = 512

# A purge by prefix.
cdef struct Prefix:
    uint64_t number         # 0: nothing here, or being written
    uint32_t size
    uint32_t soft
    char text[PREFIX_BYTES]

cdef extern from *:
    """
    static inline uint64_t fastedge_load(const uint64_t* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
    """
    uint64_t fastedge_load(const uint64_t* at) noexcept nogil


@cython.final
cdef class Purges:
    """The table of purges in one shared mapping. A sequence number orders purges and fetches over all processes.

    To use a stored response: take `version()`; where it is not the response's `checked`, ask for the `verdict`, and
    only if that is KEPT, let `checked` be the version that was taken before.
    """
    cdef Py_buffer view
    cdef uint64_t* header
    cdef uint64_t* cells        # pairs: the last hard purge, the last soft one
    cdef Prefix* ring
    cdef public object keep     # keep(offset, record) puts a change into the image on disk; or None

    # The number for a fetch that begins: later purges concern it.
    cpdef uint64_t now(self) noexcept

    # Changes with each purge, never 0; what was checked against it needs no second look.
    cpdef uint64_t version(self) noexcept

    cpdef uint64_t purge(self, uint64_t name, bint soft) except? 0
    cdef Purged verdict(self, const uint64_t* names, Py_ssize_t count, bytes url, uint64_t born) noexcept
    cdef Purged verdict_at(
        self, const uint64_t* names, Py_ssize_t count, const char* url, Py_ssize_t size, uint64_t born
    ) noexcept
    cdef uint64_t _number(self) noexcept
    cdef void _in_force(self) noexcept
    cdef Purged _prefixes(self, const char* url, Py_ssize_t size, uint64_t born) noexcept
    cdef int _keep(self, const void* span) except -1
    cdef bint _restore(self, bytes image, Py_ssize_t at, Py_ssize_t target, Py_ssize_t count, Py_ssize_t size) except *


cpdef uint64_t name_hash(const char* kind, bytes name) except? 0
