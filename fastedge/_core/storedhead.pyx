"""The head of a stored response as text: the end-to-end field lines, b"name: value\\r\\n" each (RFC 9111 §3.1).

Without what belongs to one connection or one moment: framing, Age, and what Connection named. The text is only ever
written by head_of(): names are in lower case, values have no line break in them.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy

from fastedge._core.fields cimport (
    AGE, CONTENT_LENGTH, COOKIE, HOP_BY_HOP, SET_COOKIE, FieldName, Fields, intern_span, intern_text,
)


def stored_head(Fields fields not None, left_out=(), nominated=()):
    """The text of what may be stored of `fields`, without the lines that the response's own Cache-Control or Connection
    names."""
    return head_of(fields, [intern_text(name) for name in nominated], [intern_text(name) for name in left_out])


def stored_fields(bytes head not None):
    """The lines of a stored head, as Fields that can be edited."""
    return fields_of(head)


def stored_value(bytes head not None, str name not None):
    """The combined value of a name's lines (RFC 9110 §5.3), as bytes; None where there are none."""
    return head_value(head, intern_text(name))


cdef bytes head_of(Fields fields, list nominated, list left_out):
    """`nominated` by Connection and `left_out` by Cache-Control are lists of FieldName, or None."""
    cdef Py_ssize_t i, size = 0
    cdef bytes head
    cdef char* at
    for i in range(fields.total):
        if _is_kept(fields.name_at(i), nominated, left_out):
            size += PyBytes_GET_SIZE(fields.name_at(i).wire) + fields.lines[i].size + 4
    head = PyBytes_FromStringAndSize(NULL, size)
    at = PyBytes_AS_STRING(head)
    for i in range(fields.total):
        if _is_kept(fields.name_at(i), nominated, left_out):
            at = _put(_put(at, PyBytes_AS_STRING(fields.name_at(i).wire), PyBytes_GET_SIZE(fields.name_at(i).wire)), b": ", 2)
            at = _put(_put(at, fields.lines[i].at, fields.lines[i].size), b"\r\n", 2)
    return head


cdef bint _is_kept(FieldName name, list nominated, list left_out) except -1:
    if name.traits & HOP_BY_HOP or name.id == CONTENT_LENGTH or name.id == AGE:
        return False
    return (nominated is None or name not in nominated) and (left_out is None or name not in left_out)


cdef inline char* _put(char* at, const char* data, Py_ssize_t size) noexcept:
    memcpy(at, data, size)
    return at + size


cdef Fields fields_of(bytes head):
    """Values are spans of `head`, which the Fields hold: nothing is copied."""
    cdef Fields fields = Fields.__new__(Fields)
    cdef const char* at = PyBytes_AS_STRING(head)
    cdef const char* end = at + PyBytes_GET_SIZE(head)
    cdef const char* colon
    cdef const char* next_line
    fields.head = head
    while at < end:
        next_line = _next_line(at, end)
        colon = <const char*> memchr(at, c":", next_line - at)
        if colon is NULL or next_line - colon < 4:
            raise ValueError("not the head of a stored response")
        fields.append_span(intern_span(at, colon - at), colon + 2, next_line - colon - 4)
        at = next_line
    return fields


cdef bytes head_value(bytes head, FieldName name):
    """The combined value of a name's lines, or None; of Set-Cookie the first. No object is made but the answer."""
    cdef const char* at = PyBytes_AS_STRING(head)
    cdef const char* end = at + PyBytes_GET_SIZE(head)
    cdef const char* next_line
    cdef bytes value = None
    while True:
        at = _find_line(at, end, name)
        if at is NULL:
            return value
        next_line = _next_line(at, end)
        at += PyBytes_GET_SIZE(name.wire) + 2
        if next_line - at < 2:
            raise ValueError("not the head of a stored response")
        if value is None:
            value = at[:next_line - at - 2]
        else:
            value += (b"; " if name.id == COOKIE else b", ") + at[:next_line - at - 2]
        if name.id == SET_COOKIE:
            return value
        at = next_line


cdef const char* _find_line(const char* at, const char* end, FieldName name) noexcept:
    """The next line of this name from the line at `at` on, or NULL."""
    cdef const char* wire = PyBytes_AS_STRING(name.wire)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name.wire)
    while end - at > size + 3:
        if at[0] == wire[0] and at[size] == c":" and memcmp(at, wire, size) == 0:
            return at
        at = _next_line(at, end)
    return NULL


cdef inline const char* _next_line(const char* at, const char* end) noexcept:
    cdef const char* feed = <const char*> memchr(at, c"\n", end - at)
    return end if feed is NULL else feed + 1
