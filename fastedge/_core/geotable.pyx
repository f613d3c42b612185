"""The flat geo table: sorted range starts, the record that each leads to, and what the records say.

It works on the buffer it was given, in place, which may be memory that all workers share: never copies a row, reads a
file, or makes an object for a record that says no more than a country.

The compiled form, little-endian: HEADER (with the CRC-32 of all that follows it), then the arrays
u64 start of each IPv6 range (high half) · u64 low halves, only with FLAG_WIDE · u32 start of each IPv4 range ·
the records (Row) · record of each IPv4 range · record of each IPv6 range · texts · source in UTF-8.
A range reaches to the start of the next; the first starts at 0; record 0 is unknown. Records are numbered in u32, with
FLAG_NARROW in u8. A text is its length in one byte and its UTF-8; a record names it by its place, place 0 is empty.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.tuple cimport PyTuple_GET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcpy

import struct
import sys
from zlib import crc32

from fastedge._core.georanges cimport Ranges
from fastedge.errors import ConfigError
from fastedge.limits import geo_ranges_max, geo_records_max, geo_source_bytes_max, geo_text_bytes_max, geo_texts_bytes_max

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
VERSION = 2
FLAG_WIDE = 1
FLAG_NARROW = 2
# magic, version, flags, CRC-32, built (unix seconds), IPv4 ranges, IPv6 ranges, records, bytes of texts, known facts,
# source bytes, reserved
HEADER = struct.Struct("<8sHHIQIIIIHHI")
# What a table may know beside the country, and what follows from that; bit i of the header's known facts is the i-th.
FACTS = ("region", "city", "time_zone", "organization", "asn")

cdef Py_ssize_t TEXT_MAX = geo_text_bytes_max
cdef Py_ssize_t TEXTS_MAX = geo_texts_bytes_max

cdef enum:
    BUCKETS = 65536
    # 2000::/3 is all the global unicast space there is (RFC 4291 §2.4): the 16 bits below those three pick a bucket.
    GLOBAL_UNICAST = 1
    COARSE_BYTES = (BUCKETS + 1) * 4


@cython.final
cdef class Country:
    """What follows from a country's code; all facts about places in it share this object."""

    def __init__(self, str code, str continent, bint is_eu):
        self.number = code_of(code)
        self.code = code
        self.wire = code.encode("ascii")
        self.continent = continent
        self.is_eu = is_eu


@cython.final
@cython.freelist(64)
@cython.no_gc
cdef class GeoFacts:
    """What is known of an address: `country` (ISO 3166-1 alpha-2), `continent` (two letters), `is_eu`, `region` (ISO 3166-2,
    as "DE-BY"), `city`, `time_zone` (IANA), `asn`, `organization` (the AS's). Unknown is "", of `asn` 0."""

    def __init__(
        self, str country not None, str continent not None, bint is_eu, *, str region not None="", str city not None="",
        str time_zone not None="", uint32_t asn=0, str organization not None="",
    ):
        self.known = Country(country, continent, is_eu)
        self.asn = asn
        self.texts = (region, city, time_zone, organization)

    @property
    def country(self):
        return self.known.code

    @property
    def country_bytes(self):
        return self.known.wire

    @property
    def continent(self):
        return self.known.continent

    @property
    def is_eu(self):
        return self.known.is_eu

    @property
    def region(self):
        return self.texts[0] if self.row is NULL else self.table.text_at(self.row.region)

    @property
    def city(self):
        return self.texts[1] if self.row is NULL else self.table.text_at(self.row.city)

    @property
    def time_zone(self):
        return self.texts[2] if self.row is NULL else self.table.text_at(self.row.time_zone)

    @property
    def organization(self):
        return self.texts[3] if self.row is NULL else self.table.text_at(self.row.organization)

    def __eq__(self, other):
        if not isinstance(other, GeoFacts):
            return NotImplemented
        return _all_of(self) == _all_of(<GeoFacts> other)

    def __hash__(self):
        return hash(_all_of(self))

    def __repr__(self):
        more = [f"{name}={getattr(self, name)!r}" for name in FACTS if getattr(self, name)]
        return f"GeoFacts({', '.join([repr(self.country), repr(self.continent), str(bool(self.is_eu)), *more])})"


cdef tuple _all_of(GeoFacts facts):
    return (
        facts.country, facts.continent, facts.is_eu, facts.region, facts.city, facts.time_zone, facts.asn, facts.organization
    )


cdef int code_of(str country) except -1:
    """A small dense number for a country, the same in every table: 0 is unknown, the others are 1 to 676."""
    if country == "":
        return 0
    if len(country) != 2 or not country.isascii() or not country.isalpha() or not country.isupper():
        raise ConfigError(f"country {country!r}: expected two capital letters (ISO 3166-1 alpha-2)")
    return 1 + (<int>ord(country[0]) - 65) * 26 + <int>ord(country[1]) - 65


def pack_records(places):
    """(records, texts, known facts) of places: (country, region, city, time zone, AS number, organization) of each."""
    cdef list rows = []
    cdef Row row
    cdef dict known = {"": 0}, codes = {}
    cdef bytearray texts = bytearray(1)
    cdef unsigned int facts = 0
    row.reserved = 0
    for country, region, city, time_zone, asn, organization in places:
        code = codes.get(country)
        if code is None:
            code = codes[country] = code_of(country)
        row.country, row.asn = code, asn
        row.region, row.city = _place_of(region, known, texts), _place_of(city, known, texts)
        row.time_zone, row.organization = _place_of(time_zone, known, texts), _place_of(organization, known, texts)
        facts |= (
            (row.region != 0) | (row.city != 0) << 1 | (row.time_zone != 0) << 2 | (row.organization != 0) << 3
            | (row.asn != 0) << 4
        )
        rows.append(PyBytes_FromStringAndSize(<const char*> &row, sizeof(Row)))
    return b"".join(rows), bytes(texts), facts


cdef uint32_t _place_of(str text, dict known, bytearray texts) except? 0:
    place = known.get(text)
    if place is None:
        raw = text.encode()
        if len(raw) > TEXT_MAX or len(texts) > TEXTS_MAX:
            raise ConfigError(f"geo table: a name of {len(raw)} bytes, or {len(texts)} bytes of names, are too many")
        place = known[text] = len(texts)
        texts.append(len(raw))
        texts += raw
    return place


@cython.final
cdef class GeoTable:
    """A compiled geo table over `data` (kept, not copied). `countries`: code → GeoFacts, "" included.

    `built` is the data's own date in unix seconds, `source` its name, `facts` what it knows beside countries. Raises
    ConfigError for a form that is damaged. `is_shared`: the memory of a table's `shared_form`, which is trusted.
    """

    def __cinit__(self, data, countries, *, bint is_shared=False):
        cdef const unsigned char* at
        cdef Py_ssize_t size
        if sys.byteorder != "little":
            raise ConfigError("geo table: the compiled form needs a little-endian machine")
        PyObject_GetBuffer(data, &self.view, PyBUF_SIMPLE)
        if <size_t> self.view.buf & 7:
            PyBuffer_Release(&self.view)
            PyObject_GetBuffer(bytes(data), &self.view, PyBUF_SIMPLE)    # whose storage is aligned
        at = <const unsigned char*> self.view.buf
        size = self.view.len
        if size < HEADER.size:
            raise ConfigError(f"geo table: {size} bytes are shorter than its header of {HEADER.size}")
        fields = HEADER.unpack_from(self.view_bytes(0, HEADER.size))
        magic, version, flags, checksum, built, count_v4, count_v6, records, texts, facts, source_bytes, _ = fields
        if magic != MAGIC:
            raise ConfigError("geo table: not a compiled table of fastedge")
        if version != VERSION or flags & ~(FLAG_WIDE | FLAG_NARROW):
            raise ConfigError(
                f"geo table: version {version}, flags {flags}; this fastedge reads version {VERSION}: compile it again"
            )
        _check_count("IPv4 ranges", count_v4, geo_ranges_max)
        _check_count("IPv6 ranges", count_v6, geo_ranges_max)
        _check_count("records", records, 256 if flags & FLAG_NARROW else geo_records_max)
        _check_count("bytes of texts", texts, geo_texts_bytes_max)
        _check_count("bytes of source name", source_bytes, geo_source_bytes_max)
        self.built, self.count_v4, self.count_v6, self.records = built, count_v4, count_v6, records
        self.ranges_v4, self.ranges_v6, self.record_count = count_v4, count_v6, records
        self.facts = frozenset([name for i, name in enumerate(FACTS) if facts >> i & 1])
        self.texts_size = texts
        end = self.lay_out(at, HEADER.size, (flags & FLAG_WIDE) != 0, (flags & FLAG_NARROW) != 0, source_bytes)
        expected = _aligned(end) + 2 * COARSE_BYTES if is_shared else end
        if size < expected or (size > expected and not is_shared):
            raise ConfigError(f"geo table: {size} bytes, expected {expected}: truncated?")
        self.source = _text(self.view_bytes(end - source_bytes, end))
        if is_shared:
            self.coarse_v4 = <const uint32_t*> (at + <Py_ssize_t> _aligned(end))
            self.coarse_v6 = self.coarse_v4 + (BUCKETS + 1)
        else:
            if crc32(memoryview(data)[HEADER.size :]) != checksum:
                raise ConfigError("geo table: its checksum does not match: the file is damaged")
            self.check(countries)
            self.build_coarse()
        self.by_code = _by_code(countries)

    def __dealloc__(self):
        PyMem_Free(self.own_coarse)
        PyBuffer_Release(&self.view)

    @property
    def countries(self):
        """The codes of all that are in it."""
        cdef uint32_t i
        codes = set()
        for i in range(self.records):
            codes.add(self.rows[i].country)
        return tuple(sorted([(<GeoFacts> self.by_code[code]).country for code in codes - {0}]))

    def shared_form(self):
        """Its bytes, and behind them what others would have to work out; for memory that they all map."""
        cdef Py_ssize_t used = self.used
        return b"".join((
            self.view_bytes(0, used), bytes(_aligned(used) - used),
            PyBytes_FromStringAndSize(<const char*> self.coarse_v4, COARSE_BYTES),
            PyBytes_FromStringAndSize(<const char*> self.coarse_v6, COARSE_BYTES),
        ))

    cdef bytes view_bytes(self, Py_ssize_t first, Py_ssize_t end):
        return PyBytes_FromStringAndSize(<const char*> self.view.buf + first, end - first)

    cdef Py_ssize_t lay_out(
        self, const unsigned char* start, Py_ssize_t header, bint wide, bint narrow, Py_ssize_t source_bytes
    ) except -1:
        """Where everything is; gives the length of all of it."""
        cdef const unsigned char* at = start + header
        self.starts_v6 = <const uint64_t*>at
        at += 8 * <size_t>self.count_v6
        if wide:
            self.lows_v6 = <const uint64_t*>at
            at += 8 * <size_t>self.count_v6
        self.starts_v4 = <const uint32_t*>at
        at += 4 * <size_t>self.count_v4
        self.rows = <const Row*>at
        at += sizeof(Row) * <size_t>self.records
        if narrow:
            self.narrow_v4 = at
            self.narrow_v6 = at + self.count_v4
            at += <size_t>self.count_v4 + self.count_v6
        else:
            self.owners_v4 = <const uint32_t*>at
            self.owners_v6 = self.owners_v4 + self.count_v4
            at += 4 * (<size_t>self.count_v4 + self.count_v6)
        self.texts = <const char*>at
        self.used = (at - start) + <Py_ssize_t>self.texts_size + source_bytes
        return self.used

    cdef int check(self, countries) except -1:
        """Whatever passes here cannot make `find` read outside the arrays or give a wrong neighbour."""
        cdef uint32_t i
        cdef bint is_same
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
            if self.owner_v4(i) >= self.records:
                raise ConfigError(f"geo table: IPv4 range {i} leads to record {self.owner_v4(i)} of {self.records}")
        for i in range(self.count_v6):
            if self.owner_v6(i) >= self.records:
                raise ConfigError(f"geo table: IPv6 range {i} leads to record {self.owner_v6(i)} of {self.records}")
        return self.check_records(frozenset([code_of(code) for code in countries]))

    cdef int check_records(self, codes) except -1:
        cdef uint32_t i
        cdef const Row* row
        if self.texts[0] != 0:
            raise ConfigError("geo table: its first text is not the empty one")
        if self.rows[0].country or not _is_plain(self.rows):
            raise ConfigError("geo table: its first record is not the unknown one")
        for i in range(self.records):
            row = &self.rows[i]
            if row.country not in codes:
                raise ConfigError(
                    f"geo table: record {i} is of no country that this fastedge knows: compile the table again"
                )
            self.check_text(row.region)
            self.check_text(row.city)
            self.check_text(row.time_zone)
            self.check_text(row.organization)
        return 0

    cdef int check_text(self, uint32_t place) except -1:
        if place == 0:
            return 0
        if place >= self.texts_size or <unsigned char> self.texts[place] >= self.texts_size - place:
            raise ConfigError("geo table: a text goes beyond its end")
        _text(self.texts[place + 1 : place + 1 + <Py_ssize_t> <unsigned char> self.texts[place]])
        return 0

    cdef int build_coarse(self) except -1:
        """For each bucket of addresses the last range that starts at or before it: the search begins and ends there."""
        cdef uint32_t bucket, at
        cdef uint64_t first
        self.own_coarse = <uint32_t*>PyMem_Malloc(2 * COARSE_BYTES)
        if self.own_coarse == NULL:
            raise MemoryError
        cdef uint32_t* v4 = self.own_coarse
        cdef uint32_t* v6 = v4 + (BUCKETS + 1)
        self.coarse_v4, self.coarse_v6 = v4, v6
        at = 0
        for bucket in range(<uint32_t>BUCKETS):
            while at + 1 < self.count_v4 and self.starts_v4[at + 1] <= bucket << 16:
                at += 1
            v4[bucket] = at
        v4[BUCKETS] = self.count_v4 - 1
        at = 0
        for bucket in range(<uint32_t>BUCKETS + 1):
            first = (<uint64_t>GLOBAL_UNICAST << 61) + (<uint64_t>bucket << 45)
            while at + 1 < self.count_v6 and self.starts_v6[at + 1] <= first:
                at += 1
            v6[bucket] = at
        return 0

    cdef inline uint32_t owner_v4(self, uint32_t range) noexcept:
        return self.owners_v4[range] if self.narrow_v4 == NULL else self.narrow_v4[range]

    cdef inline uint32_t owner_v6(self, uint32_t range) noexcept:
        return self.owners_v6[range] if self.narrow_v6 == NULL else self.narrow_v6[range]

    cdef GeoFacts find(self, const unsigned char* packed):
        """The facts for 16 bytes in network order; an IPv4 address comes as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2)."""
        cdef uint64_t high = _u64(packed)
        cdef uint64_t low = _u64(packed + 8)
        cdef uint32_t address, bucket
        if high == 0 and low >> 32 == 0xFFFF:
            address = <uint32_t>low
            bucket = address >> 16
            return self.facts_of(
                self.owner_v4(_search(self.starts_v4, self.coarse_v4[bucket], self.coarse_v4[bucket + 1], address))
            )
        if self.lows_v6 != NULL:
            return self.facts_of(self.owner_v6(_search_wide(self.starts_v6, self.lows_v6, self.count_v6, high, low)))
        if high >> 61 == GLOBAL_UNICAST:
            bucket = <uint32_t>(high >> 45) & 0xFFFF
            return self.facts_of(
                self.owner_v6(_search(self.starts_v6, self.coarse_v6[bucket], self.coarse_v6[bucket + 1], high))
            )
        return self.facts_of(self.owner_v6(_search(self.starts_v6, 0, self.count_v6 - 1, high)))

    cdef GeoFacts facts_of(self, uint32_t record):
        """Whoever asks for a text gets it made; the object itself is a view of the record."""
        cdef const Row* row = &self.rows[record]
        cdef GeoFacts country = <GeoFacts> PyTuple_GET_ITEM(self.by_code, row.country)
        cdef GeoFacts facts
        if _is_plain(row):
            return country
        facts = GeoFacts.__new__(GeoFacts)
        facts.known, facts.asn, facts.table, facts.row = country.known, row.asn, self, row
        return facts

    cdef str text_at(self, uint32_t place):
        return PyUnicode_DecodeUTF8(self.texts + place + 1, <unsigned char> self.texts[place], NULL)

    def layout(self):
        """(IPv4 ranges, IPv6 ranges, the facts of each record): what it was compiled from."""
        cdef Ranges v4 = Ranges(), v6 = Ranges()
        cdef uint32_t i
        for i in range(self.count_v4):
            v4.put(0, self.starts_v4[i], self.owner_v4(i))
        for i in range(self.count_v6):
            v6.put(self.starts_v6[i], 0 if self.lows_v6 == NULL else self.lows_v6[i], self.owner_v6(i))
        return v4, v6, [self.facts_of(i) for i in range(self.records)]

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


@cython.final
cdef class GeoSlot:
    """The place of a table that is swapped while it is in use: whoever looks up gets an answer of the latest one."""

    def __init__(self, GeoTable table not None):
        self.table = table

    def swap(self, GeoTable table not None):
        self.table = table

    @property
    def facts(self):
        return self.table.facts

    @property
    def source(self):
        return self.table.source

    def lookup(self, str address not None):
        return self.table.lookup(address)

    def lookup_packed(self, bytes address not None):
        return self.table.lookup_packed(address)


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


cdef Py_ssize_t _aligned(Py_ssize_t size) noexcept:
    return (size + 7) // 8 * 8


cdef str _text(bytes raw):
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("geo table: one of its texts is not UTF-8") from None


cdef tuple _by_code(countries):
    """The facts object of each country, by its number; numbers that are no country's are unknown."""
    cells = [countries[""]] * CODES
    for code, facts in countries.items():
        cells[code_of(code)] = facts
    return tuple(cells)


cdef inline bint _is_plain(const Row* row) noexcept:
    """Whether it says a country, or nothing at all."""
    return row.region | row.city | row.time_zone | row.organization | row.asn == 0
