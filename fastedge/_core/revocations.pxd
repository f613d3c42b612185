cimport cython
from libc.stdint cimport uint8_t, uint64_t


cdef struct Digest:             # of a revocable name; 128 bits, keyed, so that nobody can make two names meet
    uint64_t high
    uint64_t low                # 0: there is no name


# The mapping's first cells.
cdef enum Head:
    MAGIC
    LAYOUT
    ENTRIES_MAX
    KEY                         # of the digests: four cells
    GENERATION = 7              # of the area in force: the first one while it is even, else the second
    SLOTS                       # of each area: two cells
    ANY = 10                    # 0: nothing is revoked
    EVERYONE                    # two spans, as a slot has them
    HEAD_CELLS = 13


# Who has said it: what a file says goes with the file.
cdef enum Source:
    IN_FILE
    POSTED


# Belongs to one name for as long as its area is in use.
cdef struct Slot:
    uint64_t high
    uint64_t low
    uint64_t spans[2]           # of each source: tokens issued before the upper half (in s) are revoked until the lower
                                # half; 0: none


cdef struct Area:
    Slot* slots
    uint8_t* tags               # of each slot, a byte of its name; 0: nobody's. A look that finds nothing, as nearly all
    uint64_t count              # do, ends here, in memory that is small enough to be near


cdef struct Record:             # of a name, and what becomes its span; a digest of 0 is everyone's
    Digest name
    uint64_t span


cdef struct Counts:
    uint64_t[2] of              # each source
    uint64_t in_force


@cython.final
cdef class Revocable:
    """What of a token a revocation can name; shared by all requests that show it."""
    cdef readonly str jti       # None: it has none
    cdef readonly str sub
    cdef readonly double issued_s   # its `iat`; -inf without one: then each "issued before" concerns it
    cdef Digest jti_digest      # worked out when a table that is not empty is first asked
    cdef Digest sub_digest
    cdef uint64_t keyed_by      # the table whose key they were made with; 0: none


@cython.final
cdef class Revocations:
    cdef Py_buffer view
    cdef uint64_t* head
    cdef Slot* areas[2]
    cdef bytes key
    cdef uint64_t taken         # slots in use of the area in force; the writer's
    cdef public object release  # release(offset, size) empties a part of the mapping; None: zeros are written

    # Whether a token is revoked. Without an entry in the table it costs one load.
    cdef bint revokes(self, Revocable who, double now) except -1

    cdef int _learn(self, Revocable who) except -1
    cdef Digest _digest(self, bytes kind, str name) except *
    cdef Area _area(self, uint64_t generation) noexcept
    cdef int _make_room(self, const Record* records, Py_ssize_t count, double now) except -1
    cdef int _rebuild(self, const Record* records, Py_ssize_t count, bint keep_file, uint64_t room, double now) except -1
    cdef int _empty(self, uint64_t generation) except -1
    cdef int _may_write(self) except -1
