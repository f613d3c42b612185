"""Ranges of addresses while a table is compiled: sorted starts, and a number for whoever owns the addresses from there on.

Each range reaches to the next; below the first nobody (0) owns anything. Neighbours of one owner are one range.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memcpy

from fastedge.errors import ConfigError
from fastedge.limits import geo_ranges_max

cdef uint32_t RANGES_MAX = geo_ranges_max
cdef object LOW = (1 << 64) - 1


@cython.final
cdef class Ranges:
    def __dealloc__(self):
        PyMem_Free(self.highs)
        PyMem_Free(self.lows)
        PyMem_Free(self.owners)

    def add(self, start, uint32_t owner):
        """From `start` on the owner is `owner`. Starts come in ascending order."""
        self.put(start >> 64, start & LOW, owner)

    def joined(self, Ranges other not None):
        """The ranges of both: (ranges, pairs); an owner is the place of a pair (mine, the other's) in `pairs`."""
        cdef Ranges both = Ranges()
        cdef dict numbers = {0: 0}
        cdef list pairs = [(0, 0)]
        cdef uint32_t i = 0, j = 0, mine = 0, others = 0
        cdef int order
        while i < self.count or j < other.count:
            order = _order(self, i, other, j)
            high, low = (other.highs[j], other.lows[j]) if order > 0 else (self.highs[i], self.lows[i])
            if order <= 0:
                mine = self.owners[i]
                i += 1
            if order >= 0:
                others = other.owners[j]
                j += 1
            key = <uint64_t> mine << 32 | others
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = len(pairs)
                pairs.append((mine, others))
            both.put(high, low, number)
        return both, pairs

    def renumbered(self, owners):
        """The same with `owners[number]` for each number."""
        cdef Ranges fresh = Ranges()
        cdef uint32_t i
        for i in range(self.count):
            fresh.put(self.highs[i], self.lows[i], owners[self.owners[i]])
        return fresh

    def starts_32(self):
        """The starts as u32, for IPv4."""
        cdef bytes out = PyBytes_FromStringAndSize(NULL, 4 * <Py_ssize_t> self.count)
        cdef uint32_t* to = <uint32_t*> <void*> PyBytes_AS_STRING(out)
        cdef uint32_t i
        for i in range(self.count):
            to[i] = <uint32_t> self.lows[i]
        return out

    def starts_high(self):
        return PyBytes_FromStringAndSize(<char*> self.highs, 8 * <Py_ssize_t> self.count)

    def starts_low(self):
        """The low halves; empty if all of them are 0."""
        cdef uint32_t i
        for i in range(self.count):
            if self.lows[i]:
                return PyBytes_FromStringAndSize(<char*> self.lows, 8 * <Py_ssize_t> self.count)
        return b""

    def owners_as(self, int width):
        """The owners as u8 or u32: `width` is 1 or 4."""
        cdef bytes out = PyBytes_FromStringAndSize(NULL, width * <Py_ssize_t> self.count)
        cdef unsigned char* to = <unsigned char*> PyBytes_AS_STRING(out)
        cdef uint32_t i
        if width == 4:
            memcpy(to, self.owners, 4 * <size_t> self.count)
        else:
            for i in range(self.count):
                to[i] = <unsigned char> self.owners[i]
        return out

    def __iter__(self):
        cdef uint32_t i
        for i in range(self.count):
            yield (<object> self.highs[i] << 64) | self.lows[i], self.owners[i]

    cdef int put(self, uint64_t high, uint64_t low, uint32_t owner) except -1:
        cdef uint32_t last
        if self.count:
            last = self.count - 1
            if high < self.highs[last] or (high == self.highs[last] and low <= self.lows[last]):
                raise ConfigError(f"geo ranges: {(<object> high << 64) | low:#x}: expected one behind that before it")
            if owner == self.owners[last]:
                return 0
        elif high or low:
            if owner == 0:
                return 0
            self.put(0, 0, 0)
        if self.count == self.room:
            self.grow()
        self.highs[self.count], self.lows[self.count], self.owners[self.count] = high, low, owner
        self.count += 1
        return 0

    cdef int grow(self) except -1:
        cdef size_t room = 2 * <size_t> self.room if self.room else 64
        cdef void* grown
        if self.count >= RANGES_MAX:
            raise ConfigError(f"geo ranges: more than {RANGES_MAX}")
        grown = PyMem_Realloc(self.highs, 8 * room)
        if grown == NULL:
            raise MemoryError
        self.highs = <uint64_t*> grown
        grown = PyMem_Realloc(self.lows, 8 * room)
        if grown == NULL:
            raise MemoryError
        self.lows = <uint64_t*> grown
        grown = PyMem_Realloc(self.owners, 4 * room)
        if grown == NULL:
            raise MemoryError
        self.owners = <uint32_t*> grown
        self.room = <uint32_t> room
        return 0


cdef inline int _order(Ranges one, uint32_t i, Ranges other, uint32_t j) noexcept:
    """Which of the two starts comes first: below 0 mine, above 0 the other's, 0 both at once."""
    if j == other.count:
        return -1
    if i == one.count:
        return 1
    if one.highs[i] != other.highs[j]:
        return -1 if one.highs[i] < other.highs[j] else 1
    if one.lows[i] != other.lows[j]:
        return -1 if one.lows[i] < other.lows[j] else 1
    return 0
