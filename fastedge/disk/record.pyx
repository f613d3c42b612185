"""A record as an open file: read, verified, renewed.

Nothing of a file is believed before it is verified, and no file is ever mapped: one that shrinks would end the worker.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc
from libc.errno cimport EAGAIN, EINTR, EIO, ENOMEM, errno
from libc.stdint cimport uint64_t
from libc.string cimport memset
from posix.fcntl cimport O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR, open as open_file
from posix.stat cimport S_ISREG, fstat, struct_stat
from posix.unistd cimport close as close_file, pread, pwrite

import os

from fastedge._core.stored cimport Stored, new_stored
from fastedge.disk.checksum cimport Hash128, checksum, digest_state, free_state, new_state, update_state
from fastedge.disk.checksum import checksum_of
from fastedge.disk.layout import record_block
from fastedge.disk.layout cimport NO_VARY, RECORD_HEAD_BYTES, Meta, RecordHead, is_record_head, newest_meta
from fastedge.disk.nowait cimport open_nowait, read_nowait
from fastedge.limits import disk_read_bytes, disk_window_bytes

cdef extern from *:
    """
    #include <fcntl.h>
    #include <sys/file.h>
    #include <sys/stat.h>
    #include <unistd.h>
    #define fe_mtime_ns(of) ((long long) (of).st_mtim.tv_sec * 1000000000 + (of).st_mtim.tv_nsec)
    static int fe_set_mtime(int fd, long long ns) {
        struct timespec times[2] = {{0, UTIME_OMIT}, {ns / 1000000000, ns % 1000000000}};
        return futimens(fd, times);
    }
    /* Whoever renews a record has its lock for microseconds; one that was stopped in between is not waited for. */
    static int fe_lock_file(int fd, int operation) {
        for (int tries = 0; tries < 100; tries++) {
            if (flock(fd, operation | LOCK_NB) == 0) return 0;
            usleep(1000);
        }
        return -1;
    }
    """
    enum: O_NOFOLLOW, LOCK_SH, LOCK_EX, LOCK_UN
    int flock(int fd, int operation) noexcept nogil
    int fe_lock_file(int fd, int operation) noexcept nogil
    int fe_set_mtime(int fd, long long ns) noexcept nogil
    long long fe_mtime_ns(struct_stat) noexcept nogil

cdef enum:
    DAMAGED = -1            # beside the numbers of errno

cdef Py_ssize_t READ = disk_read_bytes
cdef Py_ssize_t WINDOW = disk_window_bytes
cdef double AHEAD_S = 5.0   # how far a record's moment may be ahead of a clock that is not quite right


class DamagedRecord(Exception):
    """The file is no whole record of the response that its name promises."""


@cython.final
cdef class Verified:
    """Which files' bodies were found whole: file, size and time of change, as one hash of them in a slot each."""

    def __cinit__(self, Py_ssize_t entries):
        cdef uint64_t size = 1
        while size < <uint64_t> entries:
            size *= 2
        self.mask = size - 1
        self.marks = <uint64_t*> PyMem_RawCalloc(size, sizeof(uint64_t))
        if self.marks is NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_RawFree(self.marks)

    cdef bint has(self, const Identity* identity) noexcept nogil:
        cdef uint64_t mark = checksum(identity, sizeof(Identity)).low
        return self.marks[mark & self.mask] == mark

    cdef void add(self, const Identity* identity) noexcept nogil:
        cdef uint64_t mark = checksum(identity, sizeof(Identity)).low
        self.marks[mark & self.mask] = mark


@cython.final
cdef class Record:
    """An open file that was found to be a record of the key with this hash.

    OSError for a file that cannot be opened or read, DamagedRecord for one that is no such record. For a thread, as
    everything here may wait; without `waits` for the loop: BlockingIOError where there is more to do than look into memory,
    and this goes for `verify` too.
    """

    def __cinit__(self, bytes path not None, uint64_t high, uint64_t low, bint writable=False, bint waits=True):
        cdef const char* name = path
        cdef int error
        self.fd = -1
        self.path = path
        self.waits = waits
        if waits:
            with nogil:
                error = self._open(name, O_RDWR if writable else O_RDONLY)
        else:
            error = self._open(name, O_RDONLY)
        self._adopt(error)
        if self.head.high != high or self.head.low != low:
            raise DamagedRecord("it is filed under another key")

    def __dealloc__(self):
        if self.fd >= 0:
            close_file(self.fd)
        PyMem_RawFree(self.head)

    @property
    def stamp(self):
        """Of the fetch that wrote it."""
        return self.head.stamp

    @property
    def length(self):
        """Of its body in bytes; -1 as long as that is not known."""
        return self.meta.length

    @property
    def body_at(self):
        """Where in the file its body begins."""
        return self._body_at()

    @property
    def is_complete(self):
        """Whether its writer has come to the end."""
        return self.meta.is_complete == 1

    @property
    def body_checksum(self):
        """High and low half of the XXH3-128 of a complete record's body."""
        return self.meta.body_high, self.meta.body_low

    def has_key(self, bytes key not None):
        """Whether it is of exactly this key: hashes may collide."""
        return self._text(0, self.meta.key_bytes) == key

    def holds(self, Stored stored not None):
        """Whether it is this very response, as far as a validation leaves it as it is: key, variant and body."""
        if not self.has_key(stored.key) or self._vary() != stored.vary or self.meta.length != stored.length:
            return False
        if isinstance(stored.body, bytes):
            return checksum_of(stored.body) == self.body_checksum
        return stored.body.identity == identity_bytes(&self.identity)

    def mark_verified(self, Verified verified not None):
        """Its writer says that the body is whole."""
        verified.add(&self.identity)

    def verify(self, Verified verified not None):
        """DamagedRecord unless the body is whole. One of more than `disk_read_bytes` is read once a worker, as long as the
        file does not change."""
        cdef bint known = self.identity.size > self.held and verified.has(&self.identity)
        cdef int error
        if not self.meta.is_complete or self.meta.length != self.identity.size - self._body_at():
            raise DamagedRecord("it is cut short, or was never finished")
        if known:
            return
        if self.waits:
            with nogil:
                error = self._verify()
        else:
            error = self._verify() if self.identity.size <= self.held else EAGAIN
        if error == DAMAGED:
            raise DamagedRecord("its body is not the one that was stored")
        if error:
            raise OSError(error, os.strerror(error))
        if self.identity.size > self.held:
            verified.add(&self.identity)

    def refresh(self):
        """Reads the meta of a growing record again."""
        cdef int error
        with nogil:
            error = self._read()
        self._adopt(error)

    def stored(self, object body, double now_s, long long now_us, uint64_t boot):
        """The response, with `body` as its body. None: it comes from a time that the clock says is yet to come, so its age
        is not known."""
        cdef Meta* meta = self.meta
        cdef Py_ssize_t at = meta.key_bytes + (0 if meta.vary_bytes == NO_VARY else meta.vary_bytes)
        cdef long long received_us
        cdef Stored stored
        if meta.boot == boot and meta.received_us <= now_us:
            received_us = meta.received_us
        elif meta.received_s <= now_s + AHEAD_S:
            received_us = now_us - <long long> (max(0.0, now_s - meta.received_s) * 1e6)
        else:
            return None
        stored = new_stored(
            self.head.high, self.head.low, self._text(0, meta.key_bytes), self._text(at + meta.head_bytes, meta.names_bytes),
            meta.status, self._text(at, meta.head_bytes), body, meta.length,
        )
        stored.vary, stored.flags, stored.born = self._vary(), meta.flags, meta.born
        stored.received_us, stored.received_s = received_us, meta.received_s
        stored.initial_age_s, stored.lifetime_s = meta.initial_age_s, meta.lifetime_s
        stored.stale_while_revalidate_s, stored.stale_if_error_s = meta.stale_while_revalidate_s, meta.stale_if_error_s
        stored.url_at, stored.url_size = meta.url_at, meta.url_size
        return stored

    def read(self, long long offset, Py_ssize_t count):
        """At most `count` bytes of the body from `offset` on; less where the file ends."""
        cdef long long at = self._body_at() + offset
        cdef bytes data
        cdef char* buffer
        cdef Py_ssize_t got
        if at + count <= self.held:
            return (<char*> self.head)[at:at + count]
        data = PyBytes_FromStringAndSize(NULL, count)
        buffer = data
        with nogil:
            got = _read_all(self.fd, buffer, count, at)
        if got < 0:
            raise OSError(EIO, "it cannot be read")
        return data if got == count else data[:got]

    def freshen(self, Stored stored not None, uint64_t boot):
        """Puts the meta that a validation has renewed beside the body. False: it does not fit, nothing is changed.

        The new block is written before the old one is struck out, so there is a whole one at every moment; and struck out it
        is, so that damage never brings back what the origin has taken back. The time of change stays the body's.
        """
        cdef bytes block
        cdef const char* at
        cdef Py_ssize_t size
        cdef long long fresh, old
        cdef char[16] nothing
        cdef int error = 0
        memset(nothing, 0, sizeof(nothing))
        with nogil:
            error = fe_lock_file(self.fd, LOCK_EX)
        if error:
            raise BlockingIOError(EAGAIN, "somebody else is renewing it, and does not come to an end")
        try:
            self.refresh()
            if not self.meta.is_complete or stored.length != self.meta.length:
                return False
            block = record_block(stored, self.head.block_bytes, self.meta.sequence + 1, boot, self.body_checksum)
            if block is None:
                return False
            old = <char*> self.meta - <char*> self.head
            fresh = 2 * RECORD_HEAD_BYTES + self.head.block_bytes - old
            at, size = block, len(block)
            with nogil:
                if pwrite(self.fd, at, size, fresh) != size or pwrite(self.fd, nothing, sizeof(nothing), old) != sizeof(nothing):
                    error = errno or EIO
                if fe_set_mtime(self.fd, self.identity.mtime_ns) and not error:
                    error = errno
            if error:
                raise OSError(error, os.strerror(error))
            return True
        finally:
            flock(self.fd, LOCK_UN)

    def detach(self):
        """Gives up the descriptor: it is the caller's."""
        fd, self.fd = self.fd, -1
        return fd

    def close(self):
        """Closes the file."""
        if self.fd >= 0:
            close_file(self.fd)
            self.fd = -1

    # --- below ----------------------------------------------------------------------------------------------------

    cdef int _open(self, const char* path, int flags) noexcept nogil:
        if self.waits:
            self.fd = open_file(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)  # a FIFO is no reason to wait
        else:
            self.fd = open_nowait(path)
        if self.fd < 0:
            return errno
        return self._read()

    cdef int _read(self) noexcept nogil:
        """Reads the meta. What looks damaged may be just being renewed: then it is read once more, alone."""
        cdef int error = self._read_once()
        if error == DAMAGED:
            if not self.waits or lock_shared(self.fd):
                return EAGAIN
            error = self._read_once()
            unlock(self.fd)
        return error

    cdef int _read_once(self) noexcept nogil:
        cdef int error = identify(self.fd, &self.identity)
        cdef Py_ssize_t wanted
        if error:
            return error
        error = self._hold(min(READ, self.identity.size))
        if error:
            return error
        if not is_record_head(self.head, self.held):
            return DAMAGED
        wanted = RECORD_HEAD_BYTES + 2 * <Py_ssize_t> self.head.block_bytes
        if wanted > self.identity.size:
            return DAMAGED
        if wanted > self.held:
            error = self._hold(wanted)
            if error:
                return error
        self.meta = newest_meta(<char*> self.head + RECORD_HEAD_BYTES, self.head.block_bytes)
        return DAMAGED if self.meta is NULL else 0

    cdef int _hold(self, Py_ssize_t count) noexcept nogil:
        """Reads the file's first `count` bytes into memory."""
        cdef void* memory = PyMem_RawRealloc(self.head, count if count > RECORD_HEAD_BYTES else RECORD_HEAD_BYTES)
        if memory is NULL:
            return ENOMEM
        self.head = <RecordHead*> memory
        self.meta = NULL
        if not self.waits:
            self.held = read_nowait(self.fd, memory, count, 0)
            return 0 if self.held == count else EAGAIN
        self.held = _read_all(self.fd, <char*> memory, count, 0)
        return EIO if self.held < 0 else DAMAGED if self.held < count else 0

    cdef int _verify(self) noexcept nogil:
        """Compares the body with its checksum: what is held already, and the rest in pieces."""
        cdef long long at = self._body_at()
        cdef Py_ssize_t got
        cdef Hash128 found
        cdef char* piece
        if self.identity.size <= self.held:
            found = checksum(<char*> self.head + at, self.meta.length)
        else:
            piece = <char*> PyMem_RawRealloc(NULL, WINDOW)
            if piece is NULL:
                return ENOMEM
            got = _checksum_file(self.fd, at, self.meta.length, piece, WINDOW, &found)
            PyMem_RawFree(piece)
            if got < 0:
                return EIO
        return 0 if found.high == self.meta.body_high and found.low == self.meta.body_low else DAMAGED

    cdef long long _body_at(self) noexcept nogil:
        return RECORD_HEAD_BYTES + 2 * <long long> self.head.block_bytes

    cdef int _adopt(self, int error) except -1:
        if error == DAMAGED:
            raise DamagedRecord("it is no record, or its meta is damaged")
        if error:
            raise OSError(error, os.strerror(error), os.fsdecode(self.path))
        return 0

    cdef bytes _text(self, Py_ssize_t at, Py_ssize_t size):
        return (<char*> self.meta + sizeof(Meta))[at:at + size]

    cdef bytes _vary(self):
        return None if self.meta.vary_bytes == NO_VARY else self._text(self.meta.key_bytes, self.meta.vary_bytes)


cdef int identify(int fd, Identity* identity) noexcept nogil:
    """What tells this file, as it is now, from others; or an error's number. Anything but a file is damage."""
    cdef struct_stat status
    if fstat(fd, &status):
        return errno
    if not S_ISREG(status.st_mode):
        return DAMAGED
    identity.device, identity.inode, identity.size = status.st_dev, status.st_ino, status.st_size
    identity.mtime_ns = fe_mtime_ns(status)
    return 0


cdef bytes identity_bytes(const Identity* identity):
    """To be compared; numbers of deleted files come again, so the inode alone says little."""
    return (<const char*> identity)[:sizeof(Identity)]


cdef int lock_shared(int fd) noexcept nogil:
    """Waits, not for long, until nobody renews the record: 0, or -1 where that does not come."""
    return fe_lock_file(fd, LOCK_SH)


cdef void unlock(int fd) noexcept nogil:
    flock(fd, LOCK_UN)


cdef Py_ssize_t _read_all(int fd, char* buffer, Py_ssize_t count, long long at) noexcept nogil:
    """So many bytes, or those up to the file's end; -1 for an error."""
    cdef Py_ssize_t got = 0, n
    while got < count:
        n = pread(fd, buffer + got, count - got, at + got)
        if n == 0:
            break
        if n > 0:
            got += n
        elif errno != EINTR:
            return -1
    return got


cdef Py_ssize_t _checksum_file(int fd, long long at, long long length, char* piece, Py_ssize_t size, Hash128* found) noexcept nogil:
    """The checksum of a part of a file, piece by piece; -1 for an error. A part that is cut short has another one."""
    cdef Py_ssize_t n = 0
    cdef void* state = new_state()
    if state is NULL:
        return -1
    while length > 0:
        n = _read_all(fd, piece, min(<long long> size, length), at)
        if n <= 0:
            break
        update_state(state, piece, n)
        at += n
        length -= n
    found[0] = digest_state(state)
    free_state(state)
    return -1 if n < 0 else 0
