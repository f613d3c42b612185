from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    CODES = 677     # unknown, and every pair of letters: what code_of gives

cdef packed struct Row:
    uint16_t country
    uint16_t reserved
    uint32_t region
    uint32_t city
    uint32_t time_zone
    uint32_t organization
    uint32_t asn


cdef class Country:
    cdef int number             # as code_of has it
    cdef str code
    cdef bytes wire
    cdef str continent
    cdef bint is_eu


cdef class GeoFacts:
    cdef Country known
    cdef readonly uint32_t asn
    cdef tuple texts            # region, city, time zone, organization; None where they stand in `row` of `table`
    cdef GeoTable table
    cdef const Row* row


cdef class GeoTable:
    cdef readonly str source
    cdef readonly object built
    cdef readonly object ranges_v4
    cdef readonly object ranges_v6
    cdef readonly object record_count
    cdef readonly frozenset facts
    cdef Py_buffer view
    cdef Py_ssize_t used            # bytes of the compiled form
    cdef tuple by_code              # GeoFacts of each country
    cdef uint32_t count_v4
    cdef uint32_t count_v6
    cdef uint32_t records
    cdef uint32_t texts_size
    cdef const uint32_t* starts_v4
    cdef const uint64_t* starts_v6
    cdef const uint64_t* lows_v6
    cdef const Row* rows
    cdef const uint32_t* owners_v4
    cdef const uint32_t* owners_v6
    cdef const uint8_t* narrow_v4   # in place of owners_v4, with FLAG_NARROW
    cdef const uint8_t* narrow_v6
    cdef const char* texts
    cdef const uint32_t* coarse_v4
    cdef const uint32_t* coarse_v6
    cdef uint32_t* own_coarse       # NULL: they are in `view`

    cdef GeoFacts find(self, const unsigned char* packed)
    cdef GeoFacts facts_of(self, uint32_t record)
    cdef str text_at(self, uint32_t place)
    cdef bytes view_bytes(self, Py_ssize_t first, Py_ssize_t end)
    cdef Py_ssize_t lay_out(self, const unsigned char* start, Py_ssize_t header, bint wide, bint narrow, Py_ssize_t source_bytes) except -1
    cdef int check(self, countries) except -1
    cdef int check_records(self, codes) except -1
    cdef int check_text(self, uint32_t place) except -1
    cdef int build_coarse(self) except -1
    cdef uint32_t owner_v4(self, uint32_t range) noexcept
    cdef uint32_t owner_v6(self, uint32_t range) noexcept


cdef class GeoSlot:
    cdef readonly GeoTable table


cdef int code_of(str country) except -1
