"""A redirect table: C arrays and one hash index, no object a row. A miss, as nearly every request is, costs a probe.

Never changes once it is indexed, and never lets what a client sent choose the host of a Location.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

from fastedge._core.wildcard cimport matches

from fastedge.errors import ConfigError
from fastedge.limits import (
    redirect_location_bytes_max, redirect_patterns_max, redirect_rows_max, redirect_source_bytes_max,
    redirect_table_bytes_max,
)

cdef extern from "string.h" nogil:
    void* memrchr(const void* text, int byte, size_t size)

assert redirect_source_bytes_max == SOURCE_BYTES
cdef enum:
    LOCATION_BYTES = 16384
assert redirect_location_bytes_max == LOCATION_BYTES
cdef Py_ssize_t ROWS_MAX = redirect_rows_max
cdef Py_ssize_t PATTERNS_MAX = redirect_patterns_max
cdef Py_ssize_t ARENA_MAX = redirect_table_bytes_max

KINDS = ("exact", "prefix", "pattern")


@cython.final
cdef class RedirectTable:
    """Rows that answer a host and a path with a status and a Location. Made by `RedirectBuilder`; immutable.

    An exact row wins over a prefix, the longest prefix over shorter ones, any prefix over patterns, which are tried in
    the order of the file. Of two equal rows the one that names the host wins.
    """

    def __dealloc__(self):
        PyMem_Free(self.rows)
        PyMem_Free(self.arena)
        PyMem_Free(self.slots)
        PyMem_Free(self.patterns)

    def __len__(self):
        return self.size

    def __repr__(self):
        return f"RedirectTable({self.size} rows)"

    def find(self, path not None, query="", host=""):
        """`(status, location)` for a request, or None. All texts are as on the wire; the host has no port."""
        cdef Match found
        cdef bytes raw_path = _wire(path), raw_query = _wire(query), raw_host = _wire(host)
        self.match(raw_host, len(raw_host), raw_path, len(raw_path), &found)
        if found.row < 0:
            return None
        cdef bytes location = self.location(&found, raw_path, raw_query, len(raw_query))
        return None if location is None else (self.rows[found.row].status, location.decode("ascii"))

    def find_row(self, path not None, host=""):
        """The number of the row that answers a host and a path, or -1."""
        cdef Match found
        cdef bytes raw_path = _wire(path), raw_host = _wire(host)
        self.match(raw_host, len(raw_host), raw_path, len(raw_path), &found)
        return found.row

    def row(self, Py_ssize_t number):
        """`(line, kind, host, path, target, status, keep_query)` of the row with this number, from 0."""
        if not 0 <= number < self.size:
            raise IndexError(number)
        return self.describe(number)

    def leading_on(self, bint absolute):
        """Numbers of the rows whose target may be redirected again; `absolute` counts targets at named hosts too."""
        return [number for number in range(self.size) if self.may_lead_on(number, absolute)]

    def hosts(self):
        """The hosts that rows name, as a frozenset."""
        cdef Py_ssize_t i
        cdef set hosts = set()
        for i in range(self.size):
            if self.rows[i].host_size:
                hosts.add(self.arena[self.rows[i].text:self.rows[i].text + self.rows[i].host_size].decode("ascii"))
        return frozenset(hosts)

    cdef tuple describe(self, Py_ssize_t number):
        cdef Row* row = &self.rows[number]
        cdef const char* text = self.arena + row.text
        host = text[:row.host_size].decode("ascii")
        text += row.host_size
        path = text[:row.path_size].decode("ascii") + ("*" if row.kind == PREFIX else "")
        text += row.path_size
        return row.line, KINDS[row.kind], host, path, _written(text[:row.target_size]), row.status, bool(row.keep_query)

    # --- made once -------------------------------------------------------------------------------------------------

    cdef int append(self, Row row, const char* host, const char* path, const char* target) except -1:
        """Copy a checked row in."""
        cdef Py_ssize_t more = row.host_size + row.path_size + row.target_size
        if self.size >= ROWS_MAX:
            raise ConfigError(f"more than {ROWS_MAX} rows")
        if self.arena_size + more > ARENA_MAX:
            raise ConfigError(f"more than {ARENA_MAX} bytes of rows")
        if self.size == self.room:
            self.room = max(64, self.room * 2)
            self.rows = <Row*> _resized(self.rows, self.room * sizeof(Row))
        if self.arena_size + more > self.arena_room:
            self.arena_room = max(self.arena_size + more, 4096, self.arena_room * 2)
            self.arena = <char*> _resized(self.arena, self.arena_room)
        row.text = self.arena_size
        memcpy(self.arena + row.text, host, row.host_size)
        memcpy(self.arena + row.text + row.host_size, path, row.path_size)
        memcpy(self.arena + row.text + row.host_size + row.path_size, target, row.target_size)
        self.arena_size += more
        self.rows[self.size] = row
        self.size += 1
        return 0

    cdef int index(self) except -1:
        """Make room for the index over all rows that were appended; `claim` then fills it."""
        cdef Py_ssize_t i
        cdef uint64_t slots = 16
        while slots < <uint64_t> self.size * 2:
            slots *= 2
        self.slots = <uint64_t*> PyMem_Calloc(slots, sizeof(uint64_t))
        if self.slots == NULL:
            raise MemoryError
        self.slot_mask = slots - 1
        for i in range(self.size):
            self.pattern_count += self.rows[i].kind == PATTERN
        if self.pattern_count > PATTERNS_MAX:
            raise ConfigError(f"{self.pattern_count} rows with a `*` inside, at most {PATTERNS_MAX}")
        self.patterns = <Pattern*> _resized(NULL, (self.pattern_count + 1) * sizeof(Pattern))
        self.pattern_count = 0
        return 0

    cdef Py_ssize_t claim(self, Py_ssize_t number) noexcept:
        """Index one row; -1, or the number of an earlier row with the same source."""
        cdef Row* row = &self.rows[number]
        cdef const char* host = self.arena + row.text
        cdef const char* path = host + row.host_size
        cdef uint64_t key = hashed(seed_of(host, row.host_size, row.kind), path, row.path_size)
        cdef Py_ssize_t earlier = self.probe(key, <Kind> row.kind, host, row.host_size, path, row.path_size)
        cdef uint64_t slot = key & self.slot_mask
        if earlier >= 0:
            return earlier
        while self.slots[slot]:
            slot = (slot + 1) & self.slot_mask
        self.slots[slot] = (key >> 32 << 32) | <uint64_t> (number + 1)
        if row.host_size:
            self.has_hosts = True
        else:
            self.has_any = True
        if row.kind == PREFIX:
            self.prefix_lengths[row.path_size >> 6] |= (<uint64_t> 1) << (row.path_size & 63)
            self.prefix_size_max = max(self.prefix_size_max, <Py_ssize_t> row.path_size)
        elif row.kind == PATTERN:
            self.claim_pattern(number, path, row.path_size)
        return -1

    cdef void claim_pattern(self, Py_ssize_t number, const char* path, Py_ssize_t size) noexcept:
        """The literal bytes in front let most requests pass a pattern with one comparison."""
        cdef Pattern* pattern = &self.patterns[self.pattern_count]
        cdef char mask[8]
        cdef Py_ssize_t literal = 0
        while literal < 8 and literal < size and path[literal] != c"*":
            literal += 1
        memset(mask, 0, 8)
        memset(mask, 0xFF, literal)
        memcpy(&pattern.mask, mask, 8)
        pattern.head = first_eight(path, literal)
        pattern.row = number
        self.pattern_count += 1

    cdef bint may_lead_on(self, Py_ssize_t number, bint absolute) noexcept:
        cdef Match found
        cdef Row* row = &self.rows[number]
        cdef const char* host = self.arena + row.text
        cdef const char* target = host + row.host_size + row.path_size
        cdef const char* query
        if row.kind != EXACT or target[0] != c"/":
            return absolute or target[0] == c"/"
        query = <const char*> memchr(target, c"?", row.query_at)
        self.match(host, row.host_size, target, row.query_at if query == NULL else query - target, &found)
        return found.row >= 0

    # --- asked on every request ------------------------------------------------------------------------------------

    cdef void match(
        self, const char* host, Py_ssize_t host_size, const char* path, Py_ssize_t path_size, Match* found
    ) noexcept:
        """The row for a host (no port, lower-case) and a path, and what its `*` took."""
        found.row = self.same(EXACT, host, host_size, path, path_size)
        if found.row < 0 and self.prefix_size_max:
            self.match_prefix(host, host_size, path, path_size, found)
        if found.row < 0 and self.pattern_count:
            self.match_pattern(host, host_size, path, path_size, found)

    cdef Py_ssize_t same(
        self, Kind kind, const char* host, Py_ssize_t host_size, const char* path, Py_ssize_t path_size
    ) noexcept:
        """The row of one kind with exactly this path, for this host before any host; -1."""
        cdef Py_ssize_t number = -1
        if path_size > SOURCE_BYTES:
            return -1
        if self.has_hosts and host_size:
            number = self.probe(
                hashed(seed_of(host, host_size, kind), path, path_size), kind, host, host_size, path, path_size
            )
        if number < 0 and self.has_any:
            number = self.probe(hashed(seed_of(b"", 0, kind), path, path_size), kind, b"", 0, path, path_size)
        return number

    cdef Py_ssize_t probe(
        self, uint64_t key, Kind kind, const char* host, Py_ssize_t host_size, const char* path, Py_ssize_t path_size
    ) noexcept:
        cdef uint64_t slot = key & self.slot_mask
        cdef uint64_t entry
        cdef Py_ssize_t number
        cdef Row* row
        cdef const char* text
        while True:
            entry = self.slots[slot]
            if entry == 0:
                return -1
            if (entry ^ key) >> 32 == 0:
                number = <Py_ssize_t> <uint32_t> entry - 1
                row = &self.rows[number]
                if row.kind == kind and row.host_size == host_size and row.path_size == path_size:
                    text = self.arena + row.text
                    if memcmp(text, host, host_size) == 0 and memcmp(text + host_size, path, path_size) == 0:
                        return number
            slot = (slot + 1) & self.slot_mask

    cdef void match_prefix(
        self, const char* host, Py_ssize_t host_size, const char* path, Py_ssize_t path_size, Match* found
    ) noexcept:
        """Back over the `/` of the path, hashing only up to those where some prefix of the table ends."""
        cdef Py_ssize_t size = min(path_size, self.prefix_size_max)
        cdef const char* slash
        while size > 0:
            slash = <const char*> memrchr(path, c"/", size)
            if slash == NULL:
                return
            size = slash - path + 1
            if self.prefix_lengths[size >> 6] >> (size & 63) & 1:
                found.row = self.same(PREFIX, host, host_size, path, size)
                if found.row >= 0:
                    found.captures[0].start = size
                    found.captures[0].size = path_size - size
                    return
            size -= 1

    cdef void match_pattern(
        self, const char* host, Py_ssize_t host_size, const char* path, Py_ssize_t path_size, Match* found
    ) noexcept:
        cdef uint64_t head = first_eight(path, path_size)
        cdef Py_ssize_t i
        cdef Row* row
        cdef const char* text
        for i in range(self.pattern_count):
            if head & self.patterns[i].mask != self.patterns[i].head:
                continue
            row = &self.rows[self.patterns[i].row]
            text = self.arena + row.text
            if row.host_size and (row.host_size != host_size or memcmp(text, host, host_size) != 0):
                continue
            if matches(text + row.host_size, row.path_size, path, path_size, found.captures):
                found.row = self.patterns[i].row
                return

    # --- asked when a row was found --------------------------------------------------------------------------------

    cdef bytes location(self, Match* found, const char* path, const char* query, Py_ssize_t query_size):
        """The Location of a match; None if what is carried over makes it too long or no URI."""
        cdef Row* row = &self.rows[found.row]
        cdef const char* target = self.arena + row.text + row.host_size + row.path_size
        cdef char text[LOCATION_BYTES]
        cdef Py_ssize_t size = 0
        cdef bint keep = row.keep_query and query_size > 0
        if not row.carries and not keep:
            return PyBytes_FromStringAndSize(target, row.target_size)
        size = expand(text, 0, target, row.query_at, path, found.captures)
        if keep and size >= 0:
            size = put(text, size, b"&" if row.has_query else b"?", 1)
            size = put(text, size, query, query_size)
        size = expand(text, size, target + row.query_at, row.target_size - row.query_at, path, found.captures)
        if size < 0 or not is_printable(text, size):
            return None
        if row.carries and target[0] == c"/":
            size = kept_on_host(text, size)
        return PyBytes_FromStringAndSize(text, size)


cdef inline Py_ssize_t put(char* text, Py_ssize_t size, const char* more, Py_ssize_t more_size) noexcept nogil:
    """The size after appending; -1 once the limit is passed, whatever follows."""
    if size < 0 or more_size > LOCATION_BYTES - size:
        return -1
    memcpy(text + size, more, more_size)
    return size + more_size


cdef Py_ssize_t expand(
    char* text, Py_ssize_t size, const char* target, Py_ssize_t target_size, const char* path, Capture* captures
) noexcept nogil:
    """Append a target, with what each `*` took in the place of the bytes 1 to 9."""
    cdef Py_ssize_t i, start = 0
    cdef Capture* capture
    for i in range(target_size):
        if target[i] <= CAPTURES:
            capture = &captures[target[i] - 1]
            size = put(text, size, target + start, i - start)
            size = put(text, size, path + capture.start, capture.size)
            start = i + 1
    return put(text, size, target + start, target_size - start)


cdef bint is_printable(const char* text, Py_ssize_t size) noexcept nogil:
    """No control character, space or byte beyond ASCII: nothing that could end or bend a field line."""
    cdef Py_ssize_t i
    for i in range(size):
        if text[i] <= 0x20 or text[i] >= 0x7F:
            return False
    return True


cdef Py_ssize_t kept_on_host(char* text, Py_ssize_t size) noexcept nogil:
    """Fold leading slashes into one: `//evil.example` is another host (RFC 3986 §4.2), to browsers `/\\` is too."""
    cdef Py_ssize_t slashes = 0
    while slashes < size and (text[slashes] == c"/" or text[slashes] == c"\\"):
        slashes += 1
    memmove(text + 1, text + slashes, size - slashes)
    return size - slashes + 1


cdef inline uint64_t first_eight(const char* text, Py_ssize_t size) noexcept nogil:
    cdef uint64_t word = 0
    memcpy(&word, text, min(size, 8))
    return word


cdef inline uint64_t seed_of(const char* host, Py_ssize_t host_size, int kind) noexcept nogil:
    return hashed(<uint64_t> kind + 1, host, host_size)


cdef inline uint64_t hashed(uint64_t seed, const char* text, Py_ssize_t size) noexcept nogil:
    """Eight bytes a step, a multiplication each. Needs no secret: only the operator chooses what is in the table."""
    cdef uint64_t h = seed ^ (<uint64_t> size * 0x9E3779B97F4A7C15ULL)
    cdef uint64_t word
    while size >= 8:
        memcpy(&word, text, 8)
        h = (h ^ word) * 0x9FB21C651E98DF25ULL
        h ^= h >> 32
        text += 8
        size -= 8
    if size:
        word = 0
        memcpy(&word, text, size)
        h = (h ^ word) * 0x9FB21C651E98DF25ULL
        h ^= h >> 32
    h *= 0xD6E8FEB86659FD93ULL
    return h ^ (h >> 29)


cdef void* _resized(void* block, size_t size) except NULL:
    cdef void* larger = PyMem_Realloc(block, size)
    if larger == NULL:
        raise MemoryError
    return larger


cdef bytes _wire(object text):
    return text if type(text) is bytes else text.encode("latin-1")


cdef str _written(bytes target):
    """A target as a file may write it: references as `$n`, and a dollar sign before a digit as `$$`."""
    written = []
    for byte in target:
        written.append(f"${byte}" if byte <= CAPTURES else "$$" if byte == 0x24 else chr(byte))
    return "".join(written)
