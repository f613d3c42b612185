"""One stored response as a file: a head, two meta blocks of which the newest whole one counts, the body.

Two blocks, so that a validation can renew the meta beside a body that stays; each has its checksum, so that a torn one is
none. Nothing of a file is believed before it is verified, and no file is ever mapped: one that shrinks would end the worker.
Numbers are in the byte order of the machine: another one finds no record of its own here.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc
from libc.errno cimport EAGAIN, EINTR, EIO, ENOMEM, errno
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from posix.fcntl cimport O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR, open as open_file
from posix.stat cimport S_ISREG, fstat, struct_stat
from posix.unistd cimport close as close_file, pread, pwrite

import os

from fastedge._core.stored cimport Stored, new_stored
from fastedge.disk.checksum cimport Hash128, checksum, digest_state, free_state, new_state, update_state
from fastedge.disk.checksum import checksum_of
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
    LAYOUT = 1
    BLOCK_GRAIN = 512
    BLOCK_SPARE = 256       # for what a validation may add to the head
    BLOCK_BYTES_MAX = 1 << 20
    NO_VARY = 0xFFFFFFFF

cdef Py_ssize_t READ = disk_read_bytes
cdef Py_ssize_t WINDOW = disk_window_bytes
cdef double AHEAD_S = 5.0   # how far a record's moment may be ahead of a clock that is not quite right

globals().update(RECORD_HEAD_BYTES=RECORD_HEAD_BYTES)


class DamagedRecord(Exception):
    """The file is no whole record of the response that its name promises."""


# --- writing ----------------------------------------------------------------------------------------------------------


def record_start(Stored stored not None, uint64_t stamp, uint64_t boot, tuple body=None):
    """The bytes of a new record up to its body, and how long each meta block is; `body` is the checksum of a body that is
    complete already."""
    cdef RecordHead head
    cdef Hash128 check
    cdef Py_ssize_t block_bytes = _meta_bytes(stored) + BLOCK_SPARE + BLOCK_GRAIN - 1
    block_bytes -= block_bytes % BLOCK_GRAIN
    if block_bytes > BLOCK_BYTES_MAX:
        raise ValueError(f"a head and a key of {block_bytes} bytes are no record")
    memset(&head, 0, sizeof(head))
    memcpy(head.magic, b"fedgedr\n", 8)
    head.layout, head.block_bytes, head.stamp, head.high, head.low = LAYOUT, block_bytes, stamp, stored.high, stored.low
    check = checksum(&head, sizeof(head) - sizeof(head.checksum))
    head.checksum = check.low
    block = record_block(stored, block_bytes, 1, boot, body)
    return (<char*> &head)[:sizeof(head)] + block.ljust(2 * block_bytes, b"\0"), block_bytes


def record_block(Stored stored not None, Py_ssize_t block_bytes, uint64_t sequence, uint64_t boot, tuple body):
    """A meta block; `body` is the checksum of a body that is complete. None: it is longer than `block_bytes`."""
    cdef Meta* meta
    cdef Hash128 check
    cdef Py_ssize_t size = _meta_bytes(stored)
    if size > block_bytes:
        return None
    block = PyBytes_FromStringAndSize(NULL, size)
    meta = <Meta*> PyBytes_AS_STRING(block)
    memset(meta, 0, sizeof(Meta))
    meta.sequence, meta.length, meta.boot, meta.born = sequence, stored.length, boot, stored.born
    meta.received_s, meta.received_us = stored.received_s, stored.received_us
    meta.initial_age_s, meta.lifetime_s = stored.initial_age_s, stored.lifetime_s
    meta.stale_while_revalidate_s, meta.stale_if_error_s = stored.stale_while_revalidate_s, stored.stale_if_error_s
    meta.flags, meta.status, meta.url_at, meta.url_size = stored.flags, stored.status, stored.url_at, stored.url_size
    if body is not None:
        meta.body_high, meta.body_low = body
        meta.is_complete = 1
    _put_texts(stored, meta)
    check = checksum(<char*> meta + 16, size - 16)
    meta.check_high, meta.check_low = check.high, check.low
    return block


cdef Py_ssize_t _meta_bytes(Stored stored) except -1:
    return (
        sizeof(Meta) + stored.key_size + len(stored.head)
        + 8 * stored.names_total + (0 if stored.vary is None else len(stored.vary))
    )


cdef int _put_texts(Stored stored, Meta* meta) except -1:
    cdef char* at = <char*> meta + sizeof(Meta)
    cdef bytes key = stored.key, vary = b"" if stored.vary is None else stored.vary, names = stored.names
    meta.key_bytes, meta.head_bytes, meta.names_bytes = len(key), len(stored.head), len(names)
    meta.vary_bytes = NO_VARY if stored.vary is None else len(vary)
    for text in (key, vary, stored.head, names):
        memcpy(at, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        at += PyBytes_GET_SIZE(text)
    return 0


# --- reading ----------------------------------------------------------------------------------------------------------


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

    @property
    def inode(self):
        """The file's."""
        return self.identity.inode

    def has_key(self, bytes key not None):
        """Whether it is of exactly this key: hashes may collide."""
        return self._text(0, self.meta.key_bytes) == key

    def holds(self, Stored stored not None):
        """Whether it is this very response, as far as a validation leaves it as it is: key, variant and body."""
        if not self.has_key(stored.key) or self._vary() != stored.vary or self.meta.length != stored.length:
            return False
        if isinstance(stored.body, bytes):
            return checksum_of(stored.body) == self.body_checksum
        return stored.body.inode == self.identity.inode

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

    def stored(self, body, double now_s, long long now_us, uint64_t boot):
        """The response, with `body` as its body. None: it comes from a time that the clock says is yet to come, so its age
        is not known."""
        return self._stored(body, now_s, now_us, boot)

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
        if not _is_head(self.head, self.held):
            return DAMAGED
        wanted = RECORD_HEAD_BYTES + 2 * <Py_ssize_t> self.head.block_bytes
        if wanted > self.identity.size:
            return DAMAGED
        if wanted > self.held:
            error = self._hold(wanted)
            if error:
                return error
        self.meta = _newest(<char*> self.head + RECORD_HEAD_BYTES, self.head.block_bytes)
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

    cdef Stored _stored(self, object body, double now_s, long long now_us, uint64_t boot):
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


cdef int lock_shared(int fd) noexcept nogil:
    """Waits, not for long, until nobody renews the record: 0, or -1 where that does not come."""
    return fe_lock_file(fd, LOCK_SH)


cdef void unlock(int fd) noexcept nogil:
    flock(fd, LOCK_UN)


cdef bint _is_head(const RecordHead* head, Py_ssize_t size) noexcept nogil:
    return (
        size >= RECORD_HEAD_BYTES and memcmp(head.magic, b"fedgedr\n", 8) == 0 and head.layout == LAYOUT
        and head.checksum == checksum(head, sizeof(RecordHead) - sizeof(head.checksum)).low
        and sizeof(Meta) <= head.block_bytes <= BLOCK_BYTES_MAX
    )


cdef Meta* _newest(char* blocks, Py_ssize_t block_bytes) noexcept nogil:
    """The whole block with the greater number, or NULL. A complete record's older block says that it was not, or is struck out."""
    cdef Meta* first = <Meta*> blocks
    cdef Meta* second = <Meta*> (blocks + block_bytes)
    cdef bint first_is_whole = _is_whole(first, block_bytes), second_is_whole = _is_whole(second, block_bytes)
    if first_is_whole and second_is_whole:
        return first if first.sequence > second.sequence else second
    return first if first_is_whole else second if second_is_whole else NULL


cdef bint _is_whole(const Meta* meta, Py_ssize_t block_bytes) noexcept nogil:
    cdef uint64_t texts = <uint64_t> meta.key_bytes + meta.head_bytes + meta.names_bytes
    cdef Hash128 check
    if meta.vary_bytes != NO_VARY:
        texts += meta.vary_bytes
    if (
        sizeof(Meta) + texts > <uint64_t> block_bytes or meta.names_bytes % 8
        or <uint64_t> meta.url_at + meta.url_size > meta.key_bytes
    ):
        return False
    check = checksum(<const char*> meta + 16, sizeof(Meta) + texts - 16)
    return check.high == meta.check_high and check.low == meta.check_low


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


def address_of(Stored stored not None):
    """Under which hashes it is filed: of the key, high and low, and of its variant."""
    return stored.high, stored.low, vary_hash(stored.vary)


def vary_hash(bytes vary):
    """A variant as a number; 0 is that of a response without Vary."""
    return 0 if vary is None else checksum_of(vary)[1] or 1
