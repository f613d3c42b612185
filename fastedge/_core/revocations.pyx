"""Revocations: which tokens are no longer good, although nothing is wrong with them. One shared mapping, one process that
writes, any number that read on each request; nobody waits for anybody.

Two areas of slots, found by linear probing; one is in force. A slot is published by its tag, which is written last, and
stays where it is, so a look in the area in force never misses what was there when it began. To forget, to grow or to take
over another file, what is in force is written into the other area, GENERATION says so in one store, and the first area is
emptied. A reader takes GENERATION before and after its look: where it has changed, the look counts for nothing.
A writer that dies leaves whole slots, and an area that nobody looks at.

Times are whole seconds: "issued before" is rounded up, since an `iat` has mostly been rounded down.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.math cimport INFINITY
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from hashlib import blake2b
from typing import NamedTuple

from fastedge.errors import FastEdgeError
from fastedge.limits import revocations_asked_max

cdef extern from *:
    """
    static inline uint64_t fastedge_load(const uint64_t* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
    static inline void fastedge_store(uint64_t* at, uint64_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }
    static inline uint8_t fastedge_load_byte(const uint8_t* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
    static inline void fastedge_store_byte(uint8_t* at, uint8_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }
    static inline void fastedge_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
    static inline uint64_t fastedge_share(uint64_t hash, uint64_t count) {
        return (uint64_t) (((unsigned __int128) hash * count) >> 64);
    }
    static inline void fastedge_prefetch(const void* at) { __builtin_prefetch(at); }
    """
    uint64_t fastedge_load(const uint64_t* at) noexcept nogil
    void fastedge_store(uint64_t* at, uint64_t value) noexcept nogil
    uint8_t fastedge_load_byte(const uint8_t* at) noexcept nogil
    void fastedge_store_byte(uint8_t* at, uint8_t value) noexcept nogil
    void fastedge_fence() noexcept nogil
    uint64_t fastedge_share(uint64_t hash, uint64_t count) noexcept nogil
    void fastedge_prefetch(const void* at) noexcept nogil

cdef uint64_t MARK = 0x6b6f766572646566     # "fedrevok"
cdef uint64_t LAYOUT_NOW = 1                # goes up with each change of the mapping
cdef uint64_t BLOCK = 1 << 16               # areas begin at pages, however large those are
cdef uint64_t SLOTS_MIN = 1024
cdef uint64_t SLOT_SIZE = sizeof(Slot) + sizeof(uint8_t)    # with its tag
cdef uint64_t ENDLESS = 0xFFFFFFFF          # issued whenever; until for ever

Held = NamedTuple("Held", [("in_force", int), ("in_file", int), ("posted", int)])


class RevocationsFull(FastEdgeError):
    """There is no room for what is to be revoked; nothing has changed."""


def mapping_bytes(uint64_t entries_max):
    """How long the shared mapping is. Memory is used by what is written: 64 bytes an entry, twice that while an area
    takes over from the other."""
    return BLOCK + 2 * _area_bytes(entries_max)


def initialise(buffer, uint64_t entries_max, bytes key not None):
    """Makes a zeroed, writable mapping of `mapping_bytes(entries_max)` ready. `key` is 32 random bytes."""
    cdef Py_buffer view
    cdef uint64_t* head
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        if len(key) != 32 or not 0 < entries_max <= <uint64_t> revocations_asked_max or view.len != mapping_bytes(entries_max):
            raise ValueError(f"{entries_max} revocations need {mapping_bytes(entries_max)} bytes and a key of 32")
        head = <uint64_t*> view.buf
        head[<int> MAGIC], head[<int> LAYOUT], head[<int> ENTRIES_MAX] = MARK, LAYOUT_NOW, entries_max
        head[<int> SLOTS] = SLOTS_MIN
        memcpy(&head[<int> KEY], PyBytes_AS_STRING(key), 32)
        head[<int> KEY] |= 1  # Revocable.keyed_by is 0 for none
    finally:
        PyBuffer_Release(&view)


@cython.final
@cython.freelist(256)
cdef class Revocable:
    def __init__(self, str jti, str sub, double issued_s=-INFINITY):
        self.jti = jti
        self.sub = sub
        self.issued_s = issued_s


@cython.final
cdef class Revocations:
    """ValueError for a buffer that `initialise` of this version did not make. One that is writable makes it the writer."""

    def __cinit__(self, buffer):
        PyObject_GetBuffer(buffer, &self.view, PyBUF_SIMPLE)
        self.head = <uint64_t*> self.view.buf
        if (
            self.view.len < <Py_ssize_t> BLOCK or self.head[<int> MAGIC] != MARK or self.head[<int> LAYOUT] != LAYOUT_NOW
            or self.view.len != mapping_bytes(self.head[<int> ENTRIES_MAX])
        ):
            raise ValueError("this is no mapping of revocations, or one of another version of fastedge")
        self.areas[0] = <Slot*> (<char*> self.view.buf + BLOCK)
        self.areas[1] = <Slot*> (<char*> self.areas[0] + _area_bytes(self.head[<int> ENTRIES_MAX]))
        self.key = PyBytes_FromStringAndSize(<char*> &self.head[<int> KEY], 32)
        if not self.view.readonly:
            self.taken = _taken(self._area(self.head[<int> GENERATION]))

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    # --- looking ------------------------------------------------------------------------------------------------

    cdef bint revokes(self, Revocable who, double now) except -1:
        cdef uint64_t generation
        cdef Area area
        cdef bint found
        if fastedge_load(&self.head[<int> ANY]) == 0:
            return False
        if who.keyed_by != self.head[<int> KEY]:
            self._learn(who)
        while True:
            generation = fastedge_load(&self.head[<int> GENERATION])
            area = self._area(generation)
            fastedge_prefetch(&area.tags[fastedge_share(who.jti_digest.high, area.count)])
            fastedge_prefetch(&area.tags[fastedge_share(who.sub_digest.high, area.count)])
            found = (
                _concerns(&self.head[<int> EVERYONE], who.issued_s, now)
                or _holds(area, who.jti_digest, who.issued_s, now)
                or _holds(area, who.sub_digest, who.issued_s, now)
            )
            if fastedge_load(&self.head[<int> GENERATION]) == generation:
                return found

    cdef int _learn(self, Revocable who) except -1:
        who.jti_digest = self._digest(b"jti", who.jti)
        who.sub_digest = self._digest(b"sub", who.sub)
        who.keyed_by = self.head[<int> KEY]
        return 0

    cdef Digest _digest(self, bytes kind, str name) except *:
        cdef Digest digest
        cdef bytes raw
        digest.high = digest.low = 0
        if name is not None:
            # Lone surrogates, which JSON can spell, are names like any other.
            raw = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16, key=self.key, person=kind).digest()
            memcpy(&digest, PyBytes_AS_STRING(raw), sizeof(Digest))
            digest.low = digest.low or 1
        return digest

    cdef Area _area(self, uint64_t generation) noexcept:
        cdef Area area
        area.count = fastedge_load(&self.head[<int> SLOTS + (generation & 1)])
        area.slots = self.areas[generation & 1]
        area.tags = <uint8_t*> (area.slots + area.count)
        return area

    # --- writing ------------------------------------------------------------------------------------------------

    @property
    def entries_max(self):
        return self.head[<int> ENTRIES_MAX]

    def record(self, bytes kind not None, str name, before_s, until_s):
        """What the methods below take, one behind the other. `kind`: b"jti" or b"sub"; without a name it is everyone.
        None for `before_s`: whenever issued; for `until_s`: for ever."""
        cdef Record record
        cdef uint32_t before = ENDLESS if before_s is None else before_s
        cdef uint32_t until = ENDLESS if until_s is None else until_s
        record.name = self._digest(kind, name)
        record.span = <uint64_t> before << 32 | until
        return PyBytes_FromStringAndSize(<char*> &record, sizeof(Record))

    def revoke(self, bytes records not None, double now):
        """As POSTed; in force when it returns. RevocationsFull: there is no room for all of them. What is revoked twice
        is revoked for the later "issued before" and until the later end."""
        cdef const Record* at = <const Record*> PyBytes_AS_STRING(records)
        cdef Py_ssize_t i, count = len(records) // <Py_ssize_t> sizeof(Record)
        cdef Area area
        self._may_write()
        self._make_room(at, count, now)
        area = self._area(self.head[<int> GENERATION])
        for i in range(count):
            if _is_in_force(at[i].span, now):
                self.taken += _put(area, self.head, at[i], POSTED, now)
        fastedge_store(&self.head[<int> ANY], 1)

    def restore(self, bytes records not None, double now):
        """Takes back what was POSTed: (how many of these were, how many are revoked by the file all the same)."""
        cdef const Record* at = <const Record*> PyBytes_AS_STRING(records)
        cdef Area area = self._area(self.head[<int> GENERATION])
        cdef Py_ssize_t restored = 0, in_file = 0, i
        cdef uint64_t* spans
        self._may_write()
        for i in range(len(records) // <Py_ssize_t> sizeof(Record)):
            spans = _spans(area, self.head, at[i].name)
            if spans is not NULL:
                restored += _is_in_force(spans[<int> POSTED], now)
                in_file += _is_in_force(spans[<int> IN_FILE], now)
                fastedge_store(&spans[<int> POSTED], 0)
        return restored, in_file

    def replace_file(self, bytes records not None, double now):
        """From now on the file says this, and nothing else. RevocationsFull: it does not fit beside what was POSTed."""
        cdef Py_ssize_t count = len(records) // <Py_ssize_t> sizeof(Record)
        self._may_write()
        if count or self.held(now).in_file:
            self._rebuild(<const Record*> PyBytes_AS_STRING(records), count, False, 0, now)

    def held(self, double now):
        """What is in force: in all, by the file, by POST."""
        cdef Counts counts = _counts(self._area(self.head[<int> GENERATION]), now)
        _count(&self.head[<int> EVERYONE], &counts, now)
        return Held(counts.in_force, counts.of[<int> IN_FILE], counts.of[<int> POSTED])

    def is_revoked(self, Revocable who not None, double now):
        return self.count_revoked([who], now) == 1

    def count_revoked(self, list whos not None, double now):
        """How many of these are; for tests and benchmarks, as the one above."""
        cdef Py_ssize_t count = 0, i
        for i in range(len(whos)):
            count += self.revokes(<Revocable?> whos[i], now)
        return count

    cdef int _make_room(self, const Record* records, Py_ssize_t count, double now) except -1:
        """So that all of these find a slot, or none of them gets one."""
        cdef Area area = self._area(self.head[<int> GENERATION])
        cdef uint64_t fresh, entries_max = self.head[<int> ENTRIES_MAX]
        cdef uint64_t* spans
        cdef set names = set()
        cdef Py_ssize_t i
        for i in range(count):
            spans = _spans(area, self.head, records[i].name)
            if records[i].name.low and _is_in_force(records[i].span, now) and (
                spans is NULL or not (_is_in_force(spans[0], now) or _is_in_force(spans[1], now))
            ):
                names.add((records[i].name.high, records[i].name.low))
        fresh = len(names)
        if self.taken + fresh > entries_max and _counts(area, now).in_force + fresh > entries_max:
            raise RevocationsFull(f"revocations.entries_max: no room for {fresh} more beside those in force; it is {entries_max}")
        if self.taken + fresh > area.count // 3 * 2:
            self._rebuild(NULL, 0, True, fresh, now)
        return 0

    cdef int _rebuild(self, const Record* records, Py_ssize_t count, bint keep_file, uint64_t room, double now) except -1:
        """Takes the other area into force, with what is still in force in this one and, if the file's part is not kept,
        with these records as the file's."""
        cdef uint64_t generation = self.head[<int> GENERATION], entries_max = self.head[<int> ENTRIES_MAX]
        cdef uint64_t taken = 0, i
        cdef uint64_t everyone = self.head[<int> EVERYONE + <int> IN_FILE] if keep_file else 0
        cdef Area old = self._area(generation), new
        cdef Slot slot
        for i in range(old.count):
            taken += _survives(&old.slots[i], keep_file, now)
        fastedge_store(
            &self.head[<int> SLOTS + ((generation + 1) & 1)], _slots_for(min(taken + room + <uint64_t> count, entries_max))
        )
        new, taken = self._area(generation + 1), 0
        for i in range(old.count):
            if _survives(&old.slots[i], keep_file, now):
                slot = old.slots[i]
                slot.spans[<int> IN_FILE] *= keep_file
                _take(new, &slot)
                taken += 1
        for i in range(<uint64_t> count):
            if not _is_in_force(records[i].span, now):
                continue
            if records[i].name.low == 0:
                everyone = _merged(everyone, records[i].span, now)
                continue
            taken += _put(new, self.head, records[i], IN_FILE, now)
            if taken > entries_max:
                self._empty(generation + 1)
                raise RevocationsFull(f"more than revocations.entries_max ({entries_max}), with those that were POSTed")
        self.taken = taken
        fastedge_store(&self.head[<int> GENERATION], generation + 1)
        fastedge_fence()  # nobody sees the old area emptied who does not see that it is no longer in force
        fastedge_store(&self.head[<int> EVERYONE + <int> IN_FILE], everyone)
        fastedge_store(&self.head[<int> ANY], taken or everyone or self.head[<int> EVERYONE + <int> POSTED])
        return self._empty(generation)

    cdef int _empty(self, uint64_t generation) except -1:
        cdef Area area = self._area(generation)
        cdef uint64_t size = (area.count * SLOT_SIZE + BLOCK - 1) // BLOCK * BLOCK
        if self.release is not None:
            try:
                self.release(<char*> area.slots - <char*> self.head, size)
                return 0
            except OSError:
                pass  # then it keeps its memory
        memset(area.slots, 0, size)
        return 0

    cdef int _may_write(self) except -1:
        if self.view.readonly:
            raise ValueError("this process may only read the revocations")
        return 0


cdef uint64_t _slots_for(uint64_t entries) noexcept:
    """62 bytes for each entry; more are made when two thirds are in use."""
    return max(SLOTS_MIN, entries * 15 // 8)


cdef uint64_t _area_bytes(uint64_t entries_max) noexcept:
    return (_slots_for(entries_max) * SLOT_SIZE + BLOCK - 1) // BLOCK * BLOCK


cdef uint64_t _place(Area area, Digest name, bint* found) noexcept:
    """The index of the slot of a name, or else of the free one that it would get."""
    cdef uint64_t i = fastedge_share(name.high, area.count)
    cdef uint8_t tag, own = _tag(name)
    cdef Slot* slot
    for _ in range(area.count):
        tag = fastedge_load_byte(&area.tags[i])
        if tag == own:
            slot = &area.slots[i]
            if fastedge_load(&slot.high) == name.high and fastedge_load(&slot.low) == name.low:
                found[0] = True
                return i
        elif tag == 0:
            break
        i += 1
        if i == area.count:
            i = 0
    found[0] = False
    return i


cdef uint8_t _tag(Digest name) noexcept:
    return name.low >> 56 or 1


cdef bint _holds(Area area, Digest name, double issued_s, double now) noexcept:
    cdef bint found
    cdef uint64_t i
    if name.low == 0:
        return False
    i = _place(area, name, &found)
    return found and _concerns(area.slots[i].spans, issued_s, now)


cdef bint _concerns(const uint64_t* spans, double issued_s, double now) noexcept:
    return _covers(fastedge_load(&spans[0]), issued_s, now) or _covers(fastedge_load(&spans[1]), issued_s, now)


cdef bint _covers(uint64_t span, double issued_s, double now) noexcept:
    # Turned round, so that whatever is no number is before everything.
    return _is_in_force(span, now) and (span >> 32 == ENDLESS or not issued_s >= <double> (span >> 32))


cdef bint _is_in_force(uint64_t span, double now) noexcept:
    return span != 0 and (span & ENDLESS == ENDLESS or now < <double> (span & ENDLESS))


cdef uint64_t _merged(uint64_t old, uint64_t new, double now) noexcept:
    if not _is_in_force(old, now):
        return new
    return max(old >> 32, new >> 32) << 32 | max(old & ENDLESS, new & ENDLESS)


cdef uint64_t* _spans(Area area, uint64_t* head, Digest name) noexcept:
    """Those of a name, or everyone's; NULL where there are none."""
    cdef bint found
    cdef uint64_t i
    if name.low == 0:
        return &head[<int> EVERYONE]
    i = _place(area, name, &found)
    return area.slots[i].spans if found else NULL


cdef uint64_t _put(Area area, uint64_t* head, Record record, Source source, double now) noexcept:
    """How many slots it took: 0 or 1."""
    cdef uint64_t* spans = _spans(area, head, record.name)
    cdef Slot slot
    if spans is not NULL:
        fastedge_store(&spans[<int> source], _merged(spans[<int> source], record.span, now))
        return 0
    slot.high, slot.low = record.name.high, record.name.low
    slot.spans[<int> source], slot.spans[1 - <int> source] = record.span, 0
    _take(area, &slot)
    return 1


cdef void _take(Area area, const Slot* slot) noexcept:
    """Puts it where no slot has its name."""
    cdef Digest name
    cdef bint found
    cdef uint64_t i
    name.high, name.low = slot.high, slot.low
    i = _place(area, name, &found)
    area.slots[i] = slot[0]
    fastedge_store_byte(&area.tags[i], _tag(name))


cdef bint _survives(const Slot* slot, bint keep_file, double now) noexcept:
    return _is_in_force(slot.spans[<int> POSTED], now) or (keep_file and _is_in_force(slot.spans[<int> IN_FILE], now))


cdef Counts _counts(Area area, double now) noexcept:
    """Of names; everyone takes no room."""
    cdef Counts counts
    cdef uint64_t i
    memset(&counts, 0, sizeof(Counts))
    for i in range(area.count):
        _count(area.slots[i].spans, &counts, now)
    return counts


cdef void _count(const uint64_t* spans, Counts* counts, double now) noexcept:
    cdef bint in_file = _is_in_force(spans[<int> IN_FILE], now), posted = _is_in_force(spans[<int> POSTED], now)
    counts.of[<int> IN_FILE] += in_file
    counts.of[<int> POSTED] += posted
    counts.in_force += in_file or posted


cdef uint64_t _taken(Area area) noexcept:
    cdef uint64_t taken = 0, i
    for i in range(area.count):
        taken += area.tags[i] != 0
    return taken
