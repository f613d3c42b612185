"""Which responses are on disk and which are being fetched: a table in one mapping that all workers of a host share.

Buckets of 15 slots, each bucket with a lock that is held for some ten instructions. A process that is killed at any of
them leaves nothing that hangs or lies: the lock of a dead holder is taken over, every change of a slot ends with the store of its
state, and a slot whose file is about to come or go names the process that sees to it. Opens no file: what it says of one is
a hint that the reader of the file verifies.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint32_t, uint64_t

from typing import NamedTuple

cdef extern from *:
    """
    #include <stdint.h>
    #if defined(__x86_64__) || defined(__i386__)
    #define fe_pause() __builtin_ia32_pause()
    #elif defined(__aarch64__)
    #define fe_pause() __asm__ __volatile__("yield")
    #else
    #define fe_pause() ((void) 0)
    #endif
    static inline int fe_swap(uint64_t* at, uint64_t before, uint64_t after) {
        return __atomic_compare_exchange_n(at, &before, after, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    }
    static inline int fe_lock(uint64_t* at, uint64_t owner) {
        for (int spins = 0; spins < 2000; spins++) {
            if (__atomic_load_n(at, __ATOMIC_RELAXED) == 0 && fe_swap(at, 0, owner)) return 1;
            fe_pause();
        }
        return 0;
    }
    #define fe_load(at) __atomic_load_n(at, __ATOMIC_ACQUIRE)
    #define fe_store(at, value) __atomic_store_n(at, value, __ATOMIC_RELEASE)
    #define fe_add(at, value) __atomic_fetch_add(at, value, __ATOMIC_RELAXED)
    """
    bint fe_swap(uint64_t* at, uint64_t before, uint64_t after) noexcept nogil
    bint fe_lock(uint64_t* at, uint64_t owner) noexcept nogil
    uint64_t fe_load "fe_load"(uint64_t* at) noexcept nogil
    uint32_t fe_load32 "fe_load"(uint32_t* at) noexcept nogil
    void fe_store "fe_store"(uint64_t* at, uint64_t value) noexcept nogil
    void fe_store32 "fe_store"(uint32_t* at, uint32_t value) noexcept nogil
    uint64_t fe_add(uint64_t* at, uint64_t value) noexcept nogil

cdef enum:
    SLOTS = 15
    HEADER_BYTES = 4096
    PATIENCE = 8        # rounds of spinning for the lock of a process that lives: a millisecond
    HAND_MAX = 8192     # buckets looked at with the interpreter's lock held: half a millisecond

cdef uint64_t MAGIC = 0x7865646e696b7369    # "iskindex"
cdef uint64_t LAYOUT = 1

globals().update(FREE=FREE, UNSHAREABLE=UNSHAREABLE, FETCHING=FETCHING, GROWING=GROWING, FILLING=FILLING,
                 PLACING=PLACING, LEAVING=LEAVING, READY=READY)

Taken = NamedTuple("Taken", [("position", int), ("stamp", int), ("is_new", bool)])
# A slot of the caller's, and the file that it stands for; `was`: its state.
Left = NamedTuple("Left", [("position", int), ("stamp", int), ("high", int), ("low", int), ("vary", int), ("was", int)])


def mapping_bytes(Py_ssize_t slots):
    """How long the mapping is for at least so many slots."""
    cdef Py_ssize_t buckets = 1
    while buckets * SLOTS < slots:
        buckets *= 2
    return HEADER_BYTES + buckets * <Py_ssize_t> sizeof(Bucket)


def initialise(buffer, uint64_t bytes_max, uint64_t stamp=1):
    """Makes a zeroed, writable mapping of `mapping_bytes` ready. Stamps begin at `stamp`: greater than those of earlier
    mappings, where that is known."""
    cdef Py_buffer view
    cdef Header* header
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        if view.len < mapping_bytes(1):
            raise ValueError("a disk index needs at least one bucket")
        header = <Header*> view.buf
        header.buckets = 1
        while mapping_bytes(2 * header.buckets * SLOTS) <= view.len:
            header.buckets *= 2
        header.bytes_max, header.first_stamp, header.next_stamp = bytes_max, stamp, stamp
        header.layout, header.magic = LAYOUT, MAGIC
    finally:
        PyBuffer_Release(&view)


@cython.final
cdef class DiskIndex:
    """The table, for the process `owner`; `is_alive(owner)` says whether another one lives. Every method but `knows` may
    be called by any thread that holds the interpreter's lock; none of them waits.

    ValueError for a buffer that `initialise` of this version did not make.
    """

    def __cinit__(self, buffer, uint64_t owner, is_alive):
        PyObject_GetBuffer(buffer, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.header = <Header*> self.view.buf
        if self.view.len < mapping_bytes(1) or self.header.magic != MAGIC:
            raise ValueError("this is no disk index")
        if self.header.layout != LAYOUT or self.view.len < mapping_bytes(self.header.buckets * SLOTS):
            raise ValueError("this disk index was made by another version of fastedge, or is cut short")
        self.buckets = <Bucket*> (<char*> self.view.buf + HEADER_BYTES)
        self.mask = self.header.buckets - 1
        self.owner = owner
        self.is_alive = is_alive
        self.displaced = []

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    # --- what is there ------------------------------------------------------------------------------------------

    cdef bint knows(self, uint64_t high, uint64_t low) noexcept:
        """Whether a response is on disk under this key, or might be because the directory is still being read."""
        cdef Bucket* bucket = self._bucket(low)
        cdef int i
        for i in range(SLOTS):
            if bucket.slots[i].low == low and bucket.slots[i].high == high and bucket.slots[i].state == READY:
                return True
        return fe_load(&self.header.scanned) == 0

    def has(self, uint64_t high, uint64_t low):
        """`knows`, for Python."""
        return self.knows(high, low)

    def variants(self, uint64_t high, uint64_t low):
        """Vary hash and stamp of each response that is on disk under this key."""
        cdef Bucket* bucket = self._bucket(low)
        return [
            (bucket.slots[i].vary, bucket.slots[i].stamp) for i in range(SLOTS)
            if bucket.slots[i].low == low and bucket.slots[i].high == high and bucket.slots[i].state == READY
        ]

    def touch(self, uint64_t high, uint64_t low, uint64_t vary):
        """It was used: the hand passes it by once."""
        cdef Slot* slot = _ready_slot(self._bucket(low), high, low, vary)
        if slot is not NULL:
            slot.used = 1

    # --- one that is being fetched --------------------------------------------------------------------------------

    def claim(self, uint64_t high, uint64_t low):
        """The fetch of this key: a new one, which is then the caller's to `release` or bring to `ready`, or the one that
        somebody is at. None: not now, no room."""
        return self._take(high, low, FETCHING, True)

    def begin(self, uint64_t high, uint64_t low):
        """A slot for a response that nobody waits for; None: no room."""
        return self._take(high, low, FILLING, False)

    def announce(self, Py_ssize_t position, uint64_t stamp):
        """Its file can be read along from now on."""
        cdef Slot* slot = self._own(position, stamp)
        if slot is not NULL and slot.state == FETCHING:
            fe_store32(&slot.state, GROWING)

    def grow(self, Py_ssize_t position, uint64_t stamp, uint64_t size):
        """So many bytes of the body are in the file."""
        cdef Slot* slot = self._own(position, stamp)
        if slot is not NULL and FETCHING <= slot.state < PLACING:
            fe_store(&slot.bytes, size)

    def watch(self, Py_ssize_t position, uint64_t stamp):
        """State, bytes and owner of a slot; FREE once it has another stamp."""
        cdef Slot* slot = _slot_at(self.buckets, position)
        cdef uint32_t state = fe_load32(&slot.state)
        cdef uint64_t size = fe_load(&slot.bytes), owner = slot.owner
        if fe_load(&slot.stamp) != stamp:
            return FREE, 0, 0
        return state, size, owner

    def place(self, Py_ssize_t position, uint64_t stamp, uint64_t vary, uint64_t size):
        """Counts what is about to be renamed into place. False where it would go beyond `bytes_max`: evict first. None: not
        now, as the file of this name is just being replaced or deleted."""
        cdef Slot* slot = self._own(position, stamp)
        cdef Bucket* bucket = &self.buckets[position // SLOTS]
        cdef bint has_room
        if slot is NULL or not FETCHING <= slot.state < PLACING or not self._lock(bucket):
            return None
        if _is_taken(bucket, slot.high, slot.low, vary):
            fe_store(&bucket.lock, 0)
            return None
        has_room = fe_add(&self.header.bytes_used, size) + size <= self.header.bytes_max
        if has_room:
            slot.vary = vary
            fe_store(&slot.bytes, size)
            fe_store32(&slot.state, PLACING)
        else:
            fe_add(&self.header.bytes_used, -size)
        fe_store(&bucket.lock, 0)
        return has_room

    def ready(self, Py_ssize_t position, uint64_t stamp):
        """Its file has its name; an older response of the same name is gone with that."""
        cdef Slot* slot = self._own(position, stamp)
        cdef Slot* older
        cdef Bucket* bucket
        if slot is NULL or slot.state != PLACING:
            return
        bucket = &self.buckets[position // SLOTS]
        locked = self._lock(bucket)
        older = _ready_slot(bucket, slot.high, slot.low, slot.vary)
        if older is not NULL:
            self._free(older, FREE)
        slot.used = 0
        fe_store32(&slot.state, READY)
        fe_add(&self.header.entries, 1)
        fe_add(&self.header.stored, 1)
        if locked:
            fe_store(&bucket.lock, 0)

    def release(self, Py_ssize_t position, uint64_t stamp, bint unshareable=False):
        """Nothing comes of it, or its file is deleted. With `unshareable`, those who wait are told not to wait for the next
        one either."""
        cdef Slot* slot = self._own(position, stamp)
        if slot is not NULL and FETCHING <= slot.state <= LEAVING:
            self._free(slot, UNSHAREABLE if unshareable else FREE)

    # --- what is found on disk, and what goes -----------------------------------------------------------------------

    cdef int add(self, uint64_t high, uint64_t low, uint64_t vary, uint64_t size) noexcept nogil:
        """A file that was there at the start: 1 when it is in the table, 0 when its bucket is full, -1 when that is locked."""
        cdef Bucket* bucket = self._bucket(low)
        cdef Slot* slot
        if not fe_lock(&bucket.lock, self.owner):
            return -1
        slot = _ready_slot(bucket, high, low, vary)
        if slot is NULL:
            slot = _free_slot(bucket)
            if slot is not NULL:
                slot.high, slot.low, slot.vary, slot.owner, slot.bytes, slot.used = high, low, vary, 0, size, 0
                fe_store(&slot.stamp, fe_add(&self.header.next_stamp, 1))
                fe_store32(&slot.state, READY)
                fe_add(&self.header.bytes_used, size)
                fe_add(&self.header.entries, 1)
        fe_store(&bucket.lock, 0)
        return slot is not NULL

    def insert(self, uint64_t high, uint64_t low, uint64_t vary, uint64_t size):
        """A file that was there at the start; False: there is no room for it."""
        cdef int added = self.add(high, low, vary, size)
        if added < 0 and self._lock(self._bucket(low)):
            fe_store(&self._bucket(low).lock, 0)
            added = self.add(high, low, vary, size)
        return added == 1

    def retire(self, uint64_t high, uint64_t low, uint64_t vary, uint64_t stamp=0):
        """Takes a response out, of this stamp alone if one is given: its file is the caller's to delete, then the slot to
        `release`. None: it is not there, or somebody is at it."""
        cdef Bucket* bucket = self._bucket(low)
        cdef Slot* slot
        if not self._lock(bucket):
            return None
        try:
            slot = _ready_slot(bucket, high, low, vary)
            if slot is NULL or (stamp and slot.stamp != stamp) or _is_taken(bucket, high, low, vary):
                return None
            return self._retire(slot)
        finally:
            fe_store(&bucket.lock, 0)

    def victims(self, int count, long long bytes_wanted):
        """Retires at most `count` responses, least worth keeping, so that `bytes_wanted` will be free below `bytes_max`. The
        hand passes by 8,192 buckets at most: ask again where it found none."""
        cdef list taken = []
        cdef long long excess = self.header.bytes_used + bytes_wanted - self.header.bytes_max
        cdef int turns = HAND_MAX
        cdef Bucket* bucket
        cdef Slot* slot
        cdef int i
        while turns and excess > 0 and len(taken) < count:
            turns -= 1
            bucket = &self.buckets[fe_add(&self.header.hand, 1) & self.mask]
            if not fe_swap(&bucket.lock, 0, self.owner):
                continue    # somebody is there; the hand comes by again
            for i in range(SLOTS):
                slot = &bucket.slots[i]
                if slot.state != READY or excess <= 0 or len(taken) == count:
                    continue
                if slot.used:
                    slot.used = 0
                elif not _is_taken(bucket, slot.high, slot.low, slot.vary):
                    excess -= slot.bytes
                    taken.append(self._retire(slot))
            fe_store(&bucket.lock, 0)
        fe_add(&self.header.evicted, len(taken))
        return taken

    # --- what the dead have left --------------------------------------------------------------------------------------

    def is_in_flight(self, uint64_t high, uint64_t low, uint64_t stamp):
        """Whether someone is at the fetch with this stamp."""
        cdef Bucket* bucket = self._bucket(low)
        for i in range(SLOTS):
            if bucket.slots[i].stamp == stamp and FETCHING <= bucket.slots[i].state <= PLACING:
                return bucket.slots[i].high == high and bucket.slots[i].low == low
        return False

    def abandoned(self):
        """Takes over what dead processes were at: see `reclaim`. Looks at every slot, without the interpreter's lock."""
        cdef Py_ssize_t position = -1
        found = []
        if fe_load(&self.header.next_stamp) == self.header.first_stamp:
            return found    # all is new: no page of it need be touched
        while True:
            with nogil:
                position = self._next_foreign(position + 1)
            if position < 0:
                return [left for left in found if left is not None]
            found.append(self.reclaim(position, _slot_at(self.buckets, position).stamp))

    def reclaim(self, Py_ssize_t position, uint64_t stamp):
        """Takes a slot over from an owner that is dead; its files are the caller's to see to, then the slot to `release` or
        bring to `ready`. None: the owner lives, or someone else was first."""
        cdef Slot* slot = _slot_at(self.buckets, position)
        cdef uint64_t owner = slot.owner
        if fe_load(&slot.stamp) != stamp or not FETCHING <= slot.state <= LEAVING or self.is_alive(owner):
            return None
        return _left(slot, position) if fe_swap(&slot.owner, owner, self.owner) else None

    # --- the start ------------------------------------------------------------------------------------------------------

    def begin_scan(self):
        """True for the one process that is to read the directory: the first, or the next should that one die."""
        cdef uint64_t scanner = fe_load(&self.header.scanner)
        if self.header.scanned or (scanner and (scanner == self.owner or self.is_alive(scanner))):
            return False
        return fe_swap(&self.header.scanner, scanner, self.owner)

    def end_scan(self):
        """From now on what the table does not know is not on disk."""
        fe_store(&self.header.scanned, 1)

    def count_damaged(self):
        """One more record that was not what it should be."""
        fe_add(&self.header.damaged, 1)

    @property
    def bytes_used(self):
        """Of whole records, on disk."""
        return self.header.bytes_used

    @property
    def bytes_max(self):
        """They are never more."""
        return self.header.bytes_max

    @property
    def entries(self):
        """Whole records."""
        return self.header.entries

    @property
    def stored(self):
        """Records ever placed."""
        return self.header.stored

    @property
    def evicted(self):
        """Records ever evicted."""
        return self.header.evicted

    @property
    def damaged(self):
        """Records ever found damaged."""
        return self.header.damaged

    @property
    def is_scanned(self):
        """Whether all that was on disk at the start is in here."""
        return fe_load(&self.header.scanned) == 1

    @property
    def slots(self):
        """How many responses there is room for."""
        return self.header.buckets * SLOTS

    def lock_for_test(self, uint64_t low, uint64_t owner):
        """Leaves a bucket as a holder does that is killed."""
        self._bucket(low).lock = owner

    # --- below ------------------------------------------------------------------------------------------------------------

    cdef Bucket* _bucket(self, uint64_t low) noexcept nogil:
        return &self.buckets[low & self.mask]

    cdef bint _lock(self, Bucket* bucket) except -1:
        """Takes the bucket's lock, if need be from a dead holder. False where a holder that lives keeps it: stopped in the
        middle, or far from its next turn. Nobody waits for that."""
        cdef uint64_t holder
        cdef int rounds
        for rounds in range(PATIENCE):
            if fe_lock(&bucket.lock, self.owner):
                return True
            holder = fe_load(&bucket.lock)
            if holder and holder != self.owner and not self.is_alive(holder) and fe_swap(&bucket.lock, holder, self.owner):
                return True
        return False

    cdef Py_ssize_t _next_foreign(self, Py_ssize_t position) noexcept nogil:
        """The first slot from there on that is another process's, or -1."""
        cdef Slot* slot
        while position < <Py_ssize_t> self.header.buckets * SLOTS:
            slot = _slot_at(self.buckets, position)
            if FETCHING <= slot.state <= LEAVING and slot.owner != self.owner:
                return position
            position += 1
        return -1

    cdef Slot* _own(self, Py_ssize_t position, uint64_t stamp) noexcept:
        """The slot, if it is still this process's in this life."""
        cdef Slot* slot = _slot_at(self.buckets, position)
        return slot if slot.stamp == stamp and slot.owner == self.owner else NULL

    cdef object _take(self, uint64_t high, uint64_t low, State state, bint joining):
        cdef Bucket* bucket = self._bucket(low)
        cdef Slot* slot = NULL
        cdef bint is_new = True
        if not self._lock(bucket):
            return None
        if joining:
            slot = _claimed_slot(bucket, high, low)
            is_new = slot is NULL
        if is_new:
            slot = _free_slot(bucket)
            if slot is not NULL:
                slot.high, slot.low, slot.vary, slot.owner, slot.bytes, slot.used = high, low, 0, self.owner, 0, 0
                fe_store(&slot.stamp, fe_add(&self.header.next_stamp, 1))
                fe_store32(&slot.state, state)
            self._keep_room(bucket)
        fe_store(&bucket.lock, 0)
        return None if slot is NULL else Taken(_position(self.buckets, slot), slot.stamp, is_new)

    cdef int _keep_room(self, Bucket* bucket) except -1:
        """Retires a response of a full bucket for the sake of the next that comes: one not used lately, or else any."""
        cdef Slot* victim = NULL
        cdef Slot* slot
        cdef int i
        for i in range(SLOTS):
            slot = &bucket.slots[i]
            if slot.state < FETCHING or slot.state == LEAVING:
                return 0
            if slot.state == READY and (victim is NULL or victim.used) and not _is_taken(bucket, slot.high, slot.low, slot.vary):
                victim = slot
        if victim is not NULL:
            self.displaced.append(self._retire(victim))
            fe_add(&self.header.evicted, 1)
        return 0

    cdef object _retire(self, Slot* slot):
        slot.owner = self.owner
        fe_store32(&slot.state, LEAVING)
        fe_add(&self.header.entries, <uint64_t> -1)
        return _left(slot, _position(self.buckets, slot))

    cdef void _free(self, Slot* slot, State state) noexcept nogil:
        """The state first: a process that is killed before the count is right has counted too much, never too little."""
        cdef uint32_t before = slot.state
        cdef uint64_t size = slot.bytes
        fe_store32(&slot.state, state)
        if before >= PLACING:
            fe_add(&self.header.bytes_used, -size)
        if before == READY:
            fe_add(&self.header.entries, <uint64_t> -1)


cdef Slot* _slot_at(Bucket* buckets, Py_ssize_t position) noexcept nogil:
    return &buckets[position // SLOTS].slots[position % SLOTS]


cdef Py_ssize_t _position(Bucket* buckets, Slot* slot) noexcept nogil:
    cdef Py_ssize_t bucket = (<char*> slot - <char*> buckets) // <Py_ssize_t> sizeof(Bucket)
    return bucket * SLOTS + (slot - buckets[bucket].slots)


cdef object _left(Slot* slot, Py_ssize_t position):
    return Left(position, slot.stamp, slot.high, slot.low, slot.vary, slot.state)


cdef Slot* _ready_slot(Bucket* bucket, uint64_t high, uint64_t low, uint64_t vary) noexcept nogil:
    return _slot_of(bucket, high, low, vary, READY)


cdef bint _is_taken(Bucket* bucket, uint64_t high, uint64_t low, uint64_t vary) noexcept nogil:
    """Whether somebody is replacing or deleting the file of this name."""
    return (
        _slot_of(bucket, high, low, vary, PLACING) is not NULL or _slot_of(bucket, high, low, vary, LEAVING) is not NULL
    )


cdef Slot* _slot_of(Bucket* bucket, uint64_t high, uint64_t low, uint64_t vary, uint32_t state) noexcept nogil:
    cdef int i
    cdef Slot* slot
    for i in range(SLOTS):
        slot = &bucket.slots[i]
        if slot.low == low and slot.high == high and slot.vary == vary and slot.state == state:
            return slot
    return NULL


cdef Slot* _claimed_slot(Bucket* bucket, uint64_t high, uint64_t low) noexcept nogil:
    cdef int i
    cdef Slot* slot
    for i in range(SLOTS):
        slot = &bucket.slots[i]
        if slot.low == low and slot.high == high and (FETCHING <= slot.state <= GROWING or slot.state == PLACING):
            return slot
    return NULL


cdef Slot* _free_slot(Bucket* bucket) noexcept nogil:
    """A free slot; one that still tells followers to go on alone comes last."""
    cdef int i
    cdef Slot* found = NULL
    for i in range(SLOTS):
        if bucket.slots[i].state == FREE:
            return &bucket.slots[i]
        if bucket.slots[i].state == UNSHAREABLE:
            found = &bucket.slots[i]
    return found
