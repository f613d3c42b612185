"""Validation of a stored response (RFC 9111 §4.3): the question, whether the answer means it, and what it then becomes."""

from fastedge._core.fields cimport (
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, EDGE_CACHE_CONTROL, ETAG, HOP_BY_HOP,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, SET_COOKIE, SURROGATE_CONTROL, TRAILER, FieldName, Fields, known,
)
from fastedge.semantics.validators cimport strongly_equal, weakly_equal

cdef FieldName _CONTENT_LENGTH = known(CONTENT_LENGTH)
cdef FieldName _DATE = known(DATE)
cdef FieldName _ETAG = known(ETAG)
cdef FieldName _IF_MODIFIED_SINCE = known(IF_MODIFIED_SINCE)
cdef FieldName _IF_NONE_MATCH = known(IF_NONE_MATCH)
cdef FieldName _LAST_MODIFIED = known(LAST_MODIFIED)


def conditions(bytes etag, bytes last_modified):
    """The Python face of `conditions_of`."""
    return [((<FieldName> name).text, value) for name, value in conditions_of(etag, last_modified)]


def freshen(Fields stored not None, Fields update not None):
    """The Python face of `freshened`."""
    return freshened(stored, update)


def is_selected(bytes etag, bytes last_modified, Fields update not None):
    """The Python face of `selects`."""
    return selects(etag, last_modified, update)


def is_agreed(bytes etag, bytes last_modified, long long length, Fields head not None):
    """The Python face of `agrees`."""
    return agrees(etag, last_modified, length, head)


cdef list conditions_of(bytes etag, bytes last_modified):
    """(FieldName, value) of what the request to the origin says besides (§4.3.1); empty without a validator."""
    cdef list found = []
    if etag is not None:
        found.append((_IF_NONE_MATCH, etag))
    if last_modified is not None:
        found.append((_IF_MODIFIED_SINCE, last_modified))
    return found


cdef bint selects(bytes etag, bytes last_modified, Fields update) except -1:
    """Whether a 304 means the stored response whose validators these are (§4.3.4): by an equal strong entity-tag, else an
    equal weak one, else an equal Last-Modified. Without any of them it answers the one question that was asked."""
    cdef bytes new_etag = update.find(_ETAG)
    cdef bytes new_modified
    if new_etag is not None:
        return weakly_equal(etag, new_etag) if new_etag.startswith(b"W/") else strongly_equal(etag, new_etag)
    new_modified = update.find(_LAST_MODIFIED)
    return new_modified is None or new_modified == last_modified


cdef Fields freshened(Fields stored, Fields update):
    """The stored fields, with those of a 304, or of an answer to HEAD, in the place of older ones of that name (§3.2).

    A Date and an Age that the update lacks are not kept: the response is as old as this validation.
    """
    cdef Fields fresh = Fields.__new__(Fields)
    cdef FieldName name
    cdef Py_ssize_t i
    for i in range(stored.total):
        name = stored.name_at(i)
        if name.id not in (AGE, DATE) and (not _updates(name) or not update.count(name)):
            fresh.append(name, stored.value_at(i))
    for i in range(update.total):
        if _updates(update.name_at(i)):
            fresh.append(update.name_at(i), update.value_at(i))
    return fresh


cdef bint _updates(FieldName name) noexcept:
    """Not what describes the stored bytes, one hop, or one client; what targets us alone counts though it is not passed on."""
    return name.id not in (CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, SET_COOKIE, TRAILER) and (
        not name.traits & HOP_BY_HOP or name.id in (EDGE_CACHE_CONTROL, SURROGATE_CONTROL)
    )


cdef bint agrees(bytes etag, bytes last_modified, long long length, Fields head) except -1:
    """Whether an answer to HEAD describes the stored response (§4.3.5). If not, that one is out of date."""
    return (
        _is_equal(head.find(_ETAG), etag)
        and _is_equal(head.find(_LAST_MODIFIED), last_modified)
        and _is_equal(head.find(_CONTENT_LENGTH), b"%d" % length)
    )


cdef bint _is_equal(bytes said, bytes stored) noexcept:
    """What is not said does not differ."""
    return said is None or said == stored
