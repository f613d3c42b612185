"""The cache key: everything of a plan that can influence what an origin answers (RFC 9111 §2), by construction.

Length-prefixed parts, the URL first, so that no two plans can be spelled into one key. Its XXH3-128 finds it; the key
itself is compared, since a hash keeps no secret.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.string cimport memchr, memcpy

from xxhash import xxh3_128_digest

from fastedge._core.message cimport OriginField, Plan, Request
from fastedge._core.message import Plan, Request

cdef object _digest = xxh3_128_digest
cdef bytes _HTTP = b"http://"
cdef bytes _HTTPS = b"https://"


def cache_key(Request request not None, Plan plan not None):
    """The key of a planned request, as bytes. GET and HEAD share it; variants by Vary are told apart behind it."""
    return key_of(request, plan)


def key_hash(bytes key not None):
    """The two halves of the hash that a key is found by."""
    cdef KeyHash found = hash_of(key)
    return found.high, found.low


cdef bytes key_of(Request request, Plan plan):
    cdef OriginField field
    cdef list parts
    if not plan.key_parts and not _has_keyed(plan.edits) and PyBytes_GET_SIZE(request.authority) == PyBytes_GET_SIZE(request.host_wire):
        return _two_parts(request, plan)
    parts = [url_of(request, plan.target_wire), b"" if plan.origin_name is None else (<str> plan.origin_name).encode()]
    if request.authority != _authority(request):
        parts += [b"authority", request.authority]      # an origin may tell the spellings apart
    for field in plan.edits:
        if field.keyed:
            parts += [b"set" if field.replaces else b"add", field.name.wire, b"\0" if field.value is None else field.value]
    for name, value in plan.key_parts:
        parts += [b"part", name, value]
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])


cdef bint _has_keyed(list edits) noexcept:
    cdef Py_ssize_t i
    for i in range(len(edits)):
        if (<OriginField> edits[i]).keyed:
            return True
    return False


cdef bytes url_of(Request request, bytes target):
    """The URL that `target` means, with an authority in its one spelling; unambiguous, as an authority has no slash."""
    cdef bytes scheme = _HTTPS if request.secure else _HTTP
    cdef bytes authority = _authority(request)
    cdef Py_ssize_t prefix = PyBytes_GET_SIZE(scheme), size = PyBytes_GET_SIZE(authority)
    cdef bytes url = PyBytes_FromStringAndSize(NULL, prefix + size + PyBytes_GET_SIZE(target))
    cdef char* at = PyBytes_AS_STRING(url)
    memcpy(at, PyBytes_AS_STRING(scheme), prefix)
    memcpy(at + prefix, PyBytes_AS_STRING(authority), size)
    memcpy(at + prefix + size, PyBytes_AS_STRING(target), PyBytes_GET_SIZE(target))
    return url


cdef bytes origin_of(Request request):
    """scheme://authority (RFC 6454)."""
    return url_of(request, b"")


cdef bytes _authority(Request request):
    """Without the scheme's own port (RFC 9110 §4.2.3), and without the dot that may end a host."""
    cdef bytes authority = request.authority
    cdef Py_ssize_t host = PyBytes_GET_SIZE(request.host_wire)
    if PyBytes_GET_SIZE(authority) == host:
        return authority
    port = authority.rpartition(b":")[2] if not authority.endswith((b"]", b".")) else b""
    if not port or port == (b"443" if request.secure else b"80"):
        return request.host_wire
    return request.host_wire + b":" + port


cdef KeyHash hash_of(bytes key) except *:
    cdef bytes digest = _digest(key)
    cdef KeyHash found
    memcpy(&found, PyBytes_AS_STRING(digest), sizeof(KeyHash))
    return found


cdef int url_span(bytes key, Py_ssize_t* at, Py_ssize_t* size) except -1:
    """Where the URL stands in a key."""
    cdef const char* start = PyBytes_AS_STRING(key)
    cdef const char* colon = <const char*> memchr(start, c":", PyBytes_GET_SIZE(key))
    at[0] = colon - start + 1
    size[0] = int(key[:colon - start])
    return 0


cdef bytes _two_parts(Request request, Plan plan):
    """The key of a plan that says no more than where to, in one piece."""
    cdef bytes scheme = _HTTPS if request.secure else _HTTP
    cdef Py_ssize_t prefix = PyBytes_GET_SIZE(scheme), host = PyBytes_GET_SIZE(request.host_wire)
    cdef Py_ssize_t target = PyBytes_GET_SIZE(plan.target_wire), origin_size = 0
    cdef const char* origin = PyUnicode_AsUTF8AndSize("" if plan.origin_name is None else plan.origin_name, &origin_size)
    cdef Py_ssize_t url = prefix + host + target
    cdef bytes key = PyBytes_FromStringAndSize(NULL, _digits(url) + 1 + url + _digits(origin_size) + 1 + origin_size)
    cdef char* at = _put_size(PyBytes_AS_STRING(key), url)
    memcpy(at, PyBytes_AS_STRING(scheme), prefix)
    memcpy(at + prefix, PyBytes_AS_STRING(request.host_wire), host)
    memcpy(at + prefix + host, PyBytes_AS_STRING(plan.target_wire), target)
    memcpy(_put_size(at + url, origin_size), origin, origin_size)
    return key


cdef char* _put_size(char* at, Py_ssize_t size) noexcept:
    cdef int digits = _digits(size), i
    for i in range(digits - 1, -1, -1):
        at[i] = <char> (c"0" + size % 10)
        size //= 10
    at[digits] = c":"
    return at + digits + 1


cdef int _digits(Py_ssize_t number) noexcept:
    cdef int digits = 1
    while number >= 10:
        number //= 10
        digits += 1
    return digits
