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

cdef enum FieldTrait:
    HOP_BY_HOP = 1      # RFC 9110 §7.6.1
    NOT_IN_TRAILER = 2  # RFC 9110 §6.5.1
    OWN = 4             # begins with "edge-": ours alone, dropped from clients
    REWRITTEN = 8       # the edge writes its own towards the origin
    INTERNED = 16       # one object for this name


cdef class FieldName:
    cdef readonly str text
    cdef bytes wire
    cdef int id
    cdef int traits


cdef class Fields:
    cdef list names
    cdef list values
    cdef bint frozen

    cdef inline void append(self, FieldName name, bytes value):
        self.names.append(name)
        self.values.append(value)

    cdef bytes find(self, FieldName name)
    cdef Py_ssize_t count(self, FieldName name) noexcept
    cdef bytes combined(self, FieldName name)
    cdef int put(self, FieldName name, bytes value) except -1
    cdef int drop(self, FieldName name) except -1
    cdef Fields copy_fields(self)


cdef inline bint is_forgeable(FieldName name):
    """Names that no client may use: ours are facts of the edge, and an origin that speaks CGI cannot tell "_" from "-"."""
    return name.traits & OWN or b"_" in name.wire


cdef FieldName intern_wire(bytes raw)
cdef FieldName intern_span(const char* at, Py_ssize_t size)
cdef FieldName intern_text(str text)
cdef FieldName known(int field_id)
cdef bytes value_to_wire(object value)
