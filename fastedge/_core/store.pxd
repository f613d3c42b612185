from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastedge._core.stored cimport (
    AUTHORIZED, ENCODED, HAS_ETAG, HAS_LAST_MODIFIED, HEURISTIC, IMMUTABLE, MUST_REVALIDATE, NO_CACHE, NO_RANGES, Stored,
    age_s, key_of, new_stored, refreshed, url_of,
)

cdef enum:
    SLOTS = 7
    PRINTS = 16


cdef struct Chunk:                  # one cache line
    uint8_t tags[SLOTS]             # eight bits of the hash; 0: the slot is empty
    uint8_t passed                  # keys that found no place here and went on; at 255 nobody counts any more
    PyObject* slots[SLOTS]          # Stored, the first of its key's variants; owned


cdef struct Ghosts:                 # one cache line: who was evicted from the small queue, the last one first
    uint32_t prints[PRINTS]


cdef struct Shard:
    Chunk* chunks
    Ghosts* ghosts                  # behind the chunks, in the same block
    uint32_t mask                   # of chunks, a power of two, less one
    uint32_t ghost_mask
    uint32_t keys
    uint8_t shift                   # chunk of a hash: (home >> shift) & mask
    uint8_t ghost_shift


cdef struct Queue:
    PyObject* newest
    PyObject* oldest
    Py_ssize_t bytes_used


cdef class MemoryStore:
    """A worker's own tier."""
    cdef Shard* shards
    cdef Queue queues[3]
    cdef uint64_t seed[2]
    cdef Py_ssize_t small_bytes_max
    cdef Py_ssize_t stored_bytes_max
    cdef readonly Py_ssize_t bytes_max
    cdef readonly Py_ssize_t bytes_used
    cdef readonly Py_ssize_t entries
    cdef readonly long long hits, misses, admissions, evictions

    cdef Stored find(self, uint64_t high, uint64_t low, const char* key, Py_ssize_t size)   # the first variant, or None
    cdef int touch(self, Stored stored) noexcept                # it was used: for the eviction
    cdef bint keep(self, Stored stored) except -1               # replaces the one with equal key and vary; False: too large
    cdef int drop(self, Stored stored) except -1

    cdef uint64_t _home(self, uint64_t high, uint64_t low) noexcept
    cdef PyObject** _slot(self, uint64_t home, uint64_t high, uint64_t low, const char* key, Py_ssize_t size) noexcept
    cdef PyObject** _slot_of(self, Stored stored) noexcept
    cdef Stored _former(self, Stored stored)
    cdef bint _hang(self, Stored stored) except -1
    cdef bint _hang_first(self, Stored stored) except -1
    cdef int _unhang(self, Stored stored) except -1
    cdef int _empty(self, PyObject** slot, uint64_t home) noexcept
    cdef int _grow(self, Shard* shard) except -1
    cdef int _move(self, Shard* shard, Shard* grown) noexcept
    cdef int _look(self, Shard* shard, uint32_t home, bytes url, list found) except -1
    cdef int _make_room(self, Py_ssize_t cost) except -1
    cdef Stored _victim(self)
    cdef Stored _oldest(self)
    cdef int _enter(self, Stored stored, uint8_t queue) noexcept
    cdef int _leave(self, Stored stored) noexcept
    cdef int _remember(self, uint64_t home) noexcept
    cdef bint _was_evicted(self, uint64_t home) noexcept
    cdef Ghosts* _ghosts(self, uint64_t home) noexcept
