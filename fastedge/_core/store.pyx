"""The memory tier: stored responses by their key, bounded in bytes, those in use kept (RFC 9111 §2).

A table of cache-line chunks, in shards that grow one by one, so that no request waits for all of them; S3-FIFO queues
through the stored responses themselves. Never gives a response for a key that differs in one byte, whatever it hashes to.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memmove, memset

from fastedge._core.stored cimport Stored, cost_of, key_of
from fastedge.limits import cache_memory_share, cache_sweep_max, cache_variants_max

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    static inline uint64_t fe_mix(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    }
    /* The top bit of each of a chunk's seven tags that is `tag`; exact, byte by byte (Hacker's Delight, 6-1). */
    static inline uint64_t fe_tagged(const void* chunk, uint8_t tag) {
        const uint64_t low = 0x007F7F7F7F7F7F7Full;
        uint64_t word;
        memcpy(&word, chunk, 8);
        #if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
        #endif
        word ^= tag * 0x0101010101010101ull;
        return ~(((word & low) + low) | word | low) & ~low & 0x00FFFFFFFFFFFFFFull;
    }
    #define fe_first(bits) (__builtin_ctzll(bits) >> 3)
    #define fe_log2(power) __builtin_ctz(power)
    #define fe_prefetch(at) __builtin_prefetch(at)
    #define fe_lines(count) aligned_alloc(64, 64 * (size_t) (count))
    """
    uint64_t fe_mix(uint64_t a, uint64_t b) noexcept
    uint64_t fe_tagged(const void* chunk, uint8_t tag) noexcept
    int fe_first(uint64_t bits) noexcept
    int fe_log2(uint32_t power) noexcept
    void fe_prefetch(const void* at) noexcept
    void* fe_lines(size_t count) noexcept

cdef enum:
    LINE = 64
    SHARD_BITS = 10
    SHARDS = 1 << SHARD_BITS
    SHARD_SHIFT = 64 - SHARD_BITS
    KEYS_A_CHUNK = 5        # of seven slots, when a shard grows
    PROBES_MAX = 32         # full chunks that a new key walks past: only keys of one hash are so many
    COST_UNIT = 16
    PASSED_MAX = 255
    USES_MAX = 3
    TRIAL_USES = 2

cdef enum:
    OUT = 0
    SMALL = 1               # on trial: a tenth of the bytes
    MAIN = 2

cdef int VARIANTS_MAX = cache_variants_max
cdef int SWEEP_MAX = cache_sweep_max
cdef Py_ssize_t SHARE = cache_memory_share

cdef Chunk _no_chunk        # what a shard has before its first key
cdef Ghosts _no_ghosts


@cython.final
cdef class MemoryStore:
    """Stored responses, at most `bytes_max` of memory. `seed` is 16 random bytes: who knows the hash of a key still does
    not know its place.

    A response is in one store at a time. Evicted ones live on with whoever holds them.
    """

    def __cinit__(self, Py_ssize_t bytes_max, bytes seed not None):
        cdef int i
        if bytes_max < 1 or len(seed) != sizeof(self.seed):
            raise ValueError("bytes_max is positive, seed has 16 bytes")
        memcpy(self.seed, PyBytes_AS_STRING(seed), sizeof(self.seed))
        self.bytes_max = bytes_max
        self.small_bytes_max = bytes_max // 10
        self.stored_bytes_max = min(bytes_max // SHARE, <Py_ssize_t> COST_UNIT * 0xFFFFFFFF)
        self.shards = <Shard*> calloc(SHARDS, sizeof(Shard))
        if self.shards is NULL:
            raise MemoryError()
        for i in range(SHARDS):
            self.shards[i].chunks = &_no_chunk
            self.shards[i].ghosts = &_no_ghosts
            self.shards[i].shift = self.shards[i].ghost_shift = SHARD_SHIFT

    def __dealloc__(self):
        cdef int queue, i
        cdef Stored oldest
        if self.shards is NULL:
            return
        for queue in range(SMALL, MAIN + 1):
            while self.queues[queue].oldest is not NULL:
                oldest = <Stored> self.queues[queue].oldest
                self.drop(oldest)
        for i in range(SHARDS):
            if self.shards[i].chunks is not &_no_chunk:
                free(self.shards[i].chunks)
        free(self.shards)

    # --- Python face --------------------------------------------------------------------------------------------

    def get(self, uint64_t high, uint64_t low, bytes key not None):
        """The key's first variant, the one kept last, or None; the others follow by `variant`."""
        return self.find(high, low, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))

    def use(self, Stored stored not None):
        """It answered a request."""
        self.touch(stored)

    def put(self, Stored stored not None):
        """Keeps it in the place of the one with its key and vary; False when it is too large, or its hash too common."""
        return self.keep(stored)

    def remove(self, Stored stored not None):
        """Lets go of it; one that is not there is fine too."""
        self.drop(stored)

    def scan(self, bytes url not None, uint64_t cursor, Py_ssize_t count):
        """([Stored], next cursor): those of a URL in the next `count` slots, more or less. It begins and ends with 0; what is
        there all the while is found once, even if shards grow between two calls."""
        cdef list found = []
        cdef Shard* shard
        while True:
            shard = &self.shards[cursor >> SHARD_SHIFT]
            self._look(shard, (cursor >> shard.shift) & shard.mask, url, found)
            # The cursor is a hash: where it stands does not depend on how far its shard has grown.
            cursor = ((cursor >> shard.shift) + 1) << shard.shift
            count -= SLOTS
            if cursor == 0 or count <= 0:
                return found, cursor

    def __len__(self):
        return self.entries

    # --- C face -------------------------------------------------------------------------------------------------

    cdef Stored find(self, uint64_t high, uint64_t low, const char* key, Py_ssize_t size):
        cdef PyObject** slot = self._slot(self._home(high, low), high, low, key, size)
        if slot is NULL:
            self.misses += 1
            return None
        self.hits += 1
        return <Stored> slot[0]

    cdef int touch(self, Stored stored) noexcept:
        if stored.uses < USES_MAX:
            stored.uses += 1
        return 0

    cdef bint keep(self, Stored stored) except -1:
        cdef Py_ssize_t cost = cost_of(stored)
        cdef Stored former
        cdef uint8_t queue, uses = 0
        if stored.queue != OUT:
            return True
        former = self._former(stored)
        if former is not None:
            queue, uses = former.queue, former.uses
            self.drop(former)
        else:
            queue = MAIN if self._was_evicted(self._home(stored.high, stored.low)) else SMALL
        if cost > self.stored_bytes_max:
            return False
        self._make_room(cost)
        if not self._hang(stored):
            return False
        stored.cost, stored.uses = cost // COST_UNIT, uses
        self._enter(stored, queue)
        self.entries += 1
        self.bytes_used += cost
        self.admissions += 1
        return True

    cdef int drop(self, Stored stored) except -1:
        if stored.queue == OUT:
            return 0
        self._leave(stored)
        self.entries -= 1
        self.bytes_used -= <Py_ssize_t> stored.cost * COST_UNIT
        self._unhang(stored)
        return 0

    # --- the table ----------------------------------------------------------------------------------------------

    cdef uint64_t _home(self, uint64_t high, uint64_t low) noexcept:
        """From the top: the shard, the chunk in it; the lowest bits are tag and print."""
        return fe_mix(high ^ self.seed[0], low ^ self.seed[1])

    cdef PyObject** _slot(self, uint64_t home, uint64_t high, uint64_t low, const char* key, Py_ssize_t size) noexcept:
        """Where the key's first variant hangs, or NULL."""
        cdef Shard* shard = &self.shards[home >> SHARD_SHIFT]
        cdef uint32_t at = (home >> shard.shift) & shard.mask
        cdef Chunk* chunk
        cdef PyObject** slot
        cdef uint64_t tagged
        cdef uint32_t probe
        for probe in range(shard.mask + 1):
            chunk = &shard.chunks[at]
            tagged = fe_tagged(chunk, _tag(home))
            while tagged:
                slot = &chunk.slots[fe_first(tagged)]
                if _is_of(<Stored> slot[0], high, low, key, size):
                    return slot
                tagged &= tagged - 1
            if not chunk.passed:
                break
            at = (at + 1) & shard.mask
        return NULL

    cdef PyObject** _slot_of(self, Stored stored) noexcept:
        cdef uint64_t home = self._home(stored.high, stored.low)
        return self._slot(home, stored.high, stored.low, key_of(stored), stored.key_size)

    cdef Stored _former(self, Stored stored):
        """The one that a new one replaces, or None."""
        cdef PyObject** slot = self._slot_of(stored)
        cdef Stored former = None if slot is NULL else <Stored> slot[0]
        while former is not None and former.vary != stored.vary:
            former = former.variant
        return former

    cdef bint _hang(self, Stored stored) except -1:
        """Puts it before the other variants of its key, of which the one kept first may have to go."""
        cdef PyObject** slot = self._slot_of(stored)
        cdef Stored last = stored
        cdef int i
        if slot is NULL:
            return self._hang_first(stored)
        stored.variant = <Stored> slot[0]
        Py_DECREF(stored.variant)
        Py_INCREF(stored)
        slot[0] = <PyObject*> stored
        for i in range(VARIANTS_MAX):
            last = last.variant
            if last is None:
                return True
        self.evictions += 1
        self.drop(last)
        return True

    cdef bint _hang_first(self, Stored stored) except -1:
        cdef uint64_t home = self._home(stored.high, stored.low)
        cdef Shard* shard = &self.shards[home >> SHARD_SHIFT]
        if shard.chunks is &_no_chunk or shard.keys == (shard.mask + 1) * KEYS_A_CHUNK:
            self._grow(shard)
        if not _place(shard, home, <PyObject*> stored, PROBES_MAX):
            return False
        Py_INCREF(stored)
        shard.keys += 1
        return True

    cdef int _unhang(self, Stored stored) except -1:
        cdef PyObject** slot = self._slot_of(stored)
        cdef Stored before = <Stored> slot[0]
        if before is not stored:
            while before.variant is not stored:
                before = before.variant
            before.variant = stored.variant
        elif stored.variant is not None:
            Py_INCREF(stored.variant)
            slot[0] = <PyObject*> stored.variant
            Py_DECREF(stored)
        else:
            self._empty(slot, self._home(stored.high, stored.low))
            Py_DECREF(stored)
        stored.variant = None
        return 0

    cdef int _empty(self, PyObject** slot, uint64_t home) noexcept:
        """Whoever walked past full chunks to this slot is taken off their counts."""
        cdef Shard* shard = &self.shards[home >> SHARD_SHIFT]
        cdef uint32_t at = (home >> shard.shift) & shard.mask
        cdef Chunk* chunk = <Chunk*> (<uintptr_t> slot & ~<uintptr_t> (LINE - 1))
        cdef Py_ssize_t i = slot - chunk.slots
        chunk.tags[i] = 0
        chunk.slots[i] = NULL
        shard.keys -= 1
        while &shard.chunks[at] is not chunk:
            if shard.chunks[at].passed < PASSED_MAX:
                shard.chunks[at].passed -= 1
            at = (at + 1) & shard.mask
        return 0

    cdef int _grow(self, Shard* shard) except -1:
        """Doubles one shard, a thousandth of the store."""
        cdef Shard grown
        cdef uint32_t chunks = 1 if shard.chunks is &_no_chunk else 2 * (shard.mask + 1)
        cdef uint32_t ghosts = max(chunks // 4, <uint32_t> 1)
        grown.chunks = <Chunk*> fe_lines(chunks + ghosts)
        if grown.chunks is NULL:
            raise MemoryError()
        memset(grown.chunks, 0, (chunks + ghosts) * LINE)
        grown.ghosts = <Ghosts*> (grown.chunks + chunks)
        grown.mask, grown.ghost_mask, grown.keys = chunks - 1, ghosts - 1, shard.keys
        grown.shift = SHARD_SHIFT - fe_log2(chunks)
        grown.ghost_shift = SHARD_SHIFT - fe_log2(ghosts)
        if shard.chunks is not &_no_chunk:
            self._move(shard, &grown)
            free(shard.chunks)
        shard[0] = grown
        return 0

    cdef int _move(self, Shard* shard, Shard* grown) noexcept:
        cdef uint32_t i
        cdef int k
        cdef PyObject* first
        for i in range(shard.mask + 1):
            _prefetch(&shard.chunks[(i + 2) & shard.mask])
            for k in range(SLOTS):
                first = shard.chunks[i].slots[k]
                if first is not NULL:
                    _place(grown, self._home((<Stored> first).high, (<Stored> first).low), first, grown.mask)
        for i in range(grown.ghost_mask + 1):
            grown.ghosts[i] = shard.ghosts[i * (shard.ghost_mask + 1) // (grown.ghost_mask + 1)]
        return 0

    cdef int _look(self, Shard* shard, uint32_t home, bytes url, list found) except -1:
        """Those whose place is in chunk `home`, wherever they found one."""
        cdef uint32_t at = home, probe
        cdef Stored stored
        cdef int k
        for probe in range(shard.mask + 1):
            for k in range(SLOTS):
                if shard.chunks[at].slots[k] is NULL:
                    continue
                stored = <Stored> shard.chunks[at].slots[k]
                if not _has_url(stored, url) or (self._home(stored.high, stored.low) >> shard.shift) & shard.mask != home:
                    continue
                while stored is not None:
                    found.append(stored)
                    stored = stored.variant
            if not shard.chunks[at].passed:
                break
            at = (at + 1) & shard.mask
        return 0

    # --- the queues: S3-FIFO (Yang et al., SOSP 2023), in bytes ---------------------------------------------------

    cdef int _make_room(self, Py_ssize_t cost) except -1:
        """Evicts what is needed and no more; the first of it that was on trial is remembered, to be let in at once if it
        comes back."""
        cdef Stored victim
        while self.bytes_used > self.bytes_max - cost:
            victim = self._victim()
            if victim.queue == SMALL:
                self._remember(self._home(victim.high, victim.low))
            self.drop(victim)
            self.evictions += 1
        return 0

    cdef Stored _victim(self):
        """The oldest that was not used on trial, or since it last came by. Bounded, so that one request never pays for a
        sweep over all."""
        cdef Stored oldest = self._oldest()
        cdef int i
        for i in range(SWEEP_MAX):
            if oldest.uses < (TRIAL_USES if oldest.queue == SMALL else 1):
                break
            self._leave(oldest)
            oldest.uses = 0 if oldest.queue == SMALL else oldest.uses - 1
            self._enter(oldest, MAIN)
            oldest = self._oldest()
        return oldest

    cdef Stored _oldest(self):
        cdef bint small = self.queues[SMALL].bytes_used > self.small_bytes_max or self.queues[MAIN].oldest is NULL
        return <Stored> self.queues[SMALL if small else MAIN].oldest

    cdef int _enter(self, Stored stored, uint8_t queue) noexcept:
        cdef Queue* into = &self.queues[queue]
        stored.queue = queue
        stored.newer = NULL
        stored.older = into.newest
        if into.newest is NULL:
            into.oldest = <PyObject*> stored
        else:
            (<Stored> into.newest).newer = <PyObject*> stored
        into.newest = <PyObject*> stored
        into.bytes_used += <Py_ssize_t> stored.cost * COST_UNIT
        return 0

    cdef int _leave(self, Stored stored) noexcept:
        """Its `queue` is OUT afterwards."""
        cdef Queue* out_of = &self.queues[stored.queue]
        if stored.newer is NULL:
            out_of.newest = stored.older
        else:
            (<Stored> stored.newer).older = stored.older
        if stored.older is NULL:
            out_of.oldest = stored.newer
        else:
            (<Stored> stored.older).newer = stored.newer
        out_of.bytes_used -= <Py_ssize_t> stored.cost * COST_UNIT
        stored.queue = OUT
        return 0

    cdef int _remember(self, uint64_t home) noexcept:
        cdef Ghosts* ghosts = self._ghosts(home)
        memmove(&ghosts.prints[1], &ghosts.prints[0], (PRINTS - 1) * sizeof(uint32_t))
        ghosts.prints[0] = _print(home)
        return 0

    cdef bint _was_evicted(self, uint64_t home) noexcept:
        """Asked once: it is forgotten by it."""
        cdef Ghosts* ghosts = self._ghosts(home)
        cdef int i
        for i in range(PRINTS):
            if ghosts.prints[i] == _print(home):
                memmove(&ghosts.prints[i], &ghosts.prints[i + 1], (PRINTS - 1 - i) * sizeof(uint32_t))
                ghosts.prints[PRINTS - 1] = 0
                return True
        return False

    cdef Ghosts* _ghosts(self, uint64_t home) noexcept:
        cdef Shard* shard = &self.shards[home >> SHARD_SHIFT]
        return &shard.ghosts[(home >> shard.ghost_shift) & shard.ghost_mask]


cdef inline uint8_t _tag(uint64_t home) noexcept:
    cdef uint8_t tag = <uint8_t> home
    return tag if tag else 1


cdef inline uint32_t _print(uint64_t home) noexcept:
    return <uint32_t> home | 1


cdef inline bint _is_of(Stored stored, uint64_t high, uint64_t low, const char* key, Py_ssize_t size) noexcept:
    return (
        stored.high == high and stored.low == low and stored.key_size == size
        and memcmp(key_of(stored), key, size) == 0
    )


cdef inline bint _has_url(Stored stored, bytes url) noexcept:
    return stored.url_size == PyBytes_GET_SIZE(url) and memcmp(
        key_of(stored) + stored.url_at, PyBytes_AS_STRING(url), stored.url_size
    ) == 0


cdef bint _place(Shard* shard, uint64_t home, PyObject* stored, uint32_t probes_max) noexcept:
    """Puts it into the first free slot from its home on; a chunk in seven has one at the least."""
    cdef uint32_t at = (home >> shard.shift) & shard.mask, probe = 0, i
    cdef uint64_t free_slots = fe_tagged(&shard.chunks[at], 0)
    while not free_slots:
        if probe == probes_max:
            return False
        probe += 1
        free_slots = fe_tagged(&shard.chunks[(at + probe) & shard.mask], 0)
    for i in range(probe):
        if shard.chunks[(at + i) & shard.mask].passed < PASSED_MAX:
            shard.chunks[(at + i) & shard.mask].passed += 1
    at = (at + probe) & shard.mask
    shard.chunks[at].tags[fe_first(free_slots)] = _tag(home)
    shard.chunks[at].slots[fe_first(free_slots)] = stored
    return True


cdef inline void _prefetch(const Chunk* chunk) noexcept:
    cdef int k
    for k in range(SLOTS):
        fe_prefetch(chunk.slots[k])
