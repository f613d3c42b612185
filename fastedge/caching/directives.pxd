from fastedge._core.fields cimport Fields

cdef enum:
    ABSENT = -1         # of a directive with seconds


cdef struct ResponseDirectives:
    bint no_store
    bint no_cache               # without field names
    bint is_private             # without field names
    bint is_public
    bint must_revalidate
    bint proxy_revalidate
    bint must_understand
    bint is_immutable           # RFC 8246
    double max_age_s            # ABSENT, or up to cache_ttl_s_max
    double s_maxage_s
    double stale_while_revalidate_s     # RFC 5861
    double stale_if_error_s
    bint targeted               # they come from a targeted field (RFC 9213): Expires has no say


cdef struct RequestDirectives:
    bint no_cache               # or Pragma: no-cache, where there is no Cache-Control
    bint no_store
    bint only_if_cached
    double max_age_s            # ABSENT, or seconds
    double min_fresh_s
    double max_stale_s          # infinite where it came without an argument
    double stale_if_error_s     # RFC 5861 §4


cdef list response_directives(Fields fields, ResponseDirectives* said)
cdef int request_directives(Fields fields, RequestDirectives* said) except -1
cdef double seconds_of(const char* at, Py_ssize_t size) noexcept
