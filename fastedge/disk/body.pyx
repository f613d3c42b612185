"""The body of a record on disk, as a file region that is sent without being copied through Python.

The loop never waits for the disk: it asks the kernel which pages are in memory, sends those, and has a thread fetch the
others. The file is never mapped, and looked at before each piece: a record that was changed or cut short under a running
reply ends that reply, never goes on with other bytes.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawMalloc
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memcmp
from posix.fcntl cimport O_CLOEXEC, O_NONBLOCK, O_RDONLY, open as open_file
from posix.types cimport off_t
from posix.unistd cimport close as close_file, pread

from fastedge.disk.nowait cimport open_nowait, pages_held, read_nowait
from fastedge.disk.record cimport Identity, Record, identify, identity_bytes, lock_shared, unlock
from fastedge.limits import disk_window_bytes

cdef extern from "sys/sendfile.h" nogil:
    Py_ssize_t sendfile(int out, int source, off_t* offset, size_t count)

cdef enum:
    PAGE = 4096

cdef Py_ssize_t WINDOW = disk_window_bytes
cdef char* _scratch = <char*> PyMem_RawMalloc(disk_window_bytes)    # bytes that nobody looks at; the loop's alone

globals().update(COLD=COLD, DAMAGED=DAMAGED, BROKEN=BROKEN)


@cython.final
@cython.no_gc       # the tier holds it weakly: there is no cycle to find among a million of them
cdef class DiskBody:
    """Takes a verified record's descriptor. `tier.run(job, on_done)` takes what must be done in a thread.

    All but `warm_now` is for the loop. To send: `ready` before the head is promised; `send` until it is all gone; where
    one of them says COLD, `warm` and go on when that has called.
    """

    def __cinit__(self, Record record not None, bytes path not None, tier):
        self.path = path
        self.verified = record.identity
        self.body_at = record._body_at()
        self.length = record.meta.length
        self.fd = record.detach()
        self.tier = tier

    def __dealloc__(self):
        self._close()

    @property
    def is_open(self):
        """Whether it holds a descriptor at the moment; if not, the next `warm` opens the file again."""
        return self.fd >= 0

    @property
    def identity(self):
        """Of the file, and of its bytes as they were verified."""
        return identity_bytes(&self.verified)

    def send(self, int socket, long long offset, Py_ssize_t count):
        """`send_some`, for Python."""
        return self.send_some(socket, offset, count)

    def ready(self, long long offset, Py_ssize_t count):
        """`probe`, for Python."""
        return self.probe(offset, count)

    def read_some(self, long long offset, Py_ssize_t count):
        """At least one byte of the body as bytes, for what cannot be sent as a file. None: COLD, or damaged as `ready` says."""
        cdef Py_ssize_t n = self.probe(offset, count)
        cdef bytes data
        if n <= 0:
            return None
        data = PyBytes_FromStringAndSize(NULL, n)
        if pread(self.fd, <char*> data, n, self.body_at + offset) != n:
            self.gone = True
            return None
        self._sent(offset + n)
        return data

    def warm(self, long long offset, Py_ssize_t count, on_warm):
        """Has a thread bring that part into memory; then calls on_warm(True), or False for a file that is no longer the
        same. False: no thread is free, and nothing will be called."""
        self.warming += 1
        if self.tier.run(lambda: self.warm_now(offset, count), lambda done: self._warmed(offset, count, done, on_warm)):
            return True
        self.warming -= 1
        return False

    def _warmed(self, long long offset, Py_ssize_t count, bint is_whole, on_warm):
        self.warming -= 1
        self.warm_from, self.warm_to = offset, offset + count
        self.gone = self.gone or not is_whole
        on_warm(is_whole)

    def warm_now(self, long long offset, Py_ssize_t count):
        """In a thread: opens the file if need be, sees that it is the same, and reads the part. False: it is another."""
        cdef const char* path = self.path
        cdef int fd = self.fd
        cdef bint is_whole
        with nogil:
            if fd < 0:
                fd = open_file(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            is_whole = fd >= 0 and self._is_same(fd) and self._touch(fd, offset, count)
        if fd != self.fd:
            if self.fd < 0 and is_whole:
                self.fd = fd
                self.tier.opened(self)
            elif fd >= 0:
                close_file(fd)
        return is_whole

    def close_if_unused(self):
        """Gives up the descriptor, if nobody used it since the last call: True when it has none any more."""
        if self.warming or self.is_used:
            self.is_used = False
            return self.fd < 0
        self._close()
        return True

    # --- C face -------------------------------------------------------------------------------------------------

    cdef Py_ssize_t send_some(self, int socket, long long offset, Py_ssize_t count) noexcept:
        cdef Py_ssize_t n, warm = self.probe(offset, count)
        cdef off_t at = self.body_at + offset
        if warm <= 0:
            return warm
        while True:
            n = sendfile(socket, self.fd, &at, warm)
            if n > 0:
                self._sent(offset + n)
                return n
            if n == 0:      # the file ends before its time
                self.gone = True
                return DAMAGED
            if errno == EAGAIN:
                return 0
            if errno != EINTR:
                self.error = errno
                return BROKEN

    cdef Py_ssize_t probe(self, long long offset, Py_ssize_t count) noexcept:
        cdef Identity now
        if self.gone:
            return DAMAGED
        if self.fd < 0 and not self._reopen():
            return COLD
        self.is_used = True
        count = min(count, WINDOW, self.length - offset)
        if count <= 0:
            return DAMAGED      # there are no such bytes: whoever asks for them has lost count
        if identify(self.fd, &now) or now.size != self.verified.size:
            self.gone = True
            return DAMAGED
        if now.mtime_ns != self.verified.mtime_ns:
            return COLD         # somebody writes to it: a validation, or worse. The thread finds out
        if self.warm_from <= offset < self.warm_to:
            return min(count, self.warm_to - offset)
        count = self._held(self.body_at + offset, count)
        if count > 0:
            self.warm_from, self.warm_to = offset, offset + count       # so that who sends it need not ask again
        return count

    cdef bint _reopen(self) noexcept:
        """Opens the file again if that takes no waiting, and it is the same."""
        cdef Identity now
        cdef int fd = open_nowait(self.path)
        if fd < 0:
            return False
        if identify(fd, &now) or memcmp(&now, &self.verified, sizeof(Identity)):
            close_file(fd)
            return False    # the thread will say what it is
        self.fd = fd
        self.tier.opened(self)
        return True

    cdef Py_ssize_t _held(self, long long at, Py_ssize_t count) noexcept:
        """How many bytes from there on are in memory, all or some; COLD for none."""
        cdef long long first = at - at % PAGE
        cdef long long pages = (at + count - first + PAGE - 1) // PAGE
        cdef Py_ssize_t got = pages_held(self.fd, first, at + count - first)
        if got >= pages:
            return count
        got = read_nowait(self.fd, _scratch, count, at)
        return got if got > 0 else COLD

    cdef int _sent(self, long long to) noexcept:
        if to >= self.warm_to:
            self.warm_from = self.warm_to = 0
        return 0

    cdef bint _is_same(self, int fd) noexcept nogil:
        """Whether the file still is the one that was verified; one that is just being renewed is waited for."""
        cdef Identity now
        cdef bint is_same
        if identify(fd, &now) == 0 and memcmp(&now, &self.verified, sizeof(Identity)) == 0:
            return True
        if lock_shared(fd):
            return False
        is_same = identify(fd, &now) == 0 and memcmp(&now, &self.verified, sizeof(Identity)) == 0
        unlock(fd)
        return is_same

    cdef bint _touch(self, int fd, long long offset, Py_ssize_t count) noexcept nogil:
        """Reads a part, so that it is in memory."""
        cdef char[PAGE * 4] piece
        cdef Py_ssize_t n
        cdef long long end = min(self.length, offset + count)
        while offset < end:
            n = pread(fd, piece, min(<long long> sizeof(piece), end - offset), self.body_at + offset)
            if n <= 0:
                return False
            offset += n
        return True

    cdef int _close(self) noexcept:
        if self.fd >= 0:
            close_file(self.fd)
            self.fd = -1
        return 0
