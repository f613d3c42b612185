from fastedge._core.fields cimport Fields
from fastedge._core.message cimport Plan
from fastedge.caching.directives cimport ResponseDirectives

cdef enum Basis:
    NO_BASIS = 0
    BY_ORIGIN           # explicit: s-maxage, max-age or Expires
    BY_TTL              # the plan's, whatever the origin said
    BY_STATUS           # the plan's for this status
    BY_DEFAULT          # the plan's, where the origin says nothing
    BY_GUESS            # RFC 9111 §4.2.2


cdef struct Freshness:
    double lifetime_s
    double initial_age_s                # corrected_initial_age (§4.2.3)
    double stale_while_revalidate_s
    double stale_if_error_s
    Basis basis                         # of the lifetime


cdef int freshness_of(
    Plan plan, int status, Fields fields, ResponseDirectives* said, double asked_s, double received_s, Freshness* found
) except -1
cdef object ttl_by_status(Plan plan, int status)
cdef bint is_explicit(Fields fields, ResponseDirectives* said) except -1
cdef bint is_heuristically_cacheable(int status) noexcept
