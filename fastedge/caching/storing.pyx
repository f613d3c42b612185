"""May this response be stored, by a cache that many clients share (RFC 9111 §3)? With it, all that is worth knowing of it later.

Each rule that says no has its reason, and none is overruled by a later one.
"""

cimport cython
from libc.stdint cimport uint32_t

from fastedge._core.fields cimport (
    ACCEPT_RANGES, AUTHORIZATION, CACHE_CONTROL, CDN_CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, COOKIE,
    EDGE_CACHE_CONTROL, ETAG, EXPIRES, LAST_MODIFIED, SET_COOKIE, SURROGATE_CONTROL, VARY, FieldName, Fields, intern_text, known,
)
from fastedge._core.message cimport Plan, Request
from fastedge._core.stored cimport (
    AUTHORIZED, ENCODED, HAS_ETAG, HAS_LAST_MODIFIED, HEURISTIC, IMMUTABLE, MUST_REVALIDATE, NO_CACHE, NO_RANGES,
)
from fastedge.caching.directives cimport ABSENT, ResponseDirectives, response_directives
from fastedge.caching.freshness cimport (
    BY_GUESS, BY_ORIGIN, BY_TTL, Freshness, freshness_of, is_explicit, is_heuristically_cacheable, ttl_by_status,
)
from fastedge.caching.reuse cimport forbids_store
from fastedge.caching.tags cimport names_of
from fastedge.caching.vary cimport is_varied, objection, pack, reaches_origin

# The reasons of this module; a plan that a stage made unstorable has its own. What is too large is known when it comes.
REASONS = (
    "policy", "method", "request_no_store", "range", "status", "must_understand", "origin_no_store", "private", "authorization",
    "set_cookie", "vary_star", "vary_edge", "vary_fields", "cookie", "no_freshness", "tags",
)

cdef unsigned long long ABOUT_STORING = (
    1ULL << EXPIRES | 1ULL << SET_COOKIE | 1ULL << VARY | 1ULL << LAST_MODIFIED | 1ULL << CDN_CACHE_CONTROL
    | 1ULL << EDGE_CACHE_CONTROL | 1ULL << SURROGATE_CONTROL
)
cdef FieldName _CACHE_CONTROL = known(CACHE_CONTROL)
cdef FieldName _ACCEPT_RANGES = known(ACCEPT_RANGES)
cdef FieldName _AUTHORIZATION = known(AUTHORIZATION)
cdef FieldName _CONTENT_ENCODING = known(CONTENT_ENCODING)
cdef FieldName _CONTENT_RANGE = known(CONTENT_RANGE)
cdef FieldName _COOKIE = known(COOKIE)
cdef FieldName _ETAG = known(ETAG)
cdef FieldName _LAST_MODIFIED = known(LAST_MODIFIED)
cdef FieldName _SET_COOKIE = known(SET_COOKIE)
cdef FieldName _VARY = known(VARY)

# Of RFC 9110 §15 and 451, whose requirements for caches are met here.
cdef frozenset _UNDERSTOOD = frozenset((
    *range(200, 206), *range(300, 304), 305, 307, 308, *range(400, 416), 417, 421, 422, 426, 451, *range(500, 506),
))
# 304 is an update, 428, 429, 431 and 511 must not be stored (RFC 6585).
cdef frozenset _NEVER = frozenset((304, 428, 429, 431, 511))


# What is known of a response while it is assessed.
cdef struct Answer:
    int status
    ResponseDirectives said
    Freshness freshness
    bint authorized


@cython.final
@cython.freelist(64)
cdef class Assessment:
    """What `assess` found. Where there is a `reason`, the rest says nothing."""

    @property
    def not_stored(self):
        """The names of the fields whose lines are not to be stored."""
        return [(<FieldName> name).text for name in self.left_out or ()]


def assessment(
    Request request not None, Plan plan not None, int status, Fields fields not None, nominated, double asked_s, double received_s
):
    """The Python face of `assess`."""
    return assess(request, plan, status, fields, [intern_text(name) for name in nominated], asked_s, received_s)


cdef Assessment assess(
    Request request, Plan plan, int status, Fields fields, list nominated, double asked_s, double received_s
):
    """`status` and `fields` are the answer's (after a 304: the stored status, the merged fields), `nominated` the FieldNames
    in its Connection, or None; the moments are of the wall clock. No `reason` means that it may be stored."""
    cdef Assessment found = Assessment.__new__(Assessment)
    cdef Answer answer
    cdef bytes vary
    answer.status = status
    found.left_out = response_directives(fields, &answer.said)
    vary = fields.combined(_VARY) if fields.may_have(VARY) else None
    found.reason = (
        _reason_of_request(request, plan)
        or _reason_of_answer(request, plan, fields, found.left_out, &answer)
        or objection(vary)
    )
    if found.reason is None:
        found.vary = pack(vary, request, plan)
        freshness_of(plan, status, fields, &answer.said, asked_s, received_s, &answer.freshness)
        _take_freshness(found, &answer.freshness)
        found.flags = _flags_of(plan, fields, nominated, found.left_out, &answer)
        found.reason = _reason_of_freshness(request, plan, fields, found, &answer)
    if found.reason is None:
        found.names = names_of(request, plan, fields)
        found.reason = "tags" if found.names is None else None
    return found


cdef str _reason_of_request(Request request, Plan plan):
    if plan.cache_mode == "bypass":
        return "policy"
    if plan.unstorable is not None:
        return plan.unstorable or "policy"
    if request.method_wire != b"GET" and request.method_wire != b"HEAD":    # a HEAD freshens what a GET has stored
        return "method"
    if not plan.ignores_request and forbids_store(request):
        return "request_no_store"
    return None


cdef str _reason_of_answer(Request request, Plan plan, Fields fields, list left_out, Answer* answer):
    """What the status and the directives say, before freshness is looked at."""
    cdef ResponseDirectives* said = &answer.said
    answer.authorized = reaches_origin(_AUTHORIZATION, request, plan)
    if answer.status in (206, 416) or (fields.may_have(CONTENT_RANGE) and fields.count(_CONTENT_RANGE)):
        return "range"
    if answer.status < 200 or answer.status in _NEVER:
        return "status"
    if said.must_understand:    # no-store beside it is for caches that do not (§5.2.2.3)
        if answer.status not in _UNDERSTOOD:
            return "must_understand"
    elif said.no_store:
        return "origin_no_store"
    if said.is_private:
        return "private"
    if answer.authorized and not (said.is_public or said.must_revalidate or said.s_maxage_s != ABSENT):     # §3.5
        return "authorization"
    if _is_kept(fields, SET_COOKIE, _SET_COOKIE, None, left_out):
        return "set_cookie"
    return None


cdef str _reason_of_freshness(Request request, Plan plan, Fields fields, Assessment found, Answer* answer):
    cdef ResponseDirectives* said = &answer.said
    cdef bint is_vouched_for = said.is_public or answer.freshness.basis in (BY_ORIGIN, BY_TTL)
    if not (is_heuristically_cacheable(answer.status) or said.is_public or is_explicit(fields, said)
            or ttl_by_status(plan, answer.status) is not None):
        return "status"
    # A page that nobody said is for all may be for the one who sent this cookie.
    if not (is_vouched_for or plan.ignores_cookies or is_varied(found.vary, _COOKIE)) and reaches_origin(_COOKIE, request, plan):
        return "cookie"
    return None if _is_worth_storing(found) else "no_freshness"


cdef bint _is_worth_storing(Assessment found) noexcept:
    """Whether it can be validated, or be sent for a while without that."""
    cdef double window_s = 0
    if found.flags & (HAS_ETAG | HAS_LAST_MODIFIED):
        return True
    if not found.flags & MUST_REVALIDATE:
        window_s = max(found.stale_while_revalidate_s, found.stale_if_error_s)
    return not found.flags & NO_CACHE and found.lifetime_s + window_s > found.initial_age_s


cdef bint _opens_a_window(Plan plan, ResponseDirectives* said) noexcept:
    """Whether a stale window is asked for by name: then s-maxage beside it (§5.2.2.10) is not meant to forbid it."""
    return (
        said.stale_while_revalidate_s != ABSENT or said.stale_if_error_s != ABSENT
        or plan.stale_while_revalidate is not None or plan.stale_if_error is not None
    )


cdef int _take_freshness(Assessment found, Freshness* freshness) noexcept:
    found.lifetime_s = freshness.lifetime_s
    found.initial_age_s = freshness.initial_age_s
    found.stale_while_revalidate_s = freshness.stale_while_revalidate_s
    found.stale_if_error_s = freshness.stale_if_error_s
    return 0


cdef uint32_t _flags_of(Plan plan, Fields fields, list nominated, list left_out, Answer* answer) except? 0:
    cdef ResponseDirectives* said = &answer.said
    cdef bytes unit
    cdef uint32_t flags = 0
    if said.must_revalidate or said.proxy_revalidate or (said.s_maxage_s != ABSENT and not _opens_a_window(plan, said)):
        flags |= MUST_REVALIDATE
    if said.no_cache and plan.ttl is None:
        flags |= NO_CACHE
    if said.is_immutable:
        flags |= IMMUTABLE
    if answer.freshness.basis == BY_GUESS:
        flags |= HEURISTIC
    if answer.authorized:
        flags |= AUTHORIZED
    if _is_kept(fields, ETAG, _ETAG, nominated, left_out):
        flags |= HAS_ETAG
    if _is_kept(fields, LAST_MODIFIED, _LAST_MODIFIED, nominated, left_out):
        flags |= HAS_LAST_MODIFIED
    if _is_kept(fields, CONTENT_ENCODING, _CONTENT_ENCODING, nominated, left_out):
        flags |= ENCODED
    if fields.may_have(ACCEPT_RANGES):
        unit = fields.combined(_ACCEPT_RANGES)
        if unit is not None and unit.lower() == b"none":
            flags |= NO_RANGES
    return flags


cdef bint _is_kept(Fields fields, int field_id, FieldName name, list nominated, list left_out) except -1:
    """Whether lines of that name are there and would be stored."""
    return (
        fields.may_have(field_id) and fields.count(name) > 0
        and (nominated is None or name not in nominated) and (left_out is None or name not in left_out)
    )


cdef tuple said_of_sharing(int status, Fields fields):
    """What an answer says about being stored, for a comparison with the next one."""
    return status, fields.seen & ABOUT_STORING, fields.combined(_CACHE_CONTROL)
