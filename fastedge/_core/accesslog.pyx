"""The access log: one JSON object a line, written straight into a buffer that the shell hands on in batches.

A line is valid JSON and at most `log_line_bytes_max` long whatever the client sent: values are escaped, then cut at
bounds of their own that add up to less. Writes no file and knows no time: lines come with their `now`.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.string cimport memcmp, memcpy, strlen

from fastedge._core.civil cimport Civil, civil_of
from fastedge._core.fields cimport FieldName, Fields, intern_text
from fastedge._core.jsontext cimport copy, digits, literal, number, quoted
from fastedge._core.message cimport Context, Request
from fastedge.limits import (
    log_buffer_bytes_max, log_host_bytes_max, log_line_bytes_max, log_map_bytes_max, log_name_bytes_max,
    log_path_bytes_max, log_query_bytes_max, log_text_bytes_max,
)

cdef extern from "arpa/inet.h" nogil:
    const char* inet_ntop(int family, const void* source, char* text, unsigned int size)
    enum: AF_INET6

# The one table of a line's fields, in their order: name, type, when it is there, meaning. The docs are checked against it.
FIELDS = (
    ("ts", "string", "always", "when the request's head was complete: RFC 3339, UTC, milliseconds"),
    ("client", "string", "always", "the client's address, behind trusted proxies that of the real client"),
    ("method", "string", "or null", "as sent"),
    ("scheme", "string", "always", "`http` or `https`, as the client used it"),
    ("host", "string", "or null", "lower-case, without port"),
    ("path", "string", "or null", "as sent, percent-encoding untouched"),
    ("query", "string", "or null", "what follows `?`, without the parameters that gates take credentials from"),
    ("status", "number", "always", "of the answer; 0: the client left before it began"),
    ("bytes_in", "number", "always", "bytes read for this request, head included"),
    ("bytes_out", "number", "always", "bytes sent for this answer, head included"),
    ("duration_us", "number", "always", "from the first byte of the request to the last byte of the answer"),
    ("protocol", "string", "or null", "`HTTP/1.1` or `HTTP/1.0`"),
    ("site", "string", "or null", "the site that claimed the host"),
    ("origin", "string", "or null", "the origin that was asked; null when none was"),
    ("origin_status", "number", "or null", "the status that the origin answered with"),
    ("origin_us", "number", "or null", "from asking the origin to the first byte of its answer"),
    ("cache", "string", "or null", "`HIT`, `MISS`, … `DYNAMIC`"),
    ("error", "string", "or null", "one token: why the rim refused, what failed at the origin, or `stage_error`"),
    ("worker", "number", "always", "the worker's index"),
    ("cache_reason", "string", "if any", "why the cache did what it did"),
    ("detail", "string", "if any", "the error in words: the stage, the hook and what it raised"),
    ("notes", "object", "if any", "stage → the reason it gave"),
    ("variants", "object", "if any", "experiment → the variant this visitor has"),
    ("country", "string", "if looked up", "the client's country, ISO 3166-1"),
    ("user_agent", "string", "if sent", "`User-Agent`"),
    ("referer", "string", "if sent", "`Referer`; without its query where a gate takes credentials from one"),
    ("request_id", "string", "if sent", "`X-Request-Id`"),
    ("traceparent", "string", "if sent", "`traceparent` (W3C Trace Context)"),
    ("truncated", "true", "if so", "at least one value was longer than its bound and was cut"),
)

cdef FieldName _USER_AGENT = intern_text("user-agent")
cdef FieldName _REFERER = intern_text("referer")
cdef FieldName _REQUEST_ID = intern_text("x-request-id")
cdef FieldName _TRACEPARENT = intern_text("traceparent")

cdef Py_ssize_t LINE_MAX = log_line_bytes_max
cdef Py_ssize_t BUFFER_MAX = log_buffer_bytes_max
cdef Py_ssize_t PATH_MAX = log_path_bytes_max
cdef Py_ssize_t QUERY_MAX = log_query_bytes_max
cdef Py_ssize_t HOST_MAX = log_host_bytes_max
cdef Py_ssize_t TEXT_MAX = log_text_bytes_max
cdef Py_ssize_t MAP_MAX = log_map_bytes_max
cdef Py_ssize_t NAME_MAX = log_name_bytes_max

# What a line may come to without its values: the keys, 20 digits a number, a stamp, an address.
_FRAME_BYTES_MAX = sum(len(name) + 6 + (20 if kind == "number" else 0) for name, kind, _, _ in FIELDS) + 24 + 46 + 8
# The values' bounds: path, query, host; detail, user agent, referrer; two maps; the ten names; protocol and scheme.
_VALUE_BYTES_MAX = PATH_MAX + QUERY_MAX + HOST_MAX + 3 * TEXT_MAX + 2 * MAP_MAX + 9 * NAME_MAX + 16
if _FRAME_BYTES_MAX + _VALUE_BYTES_MAX > LINE_MAX:
    raise AssertionError(f"a log line could be {_FRAME_BYTES_MAX + _VALUE_BYTES_MAX} bytes, its bound is {LINE_MAX}")


@cython.final
cdef class LogBuffer:
    """Gathers lines until they are taken. Holds at most `log_buffer_bytes_max`; lines beyond that are counted as dropped."""

    def __cinit__(self, int worker=0):
        self.tail = b',"worker":%d' % worker
        self.second = -1

    def __dealloc__(self):
        PyMem_RawFree(self.data)

    cdef int line(self, Request request, Context ctx, str site, str error, str detail, const Measured* measured) except -1:
        cdef bint cut = False
        cdef char* at = self._begin(ctx.now, ctx.client_address)
        if at is NULL:
            return 0
        at = _request(at, request, request.target_wire if ctx.shown_target is None else ctx.shown_target, &cut)
        at = _numbers(at, measured)
        at = literal(at, b',"protocol":"HTTP/1.1"' if request.minor else b',"protocol":"HTTP/1.0"')
        at = literal(at, b',"site":')
        at = _text(at, site, NAME_MAX, &cut)
        at = _origin(at, ctx, measured, &cut)
        at = literal(at, b',"cache":')
        at = _text(at, ctx.cache, NAME_MAX, &cut)
        at = literal(at, b',"error":')
        at = _text(at, error, NAME_MAX, &cut)
        at = copy(at, PyBytes_AS_STRING(self.tail), PyBytes_GET_SIZE(self.tail))
        at = _facts(at, ctx, detail, &cut)
        at = _fields(at, request, ctx.shown_referer, &cut)
        self._end(at, cut)
        return 0

    cdef int refusal(self, double now, const unsigned char* client, str reason, bint secure, const Measured* measured) except -1:
        cdef bint cut = False
        cdef char* at = self._begin(now, client)
        if at is NULL:
            return 0
        at = literal(at, b',"method":null')
        at = literal(at, b',"scheme":"https"' if secure else b',"scheme":"http"')
        at = literal(at, b',"host":null,"path":null,"query":null')
        at = _numbers(at, measured)
        at = literal(at, b',"protocol":null,"site":null,"origin":null,"origin_status":null,"origin_us":null,"cache":null,"error":')
        at = _text(at, reason, NAME_MAX, &cut)
        at = copy(at, PyBytes_AS_STRING(self.tail), PyBytes_GET_SIZE(self.tail))
        self._end(at, cut)
        return 0

    cdef bytes take(self):
        """All whole lines so far; the buffer is empty afterwards."""
        cdef bytes batch = PyBytes_FromStringAndSize(self.data, self.size)
        self.size = self.lines = 0
        return batch

    cdef char* _begin(self, double now, const unsigned char* client) except? NULL:
        """Where to write, with room for a whole line; NULL when the buffer is full."""
        cdef Py_ssize_t room
        cdef char* data
        cdef char* at
        if self.room - self.size < LINE_MAX:
            room = max(4 * LINE_MAX, 2 * self.room)
            if room > BUFFER_MAX:
                self.dropped += 1
                return NULL
            data = <char*> PyMem_RawRealloc(self.data, room)
            if data is NULL:
                raise MemoryError
            self.data, self.room = data, room
        at = literal(self.data + self.size, b'{"ts":"')
        at = literal(self._date(at, now), b'","client":"')
        at = _address(at, client)
        at[0] = c'"'
        return at + 1

    cdef char* _end(self, char* at, bint cut) noexcept:
        if cut:
            at = literal(at, b',"truncated":true')
        at = literal(at, b"}\n")
        self.size = at - self.data
        self.lines += 1
        return at

    cdef char* _date(self, char* at, double now) noexcept:
        cdef long long ms = <long long> (now * 1000 + 0.5) if 0 <= now < 253402300799 else 0
        if ms // 1000 != self.second:
            self.second = ms // 1000
            _stamp(self.stamp, self.second)
        memcpy(at, self.stamp, 20)
        digits(at + 20, ms % 1000, 3)
        at[23] = c"Z"
        return at + 24

    # --- Python face --------------------------------------------------------------------------------------------

    def write(
        self, Request request, Context ctx, *, str site=None, str error=None, str detail=None, int status=200,
        long long bytes_in=0, long long bytes_out=0, long long duration_us=0, bint origin_asked=False,
        int origin_status=0, long long origin_us=-1,
    ):
        """`line`, for tests and tools."""
        cdef Measured measured
        measured.status, measured.bytes_in, measured.bytes_out = status, bytes_in, bytes_out
        measured.duration_us, measured.origin_asked = duration_us, origin_asked
        measured.origin_status, measured.origin_us = origin_status, origin_us
        self.line(request, ctx, site, error, detail, &measured)

    def write_refusal(
        self, double now, bytes client, str reason, *, bint secure=False, int status=400, long long bytes_in=0,
        long long bytes_out=0, long long duration_us=0,
    ):
        """`refusal`, for tests and tools. `client` is packed in 16 bytes."""
        cdef Measured measured
        if len(client) != 16:
            raise ValueError("a client is packed in 16 bytes")
        measured.status, measured.bytes_in, measured.bytes_out = status, bytes_in, bytes_out
        measured.duration_us, measured.origin_asked = duration_us, False
        measured.origin_status, measured.origin_us = 0, -1
        self.refusal(now, client, reason, secure, &measured)

    def take_batch(self):
        """`take`, for tests and tools."""
        return self.take()


# --- the parts of a line ---------------------------------------------------------------------------------------------


cdef inline char* _request(char* at, Request request, bytes shown, bint* cut):
    cdef const char* target = PyBytes_AS_STRING(shown)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(shown)
    at = literal(at, b',"method":')
    at = _bytes(at, request.method_wire, NAME_MAX, cut)
    at = literal(at, b',"scheme":"https","host":' if request.secure else b',"scheme":"http","host":')
    at = _bytes(at, request.host_wire, HOST_MAX, cut)
    at = literal(at, b',"path":')
    at = quoted(at, target, request.path_length, PATH_MAX, cut)
    if length == request.path_length:
        return literal(at, b',"query":null')
    at = literal(at, b',"query":')
    return quoted(at, target + request.path_length + 1, length - request.path_length - 1, QUERY_MAX, cut)


cdef inline char* _numbers(char* at, const Measured* measured) noexcept:
    at = number(literal(at, b',"status":'), measured.status)
    at = number(literal(at, b',"bytes_in":'), measured.bytes_in)
    at = number(literal(at, b',"bytes_out":'), measured.bytes_out)
    return number(literal(at, b',"duration_us":'), measured.duration_us)


cdef inline char* _origin(char* at, Context ctx, const Measured* measured, bint* cut):
    if not measured.origin_asked:
        return literal(at, b',"origin":null,"origin_status":null,"origin_us":null')
    at = literal(at, b',"origin":')
    at = _text(at, ctx.plan.origin_name, NAME_MAX, cut)
    if measured.origin_status:
        at = number(literal(at, b',"origin_status":'), measured.origin_status)
    else:
        at = literal(at, b',"origin_status":null')
    if measured.origin_us < 0:
        return literal(at, b',"origin_us":null')
    return number(literal(at, b',"origin_us":'), measured.origin_us)


cdef inline char* _facts(char* at, Context ctx, str detail, bint* cut):
    """What is there only if something happened."""
    if ctx.cache_reason is not None:
        at = _text(literal(at, b',"cache_reason":'), ctx.cache_reason, NAME_MAX, cut)
    if detail is not None:
        at = _text(literal(at, b',"detail":'), detail, TEXT_MAX, cut)
    if ctx._notes:
        at = _map(literal(at, b',"notes":'), ctx._notes, cut)
    if ctx._variants:
        at = _map(literal(at, b',"variants":'), ctx._variants, cut)
    if ctx._geo is not None:
        country = ctx._geo.country
        if country:
            at = _text(literal(at, b',"country":'), country, NAME_MAX, cut)
    return at


cdef inline char* _fields(char* at, Request request, bytes shown_referer, bint* cut):
    """The request's fields that are logged, the first line of each, found in one pass."""
    cdef bytes user_agent = None, referer = None, request_id = None, traceparent = None
    cdef Fields fields = request.fields
    cdef Py_ssize_t i
    cdef FieldName name
    for i in range(fields.total - 1, -1, -1):
        name = fields.name_at(i)
        if name is _USER_AGENT:
            user_agent = fields.value_at(i)
        elif name is _REFERER:
            referer = fields.value_at(i)
        elif name is _REQUEST_ID:
            request_id = fields.value_at(i)
        elif name is _TRACEPARENT:
            traceparent = fields.value_at(i)
    if user_agent is not None:
        at = _bytes(literal(at, b',"user_agent":'), user_agent, TEXT_MAX, cut)
    if referer is not None:
        at = _bytes(literal(at, b',"referer":'), referer if shown_referer is None else shown_referer, TEXT_MAX, cut)
    if request_id is not None:
        at = _bytes(literal(at, b',"request_id":'), request_id, NAME_MAX, cut)
    if traceparent is not None:
        at = _bytes(literal(at, b',"traceparent":'), traceparent, NAME_MAX, cut)
    return at


# --- values ----------------------------------------------------------------------------------------------------------


cdef inline char* _bytes(char* at, bytes value, Py_ssize_t bound, bint* cut) noexcept:
    return quoted(at, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), bound, cut)


cdef char* _text(char* at, value, Py_ssize_t bound, bint* cut):
    """A string or null. Never raises for what a policy left where a string belongs."""
    cdef Py_ssize_t size
    cdef const char* utf8
    if value is None:
        return literal(at, b"null")
    if type(value) is not str:
        value = f"<{type(value).__name__}>"
    try:
        utf8 = PyUnicode_AsUTF8AndSize(value, &size)
    except UnicodeEncodeError:      # lone surrogates
        value = (<str> value).encode("utf-8", "backslashreplace").decode()
        utf8 = PyUnicode_AsUTF8AndSize(value, &size)
    return quoted(at, utf8, size, bound, cut)


cdef char* _map(char* at, dict values, bint* cut):
    """An object of strings; the entries that do not fit whole are left out."""
    cdef char* stop = at + MAP_MAX
    cdef char[8 * 1024] entry     # two values, each shorter than a line
    cdef char* end
    cdef bint entry_cut = False
    at = literal(at, b"{")
    first = at
    for key, value in values.items():
        end = _text(entry, "null" if key is None else key, MAP_MAX, &entry_cut)
        end = _text(literal(end, b":"), value, MAP_MAX, &entry_cut)
        if entry_cut or end - entry + 2 > stop - at:
            cut[0] = True
            break
        if at != first:
            at = literal(at, b",")
        at = copy(at, entry, end - entry)
    return literal(at, b"}")


cdef inline char* _address(char* at, const unsigned char* packed) noexcept nogil:
    """Canonical text (RFC 5952); IPv4 comes as ::ffff:a.b.c.d and goes as a.b.c.d."""
    cdef int i
    if memcmp(packed, b"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) != 0:
        inet_ntop(AF_INET6, packed, at, 46)
        return at + strlen(at)
    for i in range(12, 16):
        at = number(at, packed[i])
        at[0] = c"."
        at += 1
    return at - 1


cdef void _stamp(char* at, long long second) noexcept nogil:
    """"YYYY-MM-DDTHH:MM:SS." of seconds since 1970."""
    cdef Civil date = civil_of(second // 86400)
    cdef long long clock = second % 86400
    digits(at, date.year, 4)
    digits(at + 5, date.month, 2)
    digits(at + 8, date.day, 2)
    digits(at + 11, clock // 3600, 2)
    digits(at + 14, clock // 60 % 60, 2)
    digits(at + 17, clock % 60, 2)
    at[4] = at[7] = c"-"
    at[10] = c"T"
    at[13] = at[16] = c":"
    at[19] = c"."
