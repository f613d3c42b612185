"""What an answer to an unsafe method makes invalid (RFC 9111 §4.4, RFC 9875 §3), as purge names: of its own origin only."""

from urllib.parse import urljoin, urlsplit

from fastedge._core.fields cimport CACHE_GROUP_INVALIDATION, CONTENT_LOCATION, LOCATION, FieldName, Fields, known
from fastedge._core.key cimport origin_of, url_of
from fastedge._core.message cimport Plan, Request
from fastedge._core.purges cimport name_hash
from fastedge.caching.structured cimport strings_of
from fastedge.caching.tags cimport pack_names

cdef FieldName _LOCATION = known(LOCATION)
cdef FieldName _CONTENT_LOCATION = known(CONTENT_LOCATION)
cdef FieldName _CACHE_GROUP_INVALIDATION = known(CACHE_GROUP_INVALIDATION)

cdef dict _PORTS = {"http": 80, "https": 443}


def invalidated_names(Request request not None, Plan plan not None, int status, Fields fields not None):
    """The Python face of `invalidated`."""
    return memoryview(invalidated(request, plan, status, fields) or b"").cast("Q").tolist()


cdef bint is_unsafe(bytes method) noexcept:
    """RFC 9110 §9.2.1; a method that nobody knows may do anything."""
    return method not in (b"GET", b"HEAD", b"OPTIONS", b"TRACE")


cdef bytes invalidated(Request request, Plan plan, int status, Fields fields):
    """The purge names, uint64_t each; None where nothing is invalid: safe methods and errors."""
    cdef list names
    cdef bytes url
    if not is_unsafe(request.method_wire) or not 200 <= status < 400:
        return None
    names = [name_hash(b"url", url_of(request, plan.target_wire))]
    for name in (_LOCATION, _CONTENT_LOCATION):
        url = _same_origin_url(request, fields.find(name))
        if url is not None:
            names.append(name_hash(b"url", url))
    names += [name_hash(b"group", b"%b\0%b" % (origin_of(request), group)) for group in _groups(fields)]
    return pack_names(names)


cdef list _groups(Fields fields):
    if not fields.may_have(CACHE_GROUP_INVALIDATION):
        return []
    return strings_of(fields.combined(_CACHE_GROUP_INVALIDATION) or b"") or []


cdef bytes _same_origin_url(Request request, bytes reference):
    """The URL that a reference means (RFC 3986 §5), without its fragment; None for that of another origin."""
    cdef str base = request.url
    if reference is None:
        return None
    try:
        url = urlsplit(urljoin(base, reference.decode("ascii")))
        if _origin(url) != _origin(urlsplit(base)):
            return None
    except ValueError:      # no URL, or a port that is none
        return None
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return url_of(request, target.encode("ascii"))


cdef tuple _origin(object url):
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)
