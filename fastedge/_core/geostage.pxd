from libc.stdint cimport uint32_t

from fastedge._core.fields cimport FieldName
from fastedge._core.geotable cimport CODES, GeoFacts
from fastedge._core.message cimport Context, OriginField
from fastedge._core.pipeline cimport NativeStage

cdef enum Fact:
    COUNTRY
    CONTINENT
    IS_EU
    REGION
    CITY
    TIME_ZONE
    ASN
    ORGANIZATION


cdef class RouteByPlace(NativeStage):
    cdef tuple by_country       # of (origin, fallbacks) or None
    cdef dict by_region
    cdef dict by_asn


cdef class GateByPlace(NativeStage):
    cdef unsigned char refused[CODES]
    cdef frozenset regions
    cdef frozenset asns
    cdef bint refuses_listed
    cdef int status
    cdef bytes body


cdef class TellFacts(NativeStage):
    cdef readonly tuple reserved_fields
    cdef list facts             # Fact numbers, in the order of `names`
    cdef list names             # of FieldName
    cdef list keyed


cdef object geo_of(Context ctx)
cdef bytes fact_of(Context ctx, int fact)
