"""Purges: which stored responses are no longer for use. One shared mapping, read on each use; what is stored is never
walked, so a purge costs the same whatever there is.

The order is all. A purge
1. takes n = ++NEXT: what a fetch that began before will store has born < n;
2. raises to n what it names: a cell of the table, a slot of the ring of prefixes, or a floor;
3. raises VERSION, and returns.
A reader takes VERSION, then looks, and remembers that version with a response that it keeps. A look that missed step 2
has taken its version before step 3: it finds another one the next time, and looks again.

Names share cells by their hash: two that meet are purged together, which costs a fetch and is never wrong. Cells and
floors may be raised by every process; prefixes have one writer, the supervisor. No file here: `keep` is given.
"""

cimport cython
from cpython.array cimport array
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from xxhash import xxh3_64_intdigest

from fastedge.limits import cache_purge_cells, cache_purge_prefix_bytes_max, cache_purge_prefixes_max

cdef extern from *:
    """
    static inline uint64_t fastedge_add_1(uint64_t* at) { return __atomic_add_fetch(at, 1, __ATOMIC_SEQ_CST); }
    static inline void fastedge_store(uint64_t* at, uint64_t value) { __atomic_store_n(at, value, __ATOMIC_SEQ_CST); }
    static inline void fastedge_raise(uint64_t* at, uint64_t value) {
        uint64_t seen = __atomic_load_n(at, __ATOMIC_RELAXED);
        while (seen < value &&
               !__atomic_compare_exchange_n(at, &seen, value, 1, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {}
    }
    """
    uint64_t fastedge_add_1(uint64_t* at) noexcept nogil
    void fastedge_store(uint64_t* at, uint64_t value) noexcept nogil
    void fastedge_raise(uint64_t* at, uint64_t value) noexcept nogil

assert cache_purge_prefix_bytes_max == PREFIX_BYTES and cache_purge_cells & (cache_purge_cells - 1) == 0
cdef object _hash = xxh3_64_intdigest
cdef uint64_t MARK = 0x6567727570646566     # "fedpurge"
cdef uint64_t LAYOUT_NOW = 1                # goes up with each change of the mapping or of its image
cdef Py_ssize_t CELLS = cache_purge_cells
cdef Py_ssize_t PREFIXES = cache_purge_prefixes_max
cdef Py_ssize_t HEAD_SIZE = HEAD_CELLS * sizeof(uint64_t)
cdef Py_ssize_t CELL_SIZE = 2 * sizeof(uint64_t)
cdef Py_ssize_t CELLS_END = HEAD_SIZE + CELLS * CELL_SIZE
cdef Py_ssize_t CHECK_SIZE = sizeof(uint64_t)

# The image on disk is the mapping in spans (its head, each cell, each slot), each followed by a checksum.
cdef Py_ssize_t IMAGE_CELLS = HEAD_SIZE + CHECK_SIZE
cdef Py_ssize_t IMAGE_RING = IMAGE_CELLS + CELLS * (CELL_SIZE + CHECK_SIZE)

_VERDICTS = ("kept", "softly", "hard")


def mapping_bytes():
    """How long the shared mapping is."""
    return CELLS_END + PREFIXES * sizeof(Prefix)


def image_bytes():
    """How long its image on disk is."""
    return IMAGE_RING + PREFIXES * (sizeof(Prefix) + CHECK_SIZE)


def initialise(buffer):
    """Makes a zeroed, writable mapping of `mapping_bytes()` ready."""
    cdef Py_buffer view
    cdef uint64_t* header
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        if view.len != mapping_bytes():
            raise ValueError(f"purges need {mapping_bytes()} bytes, not {view.len}")
        header = <uint64_t*> view.buf
        header[<int> MAGIC], header[<int> LAYOUT], header[<int> VERSION] = MARK, LAYOUT_NOW, 1
    finally:
        PyBuffer_Release(&view)


cpdef uint64_t name_hash(const char* kind, bytes name) except? 0:
    """The name of a purge: XXH3-64 of kind, NUL, name. Kinds: "url", "host", "tag", "group"."""
    return _hash(<bytes> kind + b"\0" + name)


@cython.final
cdef class Purges:
    """ValueError for a buffer that `initialise` of this version did not make."""

    def __cinit__(self, buffer):
        PyObject_GetBuffer(buffer, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.header = <uint64_t*> self.view.buf
        if self.view.len != mapping_bytes() or self.header[<int> MAGIC] != MARK or self.header[<int> LAYOUT] != LAYOUT_NOW:
            raise ValueError("this is no mapping of purges, or one of another version of fastedge")
        self.cells = self.header + <int> HEAD_CELLS
        self.ring = <Prefix*> (<char*> self.view.buf + CELLS_END)

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    # --- purging ------------------------------------------------------------------------------------------------

    cpdef uint64_t now(self) noexcept:
        return fastedge_load(&self.header[<int> NEXT])

    cpdef uint64_t version(self) noexcept:
        return fastedge_load(&self.header[<int> VERSION])

    cpdef uint64_t purge(self, uint64_t name, bint soft) except? 0:
        cdef uint64_t n = self._number()
        cdef uint64_t* cell = self.cells + 2 * (name & <uint64_t> (CELLS - 1))
        fastedge_raise(cell + soft, n)
        self._in_force()
        self._keep(cell)
        return n

    def purge_names(self, bytes kind not None, names, bint soft=False):
        """Purges what carries one of these names; gives the purge's number."""
        cdef uint64_t number = 0
        for name in names:
            number = self.purge(name_hash(kind, name), soft)
        return number

    def purge_prefix(self, bytes prefix not None, bint soft=False):
        """Purges the URLs that begin so. ValueError for a prefix that is too long. Called by one process alone."""
        cdef uint64_t n, count = self.header[<int> RING_COUNT]
        cdef Prefix* slot = &self.ring[count % <uint64_t> PREFIXES]
        if len(prefix) > PREFIX_BYTES:
            raise ValueError(f"a prefix has at most {PREFIX_BYTES} bytes, not {len(prefix)}")
        n = self._number()
        if slot.number:
            # The ring is full: its oldest becomes a purge of all that is older than it, before it is overwritten.
            fastedge_raise(&self.header[<int> FLOOR_SOFT if slot.soft else <int> FLOOR_HARD], slot.number)
            self._keep(self.header)
        fastedge_store(&slot.number, 0)
        slot.size, slot.soft = <uint32_t> len(prefix), soft
        memcpy(slot.text, PyBytes_AS_STRING(prefix), len(prefix))
        fastedge_store(&slot.number, n)
        fastedge_store(&self.header[<int> RING_COUNT], count + 1)
        fastedge_store(&self.header[<int> RING_NEWEST], n)
        self._in_force()
        self._keep(slot)
        return n

    def purge_everything(self, bint soft=False):
        """Purges all that is stored, or being fetched."""
        cdef uint64_t n = self._number()
        fastedge_raise(&self.header[<int> FLOOR_SOFT if soft else <int> FLOOR_HARD], n)
        self._in_force()
        self._keep(self.header)
        return n

    cdef uint64_t _number(self) noexcept:
        return fastedge_add_1(&self.header[<int> NEXT])

    cdef void _in_force(self) noexcept:
        fastedge_add_1(&self.header[<int> VERSION])

    # --- looking ------------------------------------------------------------------------------------------------

    cdef Purged verdict(self, const uint64_t* names, Py_ssize_t count, bytes url, uint64_t born) noexcept:
        return self.verdict_at(names, count, PyBytes_AS_STRING(url), len(url), born)

    cdef Purged verdict_at(
        self, const uint64_t* names, Py_ssize_t count, const char* url, Py_ssize_t size, uint64_t born
    ) noexcept:
        cdef Purged found = KEPT
        cdef uint64_t* cell
        cdef Py_ssize_t i
        if fastedge_load(&self.header[<int> RING_NEWEST]) > born:
            found = self._prefixes(url, size, born)
        for i in range(count):
            cell = self.cells + 2 * (names[i] & <uint64_t> (CELLS - 1))
            if fastedge_load(cell) > born:
                return HARD
            if fastedge_load(cell + 1) > born:
                found = max(found, SOFTLY)
        # The floors after the prefixes: a slot that was overwritten meanwhile has raised its floor before.
        if fastedge_load(&self.header[<int> FLOOR_HARD]) > born:
            return HARD
        if fastedge_load(&self.header[<int> FLOOR_SOFT]) > born:
            found = max(found, SOFTLY)
        return found

    cdef Purged _prefixes(self, const char* url, Py_ssize_t size, uint64_t born) noexcept:
        """From the newest to the first that is older than the response."""
        cdef uint64_t number, count = fastedge_load(&self.header[<int> RING_COUNT])
        cdef Purged found = KEPT
        cdef Prefix* slot
        cdef Py_ssize_t i
        for i in range(min(<Py_ssize_t> count, PREFIXES)):
            slot = &self.ring[(count - 1 - i) % <uint64_t> PREFIXES]
            number = fastedge_load(&slot.number)
            if number == 0:
                continue
            if number <= born:
                break
            if slot.size <= size and memcmp(url, slot.text, min(slot.size, <uint32_t> PREFIX_BYTES)) == 0:
                if not slot.soft:
                    return HARD
                found = SOFTLY
        return found

    # --- the image on disk --------------------------------------------------------------------------------------

    cdef int _keep(self, const void* span) except -1:
        """Puts one span into the image, and once more if another process has changed it meanwhile."""
        cdef Py_ssize_t size, at
        cdef bytes now, before
        if self.keep is None:
            return 0
        at = _image_offset(<char*> span - <char*> self.header, &size)
        before = PyBytes_FromStringAndSize(<char*> span, size)
        while True:
            self.keep(at, _record(at, before))
            now = PyBytes_FromStringAndSize(<char*> span, size)
            if now == before:
                return 0
            before = now

    def keep_head(self):
        """Puts the head into the image: the number that has been reached, and the floors."""
        self._keep(self.header)

    def restore(self, bytes image not None):
        """Takes over what an image holds, before anyone reads. False where any of it cannot be read."""
        cdef bint whole
        cdef Py_ssize_t i, newest = 0
        cdef uint64_t next_
        if len(image) != image_bytes() or memcmp(PyBytes_AS_STRING(image), self.header, 2 * sizeof(uint64_t)) != 0:
            return False
        whole = self._restore(image, 0, 0, 1, HEAD_SIZE)
        whole &= self._restore(image, IMAGE_CELLS, HEAD_SIZE, CELLS, CELL_SIZE)
        whole &= self._restore(image, IMAGE_RING, CELLS_END, PREFIXES, sizeof(Prefix))
        next_ = self.header[<int> NEXT]
        for i in range(2 * CELLS):
            next_ = max(next_, self.cells[i])
        for i in range(PREFIXES):
            if self.ring[i].number > self.ring[newest].number:
                newest = i
        self.header[<int> RING_NEWEST] = self.ring[newest].number
        # So that the next prefix goes where the oldest is, and all slots are looked at.
        self.header[<int> RING_COUNT] = PREFIXES + newest + 1
        self.header[<int> NEXT] = max(next_, self.ring[newest].number)
        return whole

    def advance(self, uint64_t number):
        """The next purge has at least the number behind this one."""
        fastedge_raise(&self.header[<int> NEXT], number)

    cdef bint _restore(self, bytes image, Py_ssize_t at, Py_ssize_t target, Py_ssize_t count, Py_ssize_t size) except *:
        """Copies spans whose checksum holds; one that is zero has never been written."""
        cdef const char* source = PyBytes_AS_STRING(image)
        cdef bytes zeros = bytes(size + CHECK_SIZE)
        cdef bint whole = True
        cdef Py_ssize_t i
        for i in range(count):
            if memcmp(source + at, PyBytes_AS_STRING(zeros), size + CHECK_SIZE) != 0:
                if image[at:at + size + CHECK_SIZE] == _record(at, image[at:at + size]):
                    memcpy(<char*> self.header + target, source + at, size)
                else:
                    whole = False
            at += size + CHECK_SIZE
            target += size
        return whole

    # --- for tests and tools ------------------------------------------------------------------------------------

    def verdict_of(self, names, bytes url not None, uint64_t born):
        """"kept", "softly" or "hard", for a response with these names."""
        cdef array packed = array("Q", names)
        return _VERDICTS[<int> self.verdict(<uint64_t*> packed.data.as_voidptr, len(packed), url, born)]


cdef bytes _record(Py_ssize_t at, bytes span):
    """A span with its checksum, in which its place counts too."""
    cdef uint64_t check = _hash(b"%d:%b" % (at, span))
    return span + PyBytes_FromStringAndSize(<char*> &check, CHECK_SIZE)


cdef Py_ssize_t _image_offset(Py_ssize_t offset, Py_ssize_t* size) noexcept:
    """Where in the image the span is that begins at this offset of the mapping, and how long it is."""
    if offset == 0:
        size[0] = HEAD_SIZE
        return 0
    if offset < CELLS_END:
        size[0] = CELL_SIZE
        return IMAGE_CELLS + (offset - HEAD_SIZE) // CELL_SIZE * (CELL_SIZE + CHECK_SIZE)
    size[0] = sizeof(Prefix)
    return IMAGE_RING + (offset - CELLS_END) // <Py_ssize_t> sizeof(Prefix) * (<Py_ssize_t> sizeof(Prefix) + CHECK_SIZE)
