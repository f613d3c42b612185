"""How long a response is fresh and how old it is already when it comes (RFC 9111 §4.2), for a shared cache.

The world's clocks differ: a lifetime is a difference of two times of the origin's, an age never is less than what the
edge has measured itself.
"""

from cpython.bytes cimport PyBytes_AS_STRING

from fastedge._core.fields cimport AGE, DATE, EXPIRES, LAST_MODIFIED, FieldName, Fields, known
from fastedge._core.message cimport Plan
from fastedge.caching.directives cimport ABSENT, ResponseDirectives, response_directives, seconds_of
from fastedge.limits import cache_heuristic_s_max, cache_ttl_s_max
from fastedge.semantics.dates cimport parse_date

cdef double HEURISTIC_S_MAX = cache_heuristic_s_max
cdef double TTL_S_MAX = cache_ttl_s_max

cdef FieldName _AGE = known(AGE)
cdef FieldName _DATE = known(DATE)
cdef FieldName _EXPIRES = known(EXPIRES)
cdef FieldName _LAST_MODIFIED = known(LAST_MODIFIED)


def freshness(Plan plan not None, int status, Fields fields not None, double asked_s, double received_s):
    """The Python face of `freshness_of`."""
    cdef ResponseDirectives said
    cdef Freshness found
    response_directives(fields, &said)
    freshness_of(plan, status, fields, &said, asked_s, received_s, &found)
    return <dict> found


cdef int freshness_of(
    Plan plan, int status, Fields fields, ResponseDirectives* said, double asked_s, double received_s, Freshness* found
) except -1:
    """Of a response that was asked for and received at these times of the wall clock, in `found`."""
    cdef double date_s = _time_of(fields, _DATE, received_s)
    if date_s < 0:      # absent or broken: RFC 9110 §6.6.1 has the recipient take the time it came
        date_s = received_s
    found.basis = _set_lifetime(plan, status, fields, said, date_s, received_s, &found.lifetime_s)
    found.initial_age_s = _initial_age_s(fields, date_s, asked_s, received_s)
    found.stale_while_revalidate_s = _window_s(plan.stale_while_revalidate, said.stale_while_revalidate_s)
    found.stale_if_error_s = _window_s(plan.stale_if_error, said.stale_if_error_s)
    return 0


cdef Basis _set_lifetime(
    Plan plan, int status, Fields fields, ResponseDirectives* said, double date_s, double received_s, double* lifetime_s
) except *:
    cdef object by_status
    if plan.ttl is not None:
        lifetime_s[0] = plan.ttl
        return BY_TTL
    if is_explicit(fields, said):
        lifetime_s[0] = _explicit_s(fields, said, date_s, received_s)
        return BY_ORIGIN
    by_status = ttl_by_status(plan, status)
    if by_status is not None:
        lifetime_s[0] = by_status
        return BY_STATUS
    lifetime_s[0] = 0
    if not (is_heuristically_cacheable(status) or said.is_public):
        return NO_BASIS
    if plan.default_ttl is not None:
        lifetime_s[0] = plan.default_ttl
        return BY_DEFAULT
    lifetime_s[0] = _guess_s(fields, date_s, received_s)
    return BY_GUESS if lifetime_s[0] > 0 else NO_BASIS


cdef bint is_explicit(Fields fields, ResponseDirectives* said) except -1:
    """Whether the origin says itself how long it is fresh (§4.2.1)."""
    return said.s_maxage_s != ABSENT or said.max_age_s != ABSENT or (
        not said.targeted and fields.may_have(EXPIRES) and fields.find(_EXPIRES) is not None
    )


cdef double _explicit_s(Fields fields, ResponseDirectives* said, double date_s, double received_s) except -1:
    """§4.2.1, in its order. An Expires that is no date is a time in the past (§5.3), of two the first counts."""
    if said.s_maxage_s != ABSENT:
        return said.s_maxage_s
    if said.max_age_s != ABSENT:
        return said.max_age_s
    return min(max(_time_of(fields, _EXPIRES, received_s) - date_s, 0), TTL_S_MAX)


cdef object ttl_by_status(Plan plan, int status):
    """What the plan says of this status, or None."""
    if plan.status_ttls is not None:
        for first, last, seconds in plan.status_ttls:
            if first <= status <= last:
                return seconds
    return None


cdef double _guess_s(Fields fields, double date_s, double received_s) except -1:
    """A tenth of the time since the last modification (§4.2.2)."""
    cdef double modified_s = _time_of(fields, _LAST_MODIFIED, received_s)
    return min(max(date_s - modified_s, 0) / 10, HEURISTIC_S_MAX) if modified_s >= 0 else 0


cdef bint is_heuristically_cacheable(int status) noexcept:
    """RFC 9110 §15.1."""
    return status in (200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501)


cdef double _initial_age_s(Fields fields, double date_s, double asked_s, double received_s) except -1:
    """§4.2.3. A Date in the future, and a clock that was set back meanwhile, make nothing younger than Age says."""
    cdef double apparent_age_s = max(received_s - date_s, 0)
    cdef double delay_s = max(received_s - asked_s, 0)
    return max(apparent_age_s, _age_s(fields) + delay_s)


cdef double _age_s(Fields fields) except -1:
    """Age's first member, 0 where that is no number of seconds (§5.1)."""
    cdef bytes value
    if not fields.may_have(AGE):
        return 0
    value = fields.find(_AGE)
    if value is None:
        return 0
    value = value.partition(b",")[0].strip(b" \t")
    return max(seconds_of(PyBytes_AS_STRING(value), len(value)), 0)


cdef double _window_s(object by_plan, double said_s) except -1:
    return by_plan if by_plan is not None else max(said_s, 0)


cdef double _time_of(Fields fields, FieldName name, double now) except? -1:
    """The date in the first line of that name; -1 where there is none."""
    cdef bytes value = fields.find(name) if fields.may_have(name.id) else None
    return -1 if value is None else parse_date(PyBytes_AS_STRING(value), len(value), now)
