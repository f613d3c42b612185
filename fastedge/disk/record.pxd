from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from fastedge._core.stored cimport Stored

cdef enum:
    RECORD_HEAD_BYTES = 64

cdef struct RecordHead:             # the first bytes of a file; never change
    char magic[8]
    uint32_t layout
    uint32_t block_bytes            # of each of the two meta blocks that follow
    uint64_t stamp                  # of the fetch that wrote it
    uint64_t high, low              # XXH3-128 of the key
    uint64_t unused[2]
    uint64_t checksum               # of all before

cdef struct Meta:                   # the beginning of a block; key, vary, head and names follow
    uint64_t check_high, check_low  # XXH3-128 of the rest of what the block holds
    uint64_t sequence               # the greater one counts
    int64_t length                  # of the body; -1 while it is not known
    uint64_t body_high, body_low    # XXH3-128 of the body, once it is complete
    double received_s
    int64_t received_us
    uint64_t boot                   # of which boot of the host received_us is a time
    uint64_t born
    float initial_age_s, lifetime_s, stale_while_revalidate_s, stale_if_error_s
    uint32_t flags
    int32_t status
    uint32_t key_bytes, vary_bytes, head_bytes, names_bytes
    uint32_t url_at, url_size
    uint32_t is_complete
    uint32_t unused


cdef struct Identity:               # of a file, and of its bytes as they were
    uint64_t device, inode
    int64_t size, mtime_ns


cdef class Verified:
    cdef uint64_t* marks
    cdef uint64_t mask

    cdef bint has(self, const Identity* identity) noexcept nogil
    cdef void add(self, const Identity* identity) noexcept nogil


cdef class Record:
    cdef readonly int fd
    cdef readonly bytes path
    cdef Identity identity
    cdef RecordHead* head           # what was read of the file from its first byte
    cdef Py_ssize_t held            # bytes there
    cdef Meta* meta                 # the newest whole block, in it
    cdef bint waits                 # for the disk if need be; if not, EAGAIN

    cdef int _open(self, const char* path, int flags) noexcept nogil
    cdef int _read(self) noexcept nogil
    cdef int _read_once(self) noexcept nogil
    cdef int _hold(self, Py_ssize_t count) noexcept nogil
    cdef int _verify(self) noexcept nogil
    cdef long long _body_at(self) noexcept nogil
    cdef int _adopt(self, int error) except -1
    cdef bytes _text(self, Py_ssize_t at, Py_ssize_t size)
    cdef bytes _vary(self)
    cdef Stored _stored(self, object body, double now_s, long long now_us, uint64_t boot)


cdef int identify(int fd, Identity* identity) noexcept nogil
cdef int lock_shared(int fd) noexcept nogil
cdef void unlock(int fd) noexcept nogil
