"""The names by which a stored response can be purged: its URL, its host, its tags, its groups (RFC 9875).

A name is a kind and bytes, hashed by _core/purges; tags are compared as bytes, in their case.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from fastedge._core.fields cimport CACHE_GROUPS, CACHE_TAG, SURROGATE_KEY, XKEY, FieldName, Fields, known
from fastedge._core.key cimport origin_of, url_of
from fastedge._core.message cimport Plan, Request
from fastedge._core.purges cimport name_hash
from fastedge.caching.structured cimport strings_of
from fastedge.limits import cache_tag_bytes_max, cache_tags_max

cdef Py_ssize_t TAGS_MAX = cache_tags_max
cdef Py_ssize_t TAG_BYTES_MAX = cache_tag_bytes_max

cdef FieldName _CACHE_GROUPS = known(CACHE_GROUPS)
cdef FieldName _CACHE_TAG = known(CACHE_TAG)
cdef FieldName _SURROGATE_KEY = known(SURROGATE_KEY)
cdef FieldName _XKEY = known(XKEY)


def purge_names(Request request not None, Plan plan not None, Fields fields not None):
    """The Python face of `names_of`: the numbers, the URL's first."""
    cdef bytes names = names_of(request, plan, fields)
    return None if names is None else memoryview(names).cast("Q").tolist()


cdef bytes names_of(Request request, Plan plan, Fields fields):
    """The names as uint64_t each, the URL's first; None where there are too many tags, or one is too long."""
    cdef list groups = _groups(fields)
    cdef list tags = _tags(plan, fields, groups)
    cdef bytes origin = origin_of(request)
    cdef list names
    if len(tags) > TAGS_MAX or any(len(tag) > TAG_BYTES_MAX for tag in tags):
        return None
    names = [name_hash(b"url", url_of(request, plan.target_wire)), name_hash(b"host", request.host_wire)]
    names += [name_hash(b"tag", tag) for tag in tags]
    names += [name_hash(b"group", b"%b\0%b" % (origin, group)) for group in groups]
    return pack_names(names)


cdef bytes pack_names(list names):
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, len(names) * sizeof(uint64_t))
    cdef char* at = PyBytes_AS_STRING(packed)
    cdef uint64_t name
    for name in names:
        memcpy(at, &name, sizeof(uint64_t))
        at += sizeof(uint64_t)
    return packed


cdef list _groups(Fields fields):
    """Each once; none where the field is malformed (RFC 9875 §2)."""
    cdef list groups = None
    if fields.may_have(CACHE_GROUPS):
        groups = strings_of(fields.combined(_CACHE_GROUPS) or b"")
    return list(dict.fromkeys(groups or ()))


cdef list _tags(Plan plan, Fields fields, list groups):
    """Each once. Cache-Tag has commas between tags, Surrogate-Key and xkey have blanks; xkey allows both."""
    cdef list tags = [*groups, *(plan.tags or ())]
    if fields.may_have(CACHE_TAG):
        tags += [tag.strip(b" \t") for tag in (fields.combined(_CACHE_TAG) or b"").split(b",")]
    if fields.may_have(SURROGATE_KEY):
        tags += _words(fields.combined(_SURROGATE_KEY))
    if fields.may_have(XKEY):
        tags += _words(fields.combined(_XKEY))
    return [tag for tag in dict.fromkeys(tags) if tag]


cdef list _words(bytes value):
    """Lines were combined with commas; no tag has one."""
    return (value or b"").replace(b",", b" ").split()
