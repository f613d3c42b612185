from fastedge._core.fields cimport FieldName, Fields
from fastedge._core.stored cimport Stored
from fastedge._core.reads cimport Reads


cdef class Request:
    cdef bytes method_wire          # b"GET"
    cdef bytes target_wire          # origin-form, or b"*"
    cdef bytes authority            # lower-case host[:port], as it goes to an origin
    cdef bytes host_wire            # lower-case host without port
    cdef Fields fields
    cdef Py_ssize_t path_length     # of target_wire, up to "?" or its end
    cdef int minor                  # HTTP/1.minor
    cdef bint secure                # the client came by https
    cdef readonly bytes content     # the body, where it was collected first (the admin listener); else None
    cdef bytes _match_path

    cdef bytes match_path(self)
    cdef bytes query_first(self, bytes name)


cdef class OriginField:
    """One edit of the fields that go to the origin."""
    cdef FieldName name
    cdef bytes value        # None: the field is removed
    cdef bint replaces      # the client's lines of that name are dropped
    cdef bint keyed         # the value is in the cache key


cdef class Plan:
    cdef str origin_name
    cdef tuple fallback_names           # origins to go over to, in order, while the chosen one is down; or None
    cdef bytes target_wire
    cdef str cache_mode
    cdef object ttl                     # float seconds, whatever the origin says; None: as it says
    cdef object default_ttl             # float seconds where the origin says nothing; None: heuristic (RFC 9111 §4.2.2)
    cdef object stale_while_revalidate  # float seconds in place of what the origin says (RFC 5861); None: as it says
    cdef object stale_if_error
    cdef readonly tuple status_ttls     # of (first status, last status, float seconds), the first that fits; or None
    cdef tuple tags                     # of bytes, or None
    cdef readonly bint ignores_request  # the client's Cache-Control and Pragma do not reach past a stored response
    cdef readonly bint ignores_cookies  # a Cookie that reaches the origin is no reason not to store
    cdef list edits         # of OriginField; only ever appended to
    cdef list key_parts     # of (bytes name, bytes value); only ever appended to
    cdef str unstorable     # the first reason, or None
    cdef int unkeyed_edits  # by hooks, of what is neither in the key nor kept from the store
    cdef bint frozen        # the key is fixed: only unkeyed edits are allowed

    cdef int edit(self, FieldName name, bytes value, bint replaces, bint keyed) except -1
    cdef int add(self, OriginField field) except -1
    cdef int part(self, bytes name, bytes value) except -1
    cdef int keep_private(self, str reason) except -1
    cdef int _check_open(self, str what) except -1
    cdef int tag(self, bytes name) except -1
    cdef tuple checkpoint(self)
    cdef int rollback(self, tuple checkpoint) except -1


cdef class Context:
    cdef readonly double now
    cdef unsigned char client_address[16]
    cdef unsigned char geo_address[16]  # which the geo table is asked for: the client's, or one that a test stands in for
    cdef str _client
    cdef object geo_table
    cdef object _geo
    cdef object _claims
    cdef dict _variants
    cdef dict _vars
    cdef dict _notes
    cdef readonly Plan plan
    cdef bytes shown_target # the target as logs may show it; None: as it came
    cdef bytes shown_referer        # Referer likewise
    cdef readonly str cache
    cdef readonly str cache_reason
    cdef object observer    # explain's: called after each hook; None on the request path
    cdef Reads reads        # what custom hooks read of this request; None: none has run
    cdef list unkeyed       # of (stage, its number, inputs, reads.count), one an edit outside the key; or None
    cdef int device         # a Device, once somebody has asked (_core/device)
    cdef list exposures     # of (experiment, variant, hash of the visitor), the first of their window; or None
    cdef object personal    # the PersonalStage that the answer's page is for; or None
    cdef unsigned long long conditions_known
    cdef unsigned long long conditions_true

    cdef int set_claims(self, object claims) except -1
    cdef int add_claims(self, object claims) except -1
    cdef int set_variant(self, str experiment, str variant) except -1
    cdef int note(self, str stage, str reason) except -1
    cdef int note_read(self, str fact) noexcept
    cdef int watch(self, Request request, int stage) except -1
    cdef int unwatch(self) noexcept
    cdef int suspect(self, str name, int stage, list inputs) except -1


cdef class Response:
    cdef int code
    cdef Fields fields      # None: the stored head stands for them
    cdef object content     # bytes, a tuple of bytes, a body in a file, or STREAM
    cdef Stored stored      # what it was made from, or None

    cdef bint is_stream(self) noexcept
    cdef Fields own_fields(self)


cdef object STREAM

cdef bytes normal_path(bytes path)

cdef Request make_request(bytes method, bytes target, Py_ssize_t path_length, bytes authority, bytes host, Fields fields, int minor, bint secure)
cdef Context make_context(double now, const unsigned char* address, object geo_table, str origin, bytes target)
cdef Response make_response(int code, Fields fields, object content)
