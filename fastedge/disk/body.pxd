from fastedge.disk.record cimport Identity

cdef enum:
    COLD = -1       # not in memory, or not open: `warm` it first
    DAMAGED = -2    # the file is not what it was: what has been promised cannot be sent
    BROKEN = -3     # the socket is: see `error`


cdef class DiskBody:
    cdef readonly bytes path
    cdef readonly long long length
    cdef readonly int error             # the last errno of a socket
    cdef readonly bint is_used          # since somebody last wanted to close it
    cdef int fd
    cdef int warming                    # threads that are at it
    cdef bint gone                      # found to be damaged
    cdef long long body_at
    cdef Identity verified
    cdef long long warm_from, warm_to   # of the body: warmed, and not sent yet
    cdef object tier
    cdef object __weakref__

    # Up to `count` bytes of the body to a non-blocking socket: how many went, 0 when it takes none, or one of the above.
    cdef Py_ssize_t send_some(self, int socket, long long offset, Py_ssize_t count) noexcept
    # How many bytes from `offset` on could be sent now without waiting for the disk: > 0, COLD or DAMAGED.
    cdef Py_ssize_t probe(self, long long offset, Py_ssize_t count) noexcept
    cdef bint _reopen(self) noexcept
    cdef Py_ssize_t _held(self, long long at, Py_ssize_t count) noexcept
    cdef int _sent(self, long long to) noexcept
    cdef bint _is_same(self, int fd) noexcept nogil
    cdef bint _touch(self, int fd, long long offset, Py_ssize_t count) noexcept nogil
    cdef int _close(self) noexcept
