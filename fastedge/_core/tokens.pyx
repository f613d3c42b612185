"""Verified tokens: what a token said, for as long as it holds, without verifying it again.

Never gives a value for a token that differs in one byte from the one that was verified, nor outside its time. Only
verified tokens come in, so nobody fills it with inventions. Refusals are kept in a table of their own, a small one: a sender
of bad tokens changes a byte each time for nothing, and must not push good ones out.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from fastedge.limits import token_cache_sweep_max

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint64_t fe_fold(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    }
    """
    uint64_t fe_fold(uint64_t a, uint64_t b) noexcept

cdef enum:
    TAIL = 48           # bytes at a token's end that are hashed: all of an HS256 signature, the end of any other
    LINE = 64           # bytes in a cache line

cdef Py_ssize_t SWEEP_MAX = token_cache_sweep_max


@cython.final
cdef class VerifiedTokens:
    """Token bytes → value: an open-addressed table, bounded in entries and bytes, cleared by the CLOCK rule.

    A token that was not asked for a second time is the first to go, so a flood of new ones displaces itself and leaves
    those in use. `seed` is 48 random bytes. Values are shared by all who ask: they must be immutable. `forgeable`: what comes
    in was not verified, so that its end may be anybody's choice.
    """

    def __cinit__(self, Py_ssize_t entries_max, Py_ssize_t bytes_max, bytes seed not None, bint forgeable=False):
        cdef Py_ssize_t size = 64
        if entries_max < 1 or bytes_max < 1 or len(seed) != sizeof(self.seed):
            raise ValueError("entries_max and bytes_max are positive, seed has 48 bytes")
        while size < entries_max + entries_max // 2:
            size *= 2
        self.memory = calloc(size + 1, sizeof(Slot))
        if self.memory is NULL:
            raise MemoryError
        self.slots = <Slot*> ((<size_t> self.memory + LINE - 1) & ~<size_t> (LINE - 1))
        self.mask = size - 1
        self.entries_max = entries_max
        self.bytes_max = bytes_max
        self.forgeable = forgeable
        memcpy(self.seed, PyBytes_AS_STRING(seed), sizeof(self.seed))

    def __dealloc__(self):
        if self.memory is not NULL:
            self.clear()
            free(self.memory)

    def get(self, bytes token not None, double now):
        """What was kept for exactly these bytes, or None when there is nothing or its time is not now."""
        cdef PyObject* found = self.find(PyBytes_AS_STRING(token), PyBytes_GET_SIZE(token), now)
        return None if found is NULL else <object> found

    def put(self, bytes token not None, value, double not_before, double expires, Py_ssize_t cost_bytes):
        """Keeps `value` for not_before <= now < expires; False when it is too dear, or too short for a token."""
        return self.keep(token, value, not_before, expires, cost_bytes)

    def clear(self):
        """Forgets everything."""
        cdef Py_ssize_t i
        cdef Slot gone
        for i in range(self.mask + 1):
            gone = self.slots[i]
            memset(&self.slots[i], 0, sizeof(Slot))
            Py_XDECREF(gone.token)
            Py_XDECREF(gone.value)
        self.entries = self.bytes_used = 0

    def __len__(self):
        return self.entries

    # --- C face -------------------------------------------------------------------------------------------------

    cdef PyObject* find(self, const char* at, Py_ssize_t length, double now) noexcept:
        """The value, borrowed, or NULL."""
        cdef Slot* slot
        if length >= TAIL:
            slot = self._slot(self._hash(at, length), at, length)
            if slot.token is not NULL and slot.not_before <= now < slot.expires:
                slot.seen = True
                self.hits += 1
                return slot.value
        self.misses += 1
        return NULL

    cdef bint keep(self, bytes token, object value, double not_before, double expires, Py_ssize_t cost) except -1:
        cdef const char* at = PyBytes_AS_STRING(token)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(token)
        cdef uint64_t hash
        cdef Slot* slot
        if length < TAIL or cost < length or cost > self.bytes_max:
            return False
        hash = self._hash(at, length)
        slot = self._slot(hash, at, length)
        if slot.token is not NULL:  # its time had passed, or the rules changed
            self._remove(slot)
        while self.entries >= self.entries_max or self.bytes_used > self.bytes_max - cost:
            self._make_room()
        slot = self._slot(hash, at, length)  # entries may have moved
        Py_INCREF(token)
        Py_INCREF(value)
        slot.hash, slot.not_before, slot.expires = hash, not_before, expires
        slot.token, slot.value = <PyObject*> token, <PyObject*> value
        slot.cost, slot.seen = cost, False
        self.entries += 1
        self.bytes_used += cost
        return True

    cdef uint64_t _hash(self, const char* at, Py_ssize_t length) noexcept:
        """Only the end is hashed: it is the signature, as good as random, and every byte is compared anyway. That all of
        an HS256 signature is in it, under a seed, keeps the comparison from being timed byte by byte."""
        cdef uint64_t word[6]
        cdef uint64_t hash = self.seed[0] ^ <uint64_t> length ^ 0x9E3779B97F4A7C15u
        cdef Py_ssize_t i
        if self.forgeable:  # tokens of one length and one end would all meet in one slot
            for i in range(0, length - TAIL, 16):
                memcpy(word, at + i, 16)
                hash = fe_fold(word[0] ^ self.seed[1], word[1] ^ hash)
        memcpy(word, at + length - TAIL, TAIL)
        return fe_fold(
            fe_fold(word[0] ^ self.seed[0], word[1] ^ self.seed[1])
            ^ fe_fold(word[2] ^ self.seed[2], word[3] ^ self.seed[3])
            ^ fe_fold(word[4] ^ self.seed[4], word[5] ^ self.seed[5]),
            hash,
        )

    cdef Slot* _slot(self, uint64_t hash, const char* at, Py_ssize_t length) noexcept:
        """The token's slot, or the empty one where it belongs; a third of the table is always empty."""
        cdef Py_ssize_t i = <Py_ssize_t> (hash & <uint64_t> self.mask)
        cdef Slot* slot = &self.slots[i]
        while slot.token is not NULL:
            if (
                slot.hash == hash
                and PyBytes_GET_SIZE(<bytes> slot.token) == length
                and memcmp(PyBytes_AS_STRING(<bytes> slot.token), at, length) == 0
            ):
                break
            i = (i + 1) & self.mask
            slot = &self.slots[i]
        return slot

    cdef int _make_room(self) except -1:
        """Evicts one entry: the next that was not seen since the hand last came by, or the last one looked at. Bounded, so
        that one request never pays for a sweep over all."""
        cdef Py_ssize_t steps = 0
        cdef Slot* slot
        while True:
            slot = &self.slots[self.hand]
            self.hand = (self.hand + 1) & self.mask
            if slot.token is NULL:
                continue
            steps += 1
            if not slot.seen or steps == SWEEP_MAX:
                break
            slot.seen = False
        self.evictions += 1
        return self._remove(slot)

    cdef int _remove(self, Slot* slot) except -1:
        """Empties a slot and closes the gap: what was pushed past it by linear probing moves back."""
        cdef Slot gone = slot[0]
        cdef Py_ssize_t gap = slot - self.slots, i = gap, home
        while True:
            i = (i + 1) & self.mask
            if self.slots[i].token is NULL:
                break
            home = <Py_ssize_t> (self.slots[i].hash & <uint64_t> self.mask)
            if ((i - home) & self.mask) >= ((i - gap) & self.mask):
                self.slots[gap] = self.slots[i]
                gap = i
        memset(&self.slots[gap], 0, sizeof(Slot))
        self.entries -= 1
        self.bytes_used -= gone.cost
        Py_XDECREF(gone.token)  # last: dropping a value may run code
        Py_XDECREF(gone.value)
        return 0
