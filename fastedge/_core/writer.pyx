"""Serialises heads and chunks (RFC 9112). What leaves the edge is always written here, never copied through as it came.

Hop-by-hop fields do not pass (RFC 9110 §7.6.1); framing, connection and forwarding fields are the edge's own.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdio cimport snprintf
from libc.string cimport memcpy

from http import HTTPStatus

from fastedge._core.body cimport CHUNKED, LENGTH, Framing
from fastedge._core.fields cimport (
    CONDITIONAL, CONTENT_LENGTH, DATE, EXPECT, HOP_BY_HOP, OTHER, REWRITTEN, UPGRADE, FieldName, Fields,
)
from fastedge._core.message cimport OriginField, Plan, Request, Response
from fastedge.limits import inline_body_bytes_max

cdef Py_ssize_t INLINE_MAX = inline_body_bytes_max

cdef list _status_lines = [None] * 600


cdef bytes _status_line(int status):
    """Every status code has a line; a reason phrase only where there is a registered one."""
    if _status_lines[status] is None:
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        _status_lines[status] = f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")
    return <bytes> _status_lines[status]


@cython.final
cdef class HeadWriter:
    """Writes one head after another into one growing buffer; a worker needs a single one."""

    def __cinit__(self):
        self.capacity = 8192
        self.buffer = <char*> PyMem_Malloc(self.capacity)
        if self.buffer is NULL:
            raise MemoryError()

    def __dealloc__(self):
        PyMem_Free(self.buffer)

    def answer(self, Response response, bytes date):
        """The Python face of `response`: an answer of the edge's own, whole, on a kept HTTP/1.1 connection."""
        return self.response(response, LENGTH, len(response.content), date, None, 1, True, None, None)

    cdef int grow(self, Py_ssize_t more) except -1:
        cdef char* bigger
        if self.size + more > self.capacity:
            self.capacity = 2 * (self.size + more)
            bigger = <char*> PyMem_Realloc(self.buffer, self.capacity)
            if bigger is NULL:
                raise MemoryError()
            self.buffer = bigger
        return 0

    cdef int put(self, bytes data) except -1:
        cdef Py_ssize_t size = len(data)
        self.grow(size)
        memcpy(self.buffer + self.size, PyBytes_AS_STRING(data), size)
        self.size += size
        return 0

    cdef int put_field(self, bytes name, bytes value) except -1:
        return self._put(PyBytes_AS_STRING(name), len(name), PyBytes_AS_STRING(value), len(value))

    cdef int put_line(self, FieldName name, const char* value, Py_ssize_t size) except -1:
        return self._put(PyBytes_AS_STRING(name.wire), len(name.wire), value, size)

    cdef int _put(self, const char* name, Py_ssize_t name_size, const char* value, Py_ssize_t value_size) except -1:
        cdef char* at
        self.grow(name_size + value_size + 4)
        at = self.buffer + self.size
        memcpy(at, name, name_size)
        at += name_size
        memcpy(at, b": ", 2)
        memcpy(at + 2, value, value_size)
        memcpy(at + 2 + value_size, b"\r\n", 2)
        self.size += name_size + value_size + 4
        return 0

    cdef int put_number_field(self, const char* name, Py_ssize_t size, long long value) except -1:
        """`name` includes the colon and the space."""
        cdef char digits[24]
        cdef int i = 24
        self.grow(size + 26)
        memcpy(self.buffer + self.size, name, size)
        self.size += size
        i -= 2
        memcpy(digits + i, b"\r\n", 2)
        while True:
            i -= 1
            digits[i] = <char> (c"0" + value % 10)
            value //= 10
            if value == 0:
                break
        memcpy(self.buffer + self.size, digits + i, 24 - i)
        self.size += 24 - i
        return 0

    cdef bytes take(self):
        cdef bytes head = PyBytes_FromStringAndSize(self.buffer, self.size)
        self.size = 0
        return head

    cdef bytes response(
        self, Response response, Framing framing, long long length, bytes date, bytes via, int minor, bint keep_alive,
        list nominated, bytes lines
    ):
        """A response head, with the body behind it where that is small bytes and `framing` is LENGTH.

        `length` < 0 leaves Content-Length out; `date` and `via` are whole field lines, `via` None where the answer is
        the edge's own; `nominated` are the names that the origin's Connection field listed; `lines` are what the edge says
        of the cache, or None. A response from the store without fields of its own is sent as it is stored.
        """
        self.size = 0
        self.put(_status_line(response.code))
        if response.fields is None:
            self.put(response.stored.head)
        else:
            self._put_fields(response.fields, date, nominated)
        if lines is not None:
            self.put(lines)
        if via is not None:
            self.put(via)
        if framing == CHUNKED:
            self.put(b"transfer-encoding: chunked\r\n")
        elif length >= 0 and response.code != 204:      # RFC 9110 §8.6
            self.put_number_field(b"content-length: ", 16, length)
        if not keep_alive:
            self.put(b"connection: close\r\n")
        elif minor == 0:
            self.put(b"connection: keep-alive\r\n")
        self.put(b"\r\n")
        if framing == LENGTH and type(response.content) is bytes and len(<bytes> response.content) <= INLINE_MAX:
            self.put(<bytes> response.content)
        return self.take()

    cdef int _put_fields(self, Fields fields, bytes date, list nominated) except -1:
        """The end-to-end lines, and Date where there is none."""
        cdef FieldName name
        cdef Py_ssize_t i
        cdef bint dated = False
        for i in range(fields.total):
            name = fields.name_at(i)
            if name.id != OTHER:
                if name.traits & HOP_BY_HOP or name.id == CONTENT_LENGTH:
                    continue
                if name.id == DATE:
                    dated = True
            if nominated is not None and name in nominated:
                continue
            self.put_line(name, fields.lines[i].at, fields.lines[i].size)
        if not dated:
            self.put(date)
        return 0

    cdef bytes informational(self, int status, Fields fields):
        """A 1xx head; 101 names the protocol that was switched to (RFC 9110 §7.8)."""
        cdef FieldName name
        cdef Py_ssize_t i
        self.size = 0
        self.put(_status_line(status))
        for i in range(fields.total):
            name = fields.name_at(i)
            if name.id == CONTENT_LENGTH:
                continue        # RFC 9110 §8.6
            if not name.traits & HOP_BY_HOP or (status == 101 and name.id == UPGRADE):
                self.put_line(name, fields.lines[i].at, fields.lines[i].size)
        if status == 101:
            self.put(b"connection: upgrade\r\n")
        self.put(b"\r\n")
        return self.take()

    cdef bytes origin_request(
        self, Request request, Plan plan, bytes host, bytes forwarded, bytes forwarded_for, bytes via, bytes cdn_loop,
        Framing framing, long long length, bint expects_continue, bint accepts_trailers, bytes upgrade, list nominated,
        bint whole, list conditions
    ):
        """What the origin gets: the client's end-to-end fields, the plan's edits, and the edge's own lines. `host` is None
        where the connection puts in its server's name. `whole` is a GET without conditions and ranges, which are this client's
        alone; `conditions` are the edge's own, for what it has stored, or None."""
        cdef Fields fields = request.fields
        cdef FieldName name
        cdef OriginField field
        cdef Py_ssize_t i
        cdef int dropped = HOP_BY_HOP | REWRITTEN | (CONDITIONAL if whole else 0)
        self.size = 0
        self.put(b"GET" if whole else request.method_wire)
        self.put(b" ")
        self.put(plan.target_wire)
        self.put(b" HTTP/1.1\r\n")
        if host is not None:
            self.put_field(b"host", host)
        for i in range(fields.total):
            name = fields.name_at(i)
            if name.traits & dropped or (name.id == EXPECT and not expects_continue):
                continue
            if nominated is not None and name in nominated:
                continue
            if plan.edits and _is_replaced(plan.edits, name):
                continue
            self.put_line(name, fields.lines[i].at, fields.lines[i].size)
        for i in range(len(plan.edits)):
            field = <OriginField> plan.edits[i]
            if field.value is not None and not _is_replaced_after(plan.edits, i):
                self.put_field(field.name.wire, field.value)
        if conditions is not None:
            for name, value in conditions:
                self.put_field(name.wire, value)
        if forwarded_for is not None:   # an untrusted peer on a unix socket has no address
            self.put_field(b"x-forwarded-for", forwarded_for)
        self.put(b"x-forwarded-proto: https\r\n" if request.secure else b"x-forwarded-proto: http\r\n")
        if request.authority:   # HTTP/1.0 may have said none
            self.put_field(b"x-forwarded-host", request.authority)
        self.put_field(b"forwarded", forwarded)
        self.put(via)
        self.put(cdn_loop)
        if framing == CHUNKED:
            self.put(b"transfer-encoding: chunked\r\n")
        elif framing == LENGTH or length > 0 or _means_a_body(request.method_wire):
            self.put_number_field(b"content-length: ", 16, length)
        if upgrade is not None:
            self.put(b"connection: upgrade\r\n")
            self.put_field(b"upgrade", upgrade)
        elif accepts_trailers:
            self.put(b"connection: te\r\nte: trailers\r\n")
        self.put(b"\r\n")
        return self.take()


cdef bint _means_a_body(bytes method) noexcept:
    """Methods for which an absent body is announced as Content-Length: 0 (RFC 9110 §8.6)."""
    return method == b"POST" or method == b"PUT" or method == b"PATCH"


cdef bint _is_replaced(list edits, FieldName name) noexcept:
    cdef OriginField field
    cdef Py_ssize_t i
    for i in range(len(edits)):
        field = <OriginField> edits[i]
        if field.replaces and (field.name is name or field.name.wire == name.wire):
            return True
    return False


cdef bint _is_replaced_after(list edits, Py_ssize_t index) noexcept:
    """A later edit of the same name takes the place of the earlier one."""
    cdef OriginField field = <OriginField> edits[index]
    cdef OriginField later
    cdef Py_ssize_t i
    for i in range(index + 1, len(edits)):
        later = <OriginField> edits[i]
        if later.replaces and later.name.wire == field.name.wire:
            return True
    return False


cdef bytes chunk(bytes data):
    """One chunk (RFC 9112 §7.1)."""
    cdef char line[24]
    cdef int size = snprintf(line, 24, b"%zx\r\n", <size_t> len(data))
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size + len(data) + 2)
    cdef char* at = PyBytes_AS_STRING(out)
    memcpy(at, line, size)
    memcpy(at + size, PyBytes_AS_STRING(data), len(data))
    memcpy(at + size + len(data), b"\r\n", 2)
    return out


cdef bytes last_chunk(Fields trailers, list edits):
    """The end of a chunked body. What a plan's `edits` replace, a trailer field cannot bring back: recipients may merge
    the trailer section into the header section (RFC 9110 §6.5.1)."""
    cdef Py_ssize_t i
    cdef list out = [b"0\r\n"]
    if trailers is not None:
        for i in range(trailers.total):
            if edits and _is_replaced(edits, trailers.name_at(i)):
                continue
            out += [trailers.name_at(i).wire, b": ", trailers.value_at(i), b"\r\n"]
    out.append(b"\r\n")
    return b"".join(out)
