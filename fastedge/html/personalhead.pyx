"""From what a shared page says of itself to what a visitor's own page says: private, and of this moment (RFC 9110, RFC 9111)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcmp

from fastedge._core.fields cimport (
    ACCEPT_RANGES, AGE, CACHE_CONTROL, CDN_CACHE_CONTROL, CONTENT_ENCODING, DATE, EDGE_CACHE_CONTROL, ETAG, EXPIRES, LAST_MODIFIED, OTHER,
    PRAGMA, SURROGATE_CONTROL, TRAILER, VARY, FieldName, intern_text, known,
)
from fastedge._core.personalstage cimport all_names

cdef FieldName _CACHE_CONTROL = known(CACHE_CONTROL)
cdef FieldName _VARY = known(VARY)
# They are about the shared page and when it was made, or speak to other caches.
cdef tuple OF_THE_SHARED = tuple([known(name) for name in (
    DATE, ETAG, LAST_MODIFIED, EXPIRES, TRAILER, ACCEPT_RANGES, CONTENT_ENCODING, AGE, PRAGMA, CDN_CACHE_CONTROL, EDGE_CACHE_CONTROL,
    SURROGATE_CONTROL,
)] + [intern_text(name) for name in ("content-digest", "content-md5", "digest", "repr-digest", "x-accel-expires")])


cdef int make_personal(Fields fields, PersonalStage personal, bytes vary) except -1:
    """`vary`: names of fields beside Accept-Encoding. Where no cache may keep the shared page, none may keep this one."""
    cdef FieldName name
    cdef bytes said = fields.combined(_CACHE_CONTROL)
    for name in OF_THE_SHARED:
        fields.drop(name)
    for name in for_other_caches(fields):
        fields.drop(name)
    if said is not None and b"no-store" in said.lower() and b"no-store" not in personal.cache_control.lower():
        fields.put(_CACHE_CONTROL, personal.cache_control + b", no-store")
    else:
        fields.put(_CACHE_CONTROL, personal.cache_control)
    vary = all_names([fields.combined(_VARY), b"accept-encoding" if personal.gzip else None, vary])
    if vary is not None:
        fields.put(_VARY, b"*" if b"*" in vary.split(b", ") else vary)      # it says it all (RFC 9110 §12.5.5)
    return 0


cdef list for_other_caches(Fields fields):
    """Names of fields that are Cache-Control for caches of some kind (RFC 9213 §2.1)."""
    cdef list names = []
    cdef FieldName name
    cdef Py_ssize_t i, size
    for i in range(fields.total):
        name = fields.name_at(i)
        size = PyBytes_GET_SIZE(name.wire)
        if name.id == OTHER and size > 14 and memcmp(PyBytes_AS_STRING(name.wire) + size - 14, b"-cache-control", 14) == 0:
            names.append(name)
    return names
