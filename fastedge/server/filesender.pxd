from fastedge.disk.body cimport DiskBody


cdef class FileSender:
    cdef object transport
    cdef object loop
    cdef object on_progress     # on_progress(): the client has taken some
    cdef object on_done         # on_done(is_whole)
    cdef bytes head
    cdef DiskBody body
    cdef long long offset
    cdef long long left
    cdef int socket             # the transport's
    cdef int twin               # its duplicate, which the loop watches; -1: it does not
    cdef bint over

    cdef int start(self, bytes head, DiskBody body, long long offset, long long count) except -1
    cdef int cancel(self) except -1
    cdef bint _send_head(self) except -1
    cdef int _send_body(self) except -1
    cdef int _wait(self) except -1
    cdef int _unwatch(self) except -1
    cdef int _end(self, bint is_whole) except -1
