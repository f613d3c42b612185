"""May a stored response be sent (RFC 9111 §4), now, beside a validation, or only after one? A request without Cache-Control
and Pragma pays for none of their rules."""

from fastedge._core.fields cimport CACHE_CONTROL, PRAGMA
from fastedge._core.message cimport Plan, Request
from fastedge._core.stored cimport IMMUTABLE, MUST_REVALIDATE, NO_CACHE, Stored
from fastedge.caching.directives cimport ABSENT, RequestDirectives, request_directives

_USES = ("fresh", "refresh", "validate")


def use(assessment, double age_s, Request request not None, Plan plan not None, bint softly_purged):
    """The Python face of `use_of`, for what was stored as it was assessed."""
    return _USES[use_of(_stored(assessment), age_s, request, plan, softly_purged)]


def stands_in(assessment, double age_s, Request request not None, Plan plan not None):
    """The Python face of `may_stand_in`."""
    return may_stand_in(_stored(assessment), age_s, request, plan)


def is_only_if_cached(Request request not None):
    """The Python face of `only_if_cached`."""
    return only_if_cached(request)


def is_store_forbidden(Request request not None):
    """The Python face of `forbids_store`."""
    return forbids_store(request)


cdef Stored _stored(object assessment):
    cdef Stored stored = Stored.__new__(Stored)
    stored.lifetime_s = assessment.lifetime_s
    stored.stale_while_revalidate_s = assessment.stale_while_revalidate_s
    stored.stale_if_error_s = assessment.stale_if_error_s
    stored.flags = assessment.flags
    return stored


cdef Use use_of(Stored stored, double age_s, Request request, Plan plan, bint softly_purged) except *:
    """Of a stored response whose key and Vary match. One that was softly purged is stale, whatever its age."""
    cdef RequestDirectives asked
    cdef double stale_s = age_s - stored.lifetime_s
    cdef bint is_fresh = stale_s < 0 and not softly_purged
    if stored.flags & NO_CACHE:
        return VALIDATE
    if _has_wishes(request, plan):
        request_directives(request.fields, &asked)
        if _is_refused(stored, age_s, is_fresh, &asked):
            return VALIDATE
        if stale_s <= asked.max_stale_s and not softly_purged and not stored.flags & MUST_REVALIDATE:
            return FRESH
    if is_fresh:
        return FRESH
    if stored.flags & MUST_REVALIDATE:
        return VALIDATE
    return REFRESH if max(stale_s, 0) < stored.stale_while_revalidate_s else VALIDATE


cdef bint may_stand_in(Stored stored, double age_s, Request request, Plan plan) except -1:
    """Whether it may be sent because the origin fails (RFC 5861 §4): still fresh, or stale within a window that the origin,
    the plan or the client opens, and nothing that it said forbids (RFC 9111 §4.2.4)."""
    cdef RequestDirectives asked
    cdef double stale_s = age_s - stored.lifetime_s
    cdef double window_s = stored.stale_if_error_s
    if stored.flags & NO_CACHE or (stale_s >= 0 and stored.flags & MUST_REVALIDATE):
        return False
    if _has_wishes(request, plan):
        request_directives(request.fields, &asked)
        if _is_refused(stored, age_s, stale_s < 0, &asked):
            return False
        window_s = max(window_s, asked.stale_if_error_s, asked.max_stale_s)
    return stale_s < window_s


cdef bint _is_refused(Stored stored, double age_s, bint is_fresh, RequestDirectives* asked) noexcept:
    """Whether the client wants something fresher (§5.2.1). A reload's max-age does not reach past an immutable response
    while that is fresh (RFC 8246 §2.1)."""
    if asked.no_cache:
        return True
    if asked.min_fresh_s != ABSENT and stored.lifetime_s - age_s < asked.min_fresh_s:
        return True
    return asked.max_age_s != ABSENT and age_s > asked.max_age_s and not (is_fresh and stored.flags & IMMUTABLE)


cdef inline bint _has_wishes(Request request, Plan plan) noexcept:
    return not plan.ignores_request and (request.fields.may_have(CACHE_CONTROL) or request.fields.may_have(PRAGMA))


cdef bint only_if_cached(Request request) except -1:
    """Whether a 504 is wanted rather than a trip to the origin (§5.2.1.7)."""
    cdef RequestDirectives asked
    if not request.fields.may_have(CACHE_CONTROL):
        return False
    request_directives(request.fields, &asked)
    return asked.only_if_cached


cdef bint forbids_store(Request request) except -1:
    """no-store (§5.2.1.5)."""
    cdef RequestDirectives asked
    if not request.fields.may_have(CACHE_CONTROL):
        return False
    request_directives(request.fields, &asked)
    return asked.no_store
