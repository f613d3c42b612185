from cpython.object cimport PyObject

from fastedge._core.reads cimport Reads

cdef enum FieldId:
    OTHER = 0
    HOST
    CONTENT_LENGTH
    TRANSFER_ENCODING
    CONNECTION
    KEEP_ALIVE
    PROXY_CONNECTION
    PROXY_AUTHENTICATE
    PROXY_AUTHORIZATION
    TE
    TRAILER
    UPGRADE
    EXPECT
    RULED = EXPECT          # up to here the rim has rules of its own
    AUTHORIZATION
    COOKIE
    SET_COOKIE
    VIA
    CDN_LOOP
    FORWARDED
    X_FORWARDED_FOR
    X_FORWARDED_HOST
    X_FORWARDED_PROTO
    DATE
    AGE
    CACHE_STATUS
    PROXY_STATUS
    # caching and conditions (RFC 9111, 9110 §13–14, 9213, 9875)
    CACHE_CONTROL
    PRAGMA
    EXPIRES
    ETAG
    LAST_MODIFIED
    VARY
    IF_MATCH
    IF_NONE_MATCH
    IF_MODIFIED_SINCE
    IF_UNMODIFIED_SINCE
    IF_RANGE
    RANGE
    ACCEPT_RANGES
    CONTENT_RANGE
    CONTENT_TYPE
    CONTENT_ENCODING
    CONTENT_LOCATION
    LOCATION
    ACCEPT_ENCODING
    WARNING
    CDN_CACHE_CONTROL
    EDGE_CACHE_CONTROL      # our own target (RFC 9213): from origins only
    SURROGATE_CONTROL
    CACHE_GROUPS
    CACHE_GROUP_INVALIDATION
    CACHE_TAG
    SURROGATE_KEY
    XKEY

cdef enum FieldTrait:
    HOP_BY_HOP = 1      # RFC 9110 §7.6.1
    NOT_IN_TRAILER = 2  # RFC 9110 §6.5.1
    OWN = 4             # begins with "edge-": ours alone, dropped from clients
    REWRITTEN = 8       # the edge writes its own towards the origin
    INTERNED = 16       # one object for this name
    FORGEABLE = 32      # OWN, or spelled with "_"
    CONDITIONAL = 64    # asks for less than the whole (RFC 9110 §13–14): a fetch for several leaves it out


cdef class FieldName:
    cdef readonly str text
    cdef bytes wire
    cdef int id
    cdef int traits


cdef enum:
    LINES_INLINE = 16

cdef struct Line:
    PyObject* name          # a FieldName; owned
    const char* at          # the value: in `head`, or in `value`
    Py_ssize_t size
    PyObject* value         # bytes, owned; NULL as long as nobody asked for the object


cdef class Fields:
    cdef Line* lines
    cdef Py_ssize_t total
    cdef Py_ssize_t room
    cdef Line inline_lines[LINES_INLINE]
    cdef bytes head         # what the spans point into
    cdef unsigned long long seen    # bit i: a line whose name has identifier i may be there; unset: none is
    cdef bint frozen
    cdef bint touched       # edited from Python
    cdef Reads reads        # where a request's fields write down who reads them; or None

    cdef inline FieldName name_at(self, Py_ssize_t i):
        return <FieldName> self.lines[i].name

    cdef inline bint may_have(self, int field_id) noexcept:
        return (self.seen >> field_id) & 1

    cdef bytes value_at(self, Py_ssize_t i)
    cdef int note_read(self, object what) noexcept
    cdef FieldName asked(self, str name)
    cdef int append(self, FieldName name, bytes value) except -1
    cdef int append_span(self, FieldName name, const char* at, Py_ssize_t size) except -1
    cdef int grow(self) except -1
    cdef bytes find(self, FieldName name)
    cdef Py_ssize_t count(self, FieldName name) noexcept
    cdef bytes combined(self, FieldName name)
    cdef int put(self, FieldName name, bytes value) except -1
    cdef int drop(self, FieldName name) except -1
    cdef Fields copy_fields(self)


cdef inline bint is_forgeable(FieldName name) noexcept:
    """Names that no client may use: ours are facts of the edge, and an origin that speaks CGI cannot tell "_" from "-"."""
    return (name.traits & FORGEABLE) != 0


cdef FieldName intern_wire(bytes raw)
cdef FieldName intern_span(const char* at, Py_ssize_t size)
cdef FieldName intern_text(str text)
cdef FieldName known(int field_id)
cdef bytes value_to_wire(object value)
