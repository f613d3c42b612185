"""Entity-tags (RFC 9110 §8.8.3), and what a request's conditions say of a stored response (§13).

What is no entity-tag and no date validates nothing; an entity-tag without its quotes, which some origins send, is still
equal to itself for weak comparison.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memcmp

from fastedge._core.fields cimport (
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, FieldName, Fields, known,
)
from fastedge._core.message cimport Request
from fastedge.semantics.dates cimport parse_date

cdef struct Tag:
    const char* at      # without W/
    Py_ssize_t size
    bint weak

ctypedef bint (*Comparison)(Tag one, Tag other) noexcept

cdef FieldName _IF_MATCH = known(IF_MATCH)
cdef FieldName _IF_NONE_MATCH = known(IF_NONE_MATCH)
cdef FieldName _IF_MODIFIED_SINCE = known(IF_MODIFIED_SINCE)
cdef FieldName _IF_UNMODIFIED_SINCE = known(IF_UNMODIFIED_SINCE)
cdef FieldName _IF_RANGE = known(IF_RANGE)

cdef unsigned long long _PRECONDITIONS = 0
for _field_id in (IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE):
    _PRECONDITIONS |= <unsigned long long> 1 << <int> _field_id


# --- preconditions (§13.2.2) -----------------------------------------------------------------------------------------


cdef Outcome evaluate(Request request, int status, bytes etag, bytes last_modified, bytes date, double now) except *:
    """What the preconditions of a GET or HEAD make of a stored response. They mean something for a 200 only (§13.2.1).

    If-Match and If-Unmodified-Since are an origin's to refuse (RFC 9111 §4.3.2): where they have FAILED, it can be asked.
    """
    if status != 200 or not request.fields.seen & _PRECONDITIONS:
        return PASSES
    if _has_changed(request.fields, etag, last_modified, now):
        return FAILED
    return NOT_MODIFIED if _is_known(request.fields, etag, last_modified, date, now) else PASSES


cdef bint _has_changed(Fields fields, bytes etag, bytes last_modified, double now) except -1:
    """By If-Match, else by If-Unmodified-Since."""
    cdef bytes listed = _asked(fields, _IF_MATCH)
    cdef double since
    if listed is not None:
        return not _names(listed, etag, _same_strong)
    since = _moment(_asked(fields, _IF_UNMODIFIED_SINCE), now)
    return since >= 0 and _moment(last_modified, now) > since


cdef bint _is_known(Fields fields, bytes etag, bytes last_modified, bytes date, double now) except -1:
    """By If-None-Match, else by If-Modified-Since, for which Date is as good as Last-Modified (RFC 9111 §4.3.2)."""
    cdef bytes listed = _asked(fields, _IF_NONE_MATCH)
    cdef double since
    if listed is not None:
        return _names(listed, etag, _same_weak)
    since = _moment(_asked(fields, _IF_MODIFIED_SINCE), now)
    return since >= 0 and 0 <= _moment(date if last_modified is None else last_modified, now) <= since


cdef inline bytes _asked(Fields fields, FieldName name):
    return fields.combined(name) if fields.may_have(name.id) else None


cdef inline double _moment(bytes value, double now) noexcept:
    """Seconds since 1970; -1.0 for what is missing or no date."""
    return -1.0 if value is None else parse_date(PyBytes_AS_STRING(value), len(value), now)


cdef bint range_applies(Request request, bytes etag, bytes last_modified, bytes date, double now) except -1:
    """Whether If-Range, if there is one, lets Range have its way (§13.1.5)."""
    cdef bytes validator = _asked(request.fields, _IF_RANGE)
    if validator is None or strongly_equal(validator, etag):
        return True
    return validator == last_modified and _is_strong(last_modified, date, now)


cdef bint _is_strong(bytes last_modified, bytes date, double now) noexcept:
    """Whether the second of Last-Modified was over when the response was made: else it may have seen two (§8.8.2.2)."""
    cdef double modified = _moment(last_modified, now)
    return modified >= 0 and _moment(date, now) >= modified + 1


# --- entity-tags (§8.8.3) --------------------------------------------------------------------------------------------


cdef bint strongly_equal(bytes one, bytes other) noexcept:
    """Strong comparison (§8.8.3.2); None is equal to nothing."""
    return one is not None and other is not None and _same_strong(_tag(one), _tag(other))


cdef bint weakly_equal(bytes one, bytes other) noexcept:
    """Weak comparison (§8.8.3.2); None is equal to nothing."""
    return one is not None and other is not None and _same_weak(_tag(one), _tag(other))


cdef bint _names(bytes listed, bytes etag, Comparison same) noexcept:
    """Whether a list of entity-tags has this one in it; "*" has whatever there is."""
    cdef const char* at = PyBytes_AS_STRING(listed)
    cdef const char* end = at + len(listed)
    cdef Tag tag, stored
    if len(listed) == 1 and at[0] == c"*":
        return True
    if etag is None:
        return False
    stored = _tag(etag)
    while _next_tag(&at, end, &tag):
        if same(tag, stored):
            return True
    return False


cdef bint _next_tag(const char** at, const char* end, Tag* tag) noexcept:
    """The next member of a list, which ends at a comma outside of quotes; False behind the last."""
    cdef const char* start
    cdef bint quoted = False
    while at[0] < end and (_is_blank(at[0][0]) or at[0][0] == c","):
        at[0] += 1
    start = at[0]
    while at[0] < end and (quoted or at[0][0] != c","):
        quoted ^= at[0][0] == c'"'
        at[0] += 1
    tag[0] = _trimmed(start, at[0])
    return at[0] > start


cdef Tag _trimmed(const char* start, const char* stop) noexcept:
    while stop > start and _is_blank((stop - 1)[0]):
        stop -= 1
    return _tag_of(start, stop - start)


cdef inline bint _is_blank(char c) noexcept:
    return c == c" " or c == c"\t"


cdef inline Tag _tag(bytes value) noexcept:
    return _tag_of(PyBytes_AS_STRING(value), len(value))


cdef inline Tag _tag_of(const char* at, Py_ssize_t size) noexcept:
    cdef bint weak = size >= 2 and at[0] == c"W" and at[1] == c"/"  # a small w is no prefix
    return Tag(at + 2, size - 2, True) if weak else Tag(at, size, False)


cdef bint _same_strong(Tag one, Tag other) noexcept:
    return not one.weak and not other.weak and _is_quoted(one) and _same_weak(one, other)


cdef bint _same_weak(Tag one, Tag other) noexcept:
    return one.size > 0 and one.size == other.size and memcmp(one.at, other.at, one.size) == 0


cdef inline bint _is_quoted(Tag tag) noexcept:
    return tag.size >= 2 and tag.at[0] == c'"' and tag.at[tag.size - 1] == c'"'


# --- Python face -----------------------------------------------------------------------------------------------------


def compares_strongly(bytes one, bytes other):
    """`strongly_equal`, for tests and tools."""
    return strongly_equal(one, other)


def compares_weakly(bytes one, bytes other):
    """`weakly_equal`, for tests and tools."""
    return weakly_equal(one, other)


def outcome(
    Request request not None, *, int status=200, bytes etag=None, bytes last_modified=None, bytes date=None, double now=0.0
):
    """`evaluate`, for tests and tools: the Outcome's name."""
    return ("PASSES", "NOT_MODIFIED", "FAILED")[<int> evaluate(request, status, etag, last_modified, date, now)]


def applies_range(
    Request request not None, *, bytes etag=None, bytes last_modified=None, bytes date=None, double now=0.0
):
    """`range_applies`, for tests and tools."""
    return range_applies(request, etag, last_modified, date, now)
