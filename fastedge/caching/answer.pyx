"""What a client gets of a stored response: all of it, 304, 416 or a part (RFC 9110 §13, §14). Pure.

The stored response is never edited: what response hooks will touch is a copy of its fields.
"""

from fastedge._core.fields cimport (
    DATE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE, FieldName, Fields, intern_text, known,
)
from fastedge._core.message cimport Request, Response, make_response
from fastedge._core.stored cimport NO_RANGES, Stored
from fastedge._core.storedhead cimport fields_of, head_value
from fastedge.semantics.ranges cimport Ranges, content_range, multipart_type, parse_ranges, part_heads, unsatisfied_range
from fastedge.semantics.validators cimport NOT_MODIFIED, Outcome, evaluate, range_applies

ASKS_FOR_LESS = (
    1ULL << IF_NONE_MATCH | 1ULL << IF_MODIFIED_SINCE | 1ULL << IF_RANGE | 1ULL << RANGE
)
cdef FieldName _DATE = known(DATE)
cdef FieldName _ETAG = known(ETAG)
cdef FieldName _LAST_MODIFIED = known(LAST_MODIFIED)
cdef FieldName _RANGE = known(RANGE)
cdef FieldName _CONTENT_RANGE = intern_text("content-range")
cdef FieldName _CONTENT_TYPE = intern_text("content-type")
# What describes a content that a 304 or a 416 has not (RFC 9110 §15.4.5).
cdef tuple _OF_THE_CONTENT = (
    _CONTENT_TYPE, intern_text("content-encoding"), intern_text("content-language"), intern_text("accept-ranges"),
)


cdef Response answer_of(Stored stored, Request request, object content, double now, bint is_edited, Part* part):
    """The answer to a GET or HEAD. `content` is the stored body, or STREAM while it is still arriving; `part` says which
    of its bytes are meant. `is_edited`: response hooks will edit the fields."""
    cdef Response response
    part.first, part.count = 0, -1
    if request.fields.seen & ASKS_FOR_LESS and stored.status == 200:
        response = _less(stored, request, content, now, part)
        if response is not None:
            return response
    return whole_of(stored, content, is_edited, part)


cdef Response whole_of(Stored stored, object content, bint is_edited, Part* part):
    """All of it, whatever was asked for."""
    part.first, part.count = 0, -1
    return _answer(stored, stored.status, fields_of(stored.head) if is_edited else None, content)


cdef Response _less(Stored stored, Request request, object content, double now, Part* part):
    """What a condition or a range makes of it; None where all of it is to be sent."""
    cdef bytes etag = head_value(stored.head, _ETAG), modified = head_value(stored.head, _LAST_MODIFIED)
    cdef bytes date = head_value(stored.head, _DATE)
    cdef Outcome outcome = evaluate(request, stored.status, etag, modified, date, now)
    if outcome == NOT_MODIFIED:
        return _without_content(stored, 304)
    if (
        request.method_wire == b"GET" and request.fields.may_have(RANGE) and stored.length >= 0
        and not stored.flags & NO_RANGES and range_applies(request, etag, modified, date, now)
    ):
        return _part(stored, request.fields.combined(_RANGE), content, part)
    return None


cdef Response _part(Stored stored, bytes asked, object content, Part* part):
    """206, 416, or None where the range is as good as none: several of what cannot be cut here are answered by all of it."""
    cdef Ranges ranges = None if asked is None else parse_ranges(asked, stored.length)
    cdef Response response
    cdef Fields fields
    if ranges is None or (ranges.count > 1 and type(content) is not bytes):
        return None
    if ranges.count == 0:
        response = _without_content(stored, 416)
        response.fields.put(_CONTENT_RANGE, unsatisfied_range(stored.length))
        return response
    fields = fields_of(stored.head)
    if ranges.count > 1:
        return _answer(stored, 206, fields, _several(stored, ranges, <bytes> content, fields))
    part.first = ranges.spans[0].first
    part.count = ranges.spans[0].last - part.first + 1
    fields.put(_CONTENT_RANGE, content_range(part.first, ranges.spans[0].last, stored.length))
    if type(content) is bytes:
        content = (<bytes> content)[part.first:part.first + part.count]
    return _answer(stored, 206, fields, content)


cdef bytes _several(Stored stored, Ranges ranges, bytes content, Fields fields):
    """A body of multipart/byteranges (RFC 9110 §14.6), and its type in `fields`."""
    cdef bytes boundary = b"%016x%016x" % (stored.high, stored.low)
    cdef list pieces = []
    cdef Py_ssize_t i
    heads = part_heads(ranges, boundary, fields.find(_CONTENT_TYPE))
    for i in range(ranges.count):
        pieces += [heads[i], content[ranges.spans[i].first:ranges.spans[i].last + 1]]
    fields.put(_CONTENT_TYPE, multipart_type(boundary))
    return b"".join([*pieces, heads[ranges.count]])


cdef Response _without_content(Stored stored, int status):
    """An answer that says only what is not about the content (RFC 9110 §15.4.5)."""
    cdef Fields fields = fields_of(stored.head)
    cdef FieldName name
    for name in _OF_THE_CONTENT:
        fields.drop(name)
    return _answer(stored, status, fields, b"")


cdef Response _answer(Stored stored, int status, Fields fields, object content):
    cdef Response response = make_response(status, fields, content)
    response.stored = stored
    return response
