"""The flat country table: sorted range starts and one shared facts object a country, found from a packed address.

It works on the buffer it was given, in place: never copies a row, reads a file, or allocates to answer.

The compiled form, little-endian: HEADER (with the CRC-32 of all that follows it), then the arrays
u64 start of each IPv6 range (high half) · u64 low halves, only with FLAG_WIDE · u32 start of each IPv4 range ·
u8 country of each IPv4 range · u8 country of each IPv6 range · two letters for each country · source in UTF-8.
A range reaches to the start of the next; the first starts at 0; country 0 is two NULs: unknown.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.tuple cimport PyTuple_GET_ITEM
from libc.string cimport memcpy

import struct
import sys
from zlib import crc32

from fastedge.errors import ConfigError
from fastedge.limits import geo_countries_max, geo_ranges_max, geo_source_bytes_max

cdef extern from "arpa/inet.h" nogil:
    int AF_INET
    int AF_INET6
    int inet_pton(int family, const char* text, void* packed)

cdef extern from *:
    uint64_t __builtin_bswap64(uint64_t value) noexcept nogil

ctypedef fused start_t:
    uint32_t
    uint64_t

MAGIC = b"\x89fegeo\r\n"
VERSION = 1
FLAG_WIDE = 1
# magic, version, flags, CRC-32, built (unix seconds), IPv4 ranges, IPv6 ranges, countries, source bytes, reserved
HEADER = struct.Struct("<8sHHIQIIHHI")

cdef enum:
    BUCKETS = 65536
    # 2000::/3 is all the global unicast space there is (RFC 4291 §2.4): the 16 bits below those three pick a bucket.
    GLOBAL_UNICAST = 1


@cython.final
cdef class GeoFacts:
    """What is known of a country: `country` (ISO 3166-1 alpha-2, "" if unknown), `continent` ("" likewise), `is_eu`."""

    def __init__(self, str country not None, str continent not None, bint is_eu):
        self.code = code_of(country)
        self.country = country
        self.country_bytes = country.encode("ascii")
        self.continent = continent
        self.is_eu = is_eu

    def __eq__(self, other):
        if not isinstance(other, GeoFacts):
            return NotImplemented
        cdef GeoFacts facts = <GeoFacts>other
        return self.code == facts.code and self.continent == facts.continent and self.is_eu == facts.is_eu

    def __hash__(self):
        return self.code

    def __repr__(self):
        return f"GeoFacts({self.country!r}, {self.continent!r}, {self.is_eu})"


cdef int code_of(str country) except -1:
    """A small dense number for a country, the same in every table: 0 is unknown, the others are 1 to 676."""
    if country == "":
        return 0
    if len(country) != 2 or not country.isascii() or not country.isalpha() or not country.isupper():
        raise ConfigError(f"country {country!r}: expected two capital letters (ISO 3166-1 alpha-2)")
    return 1 + (<int>ord(country[0]) - 65) * 26 + <int>ord(country[1]) - 65


@cython.final
cdef class GeoTable:
    """A compiled country table over `data` (bytes are kept, not copied). `countries`: code → GeoFacts, "" included.

    `built` is the data's own date in unix seconds, `source` its name. Raises ConfigError for a form that is damaged.
    """

    def __cinit__(self, data, countries):
        cdef bytes raw
        cdef bint wide
        if sys.byteorder != "little":
            raise ConfigError("geo table: the compiled form needs a little-endian machine")
        # A bytes object's storage is aligned for u64; a slice of something else need not be, and is copied once.
        raw = data if type(data) is bytes else bytes(data)
        self.data = raw
        if len(raw) < HEADER.size:
            raise ConfigError(f"geo table: {len(raw)} bytes are shorter than its header of {HEADER.size}")
        magic, version, flags, checksum, built, count_v4, count_v6, named, source_bytes, _ = HEADER.unpack_from(raw)
        if magic != MAGIC:
            raise ConfigError("geo table: not a compiled table of fastedge")
        if version != VERSION or flags & ~FLAG_WIDE:
            raise ConfigError(f"geo table: version {version}, flags {flags}; this fastedge reads version {VERSION}")
        _check_count("IPv4 ranges", count_v4, geo_ranges_max)
        _check_count("IPv6 ranges", count_v6, geo_ranges_max)
        _check_count("countries", named, geo_countries_max)
        _check_count("bytes of source name", source_bytes, geo_source_bytes_max)
        wide = (flags & FLAG_WIDE) != 0
        rest = count_v6 * (17 if wide else 9) + count_v4 * 5 + named * 2
        if len(raw) != HEADER.size + rest + source_bytes:
            raise ConfigError(f"geo table: {len(raw)} bytes, expected {HEADER.size + rest + source_bytes}: truncated?")
        if crc32(memoryview(raw)[HEADER.size :]) != checksum:
            raise ConfigError("geo table: its checksum does not match: the file is damaged")
        self.built, self.count_v4, self.count_v6 = built, count_v4, count_v6
        self.ranges_v4, self.ranges_v6 = count_v4, count_v6
        self.lay_out(<const unsigned char*>PyBytes_AS_STRING(raw) + <Py_ssize_t>HEADER.size, wide)
        tail = raw[HEADER.size + rest - named * 2 :]
        self.source = _text(tail[named * 2 :])
        self.facts = _resolve(tail[: named * 2], countries)
        self.countries = tuple(sorted({facts.country for facts in self.facts} - {""}))
        self.check()
        self.build_coarse()

    def __dealloc__(self):
        PyMem_Free(self.coarse_v4)
        PyMem_Free(self.coarse_v6)

    cdef int lay_out(self, const unsigned char* start, bint wide) except -1:
        self.starts_v6 = <const uint64_t*>start
        start += 8 * <size_t>self.count_v6
        if wide:
            self.lows_v6 = <const uint64_t*>start
            start += 8 * <size_t>self.count_v6
        self.starts_v4 = <const uint32_t*>start
        start += 4 * <size_t>self.count_v4
        self.owners_v4 = start
        self.owners_v6 = start + self.count_v4
        return 0

    cdef int check(self) except -1:
        """Whatever passes here cannot make `find` read outside the arrays or give a wrong neighbour."""
        cdef uint32_t i
        cdef bint is_same
        cdef uint32_t known = <uint32_t>len(self.facts)
        if self.starts_v4[0] != 0 or self.starts_v6[0] != 0 or (self.lows_v6 != NULL and self.lows_v6[0] != 0):
            raise ConfigError("geo table: the first range does not start at address 0")
        for i in range(1, self.count_v4):
            if self.starts_v4[i] <= self.starts_v4[i - 1]:
                raise ConfigError(f"geo table: IPv4 range {i} does not start behind the one before it")
        for i in range(1, self.count_v6):
            if self.starts_v6[i] > self.starts_v6[i - 1]:
                continue
            is_same = self.starts_v6[i] == self.starts_v6[i - 1]
            if self.lows_v6 == NULL or not is_same or self.lows_v6[i] <= self.lows_v6[i - 1]:
                raise ConfigError(f"geo table: IPv6 range {i} does not start behind the one before it")
        for i in range(self.count_v4):
            if self.owners_v4[i] >= known:
                raise ConfigError(f"geo table: IPv4 range {i} names country {self.owners_v4[i]} of {known}")
        for i in range(self.count_v6):
            if self.owners_v6[i] >= known:
                raise ConfigError(f"geo table: IPv6 range {i} names country {self.owners_v6[i]} of {known}")
        return 0

    cdef int build_coarse(self) except -1:
        """For each bucket of addresses the last range that starts at or before it: the search begins and ends there."""
        cdef uint32_t bucket, at
        cdef uint64_t first
        self.coarse_v4 = <uint32_t*>PyMem_Malloc((BUCKETS + 1) * sizeof(uint32_t))
        self.coarse_v6 = <uint32_t*>PyMem_Malloc((BUCKETS + 1) * sizeof(uint32_t))
        if self.coarse_v4 == NULL or self.coarse_v6 == NULL:
            raise MemoryError
        at = 0
        for bucket in range(<uint32_t>BUCKETS):
            while at + 1 < self.count_v4 and self.starts_v4[at + 1] <= bucket << 16:
                at += 1
            self.coarse_v4[bucket] = at
        self.coarse_v4[BUCKETS] = self.count_v4 - 1
        at = 0
        for bucket in range(<uint32_t>BUCKETS + 1):
            first = (<uint64_t>GLOBAL_UNICAST << 61) + (<uint64_t>bucket << 45)
            while at + 1 < self.count_v6 and self.starts_v6[at + 1] <= first:
                at += 1
            self.coarse_v6[bucket] = at
        return 0

    cdef GeoFacts find(self, const unsigned char* packed):
        """The facts for 16 bytes in network order; an IPv4 address comes as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2)."""
        cdef uint64_t high = _u64(packed)
        cdef uint64_t low = _u64(packed + 8)
        cdef uint32_t address, bucket, at
        if high == 0 and low >> 32 == 0xFFFF:
            address = <uint32_t>low
            bucket = address >> 16
            at = _search(self.starts_v4, self.coarse_v4[bucket], self.coarse_v4[bucket + 1], address)
            return <GeoFacts>PyTuple_GET_ITEM(self.facts, self.owners_v4[at])
        if self.lows_v6 != NULL:
            at = _search_wide(self.starts_v6, self.lows_v6, self.count_v6, high, low)
        elif high >> 61 == GLOBAL_UNICAST:
            bucket = <uint32_t>(high >> 45) & 0xFFFF
            at = _search(self.starts_v6, self.coarse_v6[bucket], self.coarse_v6[bucket + 1], high)
        else:
            at = _search(self.starts_v6, 0, self.count_v6 - 1, high)
        return <GeoFacts>PyTuple_GET_ITEM(self.facts, self.owners_v6[at])

    def lookup(self, str address not None):
        """The facts for an address in text, IPv4 or IPv6; ValueError if it is neither."""
        cdef unsigned char packed[16]
        cdef bytes text = address.encode("ascii", "replace")
        if inet_pton(AF_INET6, text, packed) != 1 or b"\0" in text:
            memcpy(packed, b"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12)
            if inet_pton(AF_INET, text, packed + 12) != 1 or b"\0" in text:
                raise ValueError(f"{address!r} is not an IP address")
        return self.find(packed)

    def lookup_packed(self, bytes address not None):
        """The facts for an address in 16 bytes, IPv4 as ::ffff:a.b.c.d; ValueError if it has another length."""
        if len(address) != 16:
            raise ValueError(f"a packed address has 16 bytes, not {len(address)}")
        return self.find(<const unsigned char*>PyBytes_AS_STRING(address))

    def __repr__(self):
        return f"<GeoTable {self.source!r}: {self.count_v4} IPv4 and {self.count_v6} IPv6 ranges>"


cdef inline uint64_t _u64(const unsigned char* bytes_in_order) noexcept nogil:
    cdef uint64_t value
    memcpy(&value, bytes_in_order, 8)
    return __builtin_bswap64(value)


cdef inline uint32_t _search(const start_t* starts, uint32_t first, uint32_t last, start_t key) noexcept nogil:
    """The last range in [first, last] that starts at or before `key`; `first` does."""
    cdef uint32_t left = last - first + 1
    cdef uint32_t half
    while left > 1:
        half = left >> 1
        first += half if starts[first + half] <= key else 0
        left -= half
    return first


cdef inline uint32_t _search_wide(
    const uint64_t* highs, const uint64_t* lows, uint32_t count, uint64_t high, uint64_t low
) noexcept nogil:
    """The same over starts of 128 bits, for the rare table that cuts within a /64."""
    cdef uint32_t first = 0
    cdef uint32_t half, middle
    while count > 1:
        half = count >> 1
        middle = first + half
        if highs[middle] < high or (highs[middle] == high and lows[middle] <= low):
            first = middle
        count -= half
    return first


cdef int _check_count(str what, count, most) except -1:
    if not 1 <= count <= most:
        raise ConfigError(f"geo table: {count} {what}, expected 1 to {most}")
    return 0


cdef str _text(bytes raw):
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("geo table: the source's name is not UTF-8") from None


cdef tuple _resolve(bytes letters, countries):
    """The facts object of each country that the table names, in its order."""
    names = [letters[i : i + 2].decode("latin-1").rstrip("\0") for i in range(0, len(letters), 2)]
    if names[0] != "":
        raise ConfigError("geo table: its first country is not the unknown one")
    for name in names:
        if name not in countries:
            raise ConfigError(f"geo table: {name!r} is no country that this fastedge knows: compile the table again")
    return tuple([countries[name] for name in names])
