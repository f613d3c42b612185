"""What a reply says of the cache: Cache-Status (RFC 9211) and Age (RFC 9111 §5.1), as field lines. Pure."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromFormat

cdef dict _known = {}       # what was said before; bounded, as its parts are from closed lists
cdef Py_ssize_t KNOWN_MAX = 1024


cdef bytes hit_lines(bytes cdn_id, long long age_s, long long ttl_s):
    """The stored response satisfied the request; a negative `ttl_s` says for how long it has been stale, a negative `age_s`
    leaves Age out."""
    if age_s < 0:
        return PyBytes_FromFormat(b"cache-status: %s; hit; ttl=%ld\r\n", PyBytes_AS_STRING(cdn_id), <long> ttl_s)
    return PyBytes_FromFormat(b"age: %ld\r\ncache-status: %s; hit; ttl=%ld\r\n", <long> age_s, PyBytes_AS_STRING(cdn_id), <long> ttl_s)


cdef bytes forward_lines(bytes cdn_id, str why, int status, bint collapsed, bint kept, str detail, long long age_s):
    """The origin was asked, for the reason `why` (§2.2); `status` is what it said where that is not what the client gets, else 0.

    `detail` is why nothing was stored. `age_s` < 1 leaves Age out."""
    cdef object line = _known.get((cdn_id, why, status, collapsed, kept, detail))
    if line is None:
        line = _forward_line(cdn_id, why, status, collapsed, kept, detail)
        if len(_known) < KNOWN_MAX:
            _known[cdn_id, why, status, collapsed, kept, detail] = line
    return <bytes> line if age_s < 1 else b"age: %d\r\n%b" % (age_s, line)


cdef bytes _forward_line(bytes cdn_id, str why, int status, bint collapsed, bint kept, str detail):
    text = f"; fwd={why}"
    if status:
        text += f"; fwd-status={status}"
    text += ("; collapsed" if collapsed else "") + ("; stored" if kept else "")
    if detail is not None:
        text += f"; detail={detail}"
    return b"cache-status: %b%b\r\n" % (cdn_id, text.encode("ascii"))
