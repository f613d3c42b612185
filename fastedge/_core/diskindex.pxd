from libc.stdint cimport uint32_t, uint64_t

# The life of a slot. From FETCHING to LEAVING it belongs to one process, and with PLACING and LEAVING the record's name.
cdef enum State:
    FREE = 0
    UNSHAREABLE = 1     # free too, and whoever waited for it is to go on alone
    FETCHING = 2        # claimed; there is no file yet
    GROWING = 3         # its file has a head, and `bytes` of the body: others may read along
    FILLING = 4         # being written, for nobody to wait for
    PLACING = 5         # is about to take its name; counted already
    LEAVING = 6         # is about to be deleted; still counted
    READY = 7

cdef struct Slot:       # one cache line
    uint64_t high, low  # XXH3-128 of the key
    uint64_t vary       # a hash of what its request said in the fields that Vary names; 0: no Vary
    uint64_t stamp      # unique: tells one life of a slot from the next
    uint64_t owner      # the process
    uint64_t bytes      # on disk; before PLACING: of the body, whole in the file
    uint32_t state
    uint32_t used       # since the hand came by: a second chance
    uint64_t unused

cdef struct Bucket:
    uint64_t lock       # the process that holds it, or 0
    uint64_t unused[7]
    Slot slots[15]

cdef struct Header:     # one page
    uint64_t magic, layout, buckets, bytes_max
    uint64_t bytes_used, entries
    uint64_t first_stamp, next_stamp, hand
    uint64_t scanned    # whether what was on disk at the start is all in here
    uint64_t scanner    # the process that sees to it
    uint64_t stored, evicted, damaged


cdef class DiskIndex:
    cdef Py_buffer view
    cdef Header* header
    cdef Bucket* buckets
    cdef uint64_t mask
    cdef readonly uint64_t owner
    cdef object is_alive
    cdef readonly list displaced    # Leaving, like what `victims` gives: their buckets were full

    cdef bint knows(self, uint64_t high, uint64_t low) noexcept
    cdef int add(self, uint64_t high, uint64_t low, uint64_t vary, uint64_t size) noexcept nogil
    cdef Bucket* _bucket(self, uint64_t low) noexcept nogil
    cdef bint _lock(self, Bucket* bucket) except -1
    cdef Py_ssize_t _next_foreign(self, Py_ssize_t position) noexcept nogil
    cdef Slot* _own(self, Py_ssize_t position, uint64_t stamp) noexcept
    cdef object _take(self, uint64_t high, uint64_t low, State state, bint joining)
    cdef int _keep_room(self, Bucket* bucket) except -1
    cdef object _retire(self, Slot* slot)
    cdef void _free(self, Slot* slot, State state) noexcept nogil
