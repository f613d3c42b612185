from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef class GeoFacts:
    cdef readonly str country
    cdef readonly bytes country_bytes
    cdef readonly str continent
    cdef readonly bint is_eu
    cdef int code


cdef class GeoTable:
    cdef readonly str source
    cdef readonly object built
    cdef readonly object ranges_v4
    cdef readonly object ranges_v6
    cdef readonly tuple countries
    cdef object data
    cdef tuple facts
    cdef uint32_t count_v4
    cdef uint32_t count_v6
    cdef const uint32_t* starts_v4
    cdef const uint64_t* starts_v6
    cdef const uint64_t* lows_v6
    cdef const uint8_t* owners_v4
    cdef const uint8_t* owners_v6
    cdef uint32_t* coarse_v4
    cdef uint32_t* coarse_v6

    cdef GeoFacts find(self, const unsigned char* packed)
    cdef int lay_out(self, const unsigned char* start, bint wide) except -1
    cdef int check(self) except -1
    cdef int build_coarse(self) except -1


cdef int code_of(str country) except -1
