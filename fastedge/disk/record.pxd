from libc.stdint cimport int64_t, uint64_t

from fastedge.disk.layout cimport Meta, RecordHead

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


cdef int identify(int fd, Identity* identity) noexcept nogil
cdef bytes identity_bytes(const Identity* identity)
cdef int lock_shared(int fd) noexcept nogil
cdef void unlock(int fd) noexcept nogil
