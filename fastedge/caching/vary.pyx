"""Vary (RFC 9111 §4.1): what a stored response's request said in the fields that it names, and whether another says the same.

Compared is what the origin saw: the client's lines, unless the plan replaces them, and those that the plan adds. Packed it is
a line for each name, b"name: value\\n", or b"name\\n" where the origin saw none; the names in their order.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.string cimport memchr, memcmp, memcpy

from fastedge._core.fields cimport (
    CDN_LOOP, CONNECTION, COOKIE, EXPECT, HOP_BY_HOP, HOST, INTERNED, REWRITTEN, VIA, X_FORWARDED_HOST,
    X_FORWARDED_PROTO, FieldName, Fields, intern_span, intern_wire,
)
from fastedge._core.message cimport OriginField, Plan, Request
from fastedge.caching.structured cimport is_token
from fastedge.caching.values cimport Span, next_member, normalise
from fastedge.limits import cache_vary_fields_max

cdef extern from "strings.h" nogil:
    int strncasecmp(const char*, const char*, size_t)

cdef Py_ssize_t NAMES_MAX = cache_vary_fields_max

cdef enum:
    VALUE_INLINE = 1024     # a longer value is compared in memory of its own


def objection_to(bytes vary not None):
    """The Python face of `objection`."""
    return objection(vary)


def packed(bytes vary not None, Request request not None, Plan plan not None):
    """The Python face of `pack`."""
    return pack(vary, request, plan)


def is_match(bytes packed, Request request not None, Plan plan not None):
    """The Python face of `matches`."""
    return matches(packed, request, plan)


cdef str objection(bytes vary):
    """Why a response with this Vary cannot be stored: vary_star (also for what is no field name), vary_edge where it names
    a field that the edge writes for each client, vary_fields where it names too many; or None."""
    cdef list names
    cdef bytes name
    cdef FieldName field
    if vary is None:
        return None
    names = _members(vary)
    for name in names:
        if name == b"*" or not is_token(name):
            return "vary_star"
        field = intern_wire(name)
        if not _is_keyed(field) and (field.traits & (HOP_BY_HOP | REWRITTEN) or field.id in (VIA, CDN_LOOP, EXPECT)):
            return "vary_edge"
    return "vary_fields" if len(names) > NAMES_MAX else None


cdef bytes pack(bytes vary, Request request, Plan plan):
    """What `request` says in the fields that `vary` names, of which `objection` had none; None where that is nothing."""
    cdef FieldName field
    cdef list lines = []
    if vary is None:
        return None
    for name in _members(vary):
        field = intern_wire(name)
        if not _is_keyed(field):
            lines.append(_line_of(field, request, plan))
    return b"".join(lines) or None


cdef bytes selection(bytes packed, Request request, Plan plan):
    """What `request` says in the fields that another one's packed Vary names."""
    return None if packed is None else b"".join(
        [_line_of(intern_wire(line.partition(b":")[0]), request, plan) for line in packed.splitlines()]
    )


cdef bint matches(bytes packed, Request request, Plan plan) except -1:
    """Whether the origin would see of `request` what it saw of the packed one."""
    cdef const char* at
    cdef const char* end
    cdef const char* line_end
    cdef const char* colon
    if packed is None:
        return True
    at = PyBytes_AS_STRING(packed)
    end = at + len(packed)
    while at < end:
        line_end = <const char*> memchr(at, c"\n", end - at)
        colon = <const char*> memchr(at, c":", line_end - at)
        if colon is NULL:
            if not _is_same(intern_span(at, line_end - at), NULL, -1, request, plan):
                return False
        elif not _is_same(intern_span(at, colon - at), colon + 2, line_end - colon - 2, request, plan):
            return False
        at = line_end + 1
    return True


cdef bint reaches_origin(FieldName name, Request request, Plan plan) except -1:
    """Whether the origin gets a line of that name which is the client's own, or a stage's that is not in the key."""
    cdef Py_ssize_t first = _last_replacing(plan, name)
    cdef OriginField edit
    for edit in plan.edits[max(first, 0):]:
        if _is_one(<PyObject*> edit.name, name) and edit.value is not None and not edit.keyed:
            return True
    return first < 0 and _client_says(name, request)


cdef bint is_varied(bytes packed, FieldName name) except -1:
    """Whether `name` is among what was packed."""
    return packed is not None and any(line.partition(b":")[0] == name.wire for line in packed.splitlines())


cdef list _members(bytes vary):
    """The names, sorted, each once."""
    return sorted({name for part in vary.lower().split(b",") if (name := part.strip(b" \t"))})


cdef bint _is_keyed(FieldName name) noexcept:
    """Written by the edge from what stands in the key."""
    return name.id in (HOST, X_FORWARDED_HOST, X_FORWARDED_PROTO)


cdef inline bint _is_one(PyObject* one, FieldName other) noexcept:
    """One name has one object, unless it came after the memo was full."""
    return one == <PyObject*> other or (not other.traits & INTERNED and (<FieldName> one).wire == other.wire)


# --- what the origin sees of a field ----------------------------------------------------------------------------------


cdef bytes _line_of(FieldName name, Request request, Plan plan):
    cdef bytes value = PyBytes_FromStringAndSize(NULL, _room(request, plan))
    cdef Py_ssize_t size = _write(PyBytes_AS_STRING(value), name, request, plan)
    return b"%b\n" % name.wire if size < 0 else b"%b: %b\n" % (name.wire, value[:size])


cdef bint _is_same(FieldName name, const char* at, Py_ssize_t size, Request request, Plan plan) except -1:
    """`size` is negative where the origin saw none."""
    cdef char inline_value[VALUE_INLINE]
    cdef char* value = inline_value
    cdef Py_ssize_t seen, room = _room(request, plan)
    if room > VALUE_INLINE:
        value = <char*> PyMem_Malloc(room)
        if value is NULL:
            raise MemoryError()
    seen = _write(value, name, request, plan)
    try:
        return seen == size and (size <= 0 or memcmp(value, at, size) == 0)
    finally:
        if value is not inline_value:
            PyMem_Free(value)


cdef Py_ssize_t _room(Request request, Plan plan) noexcept:
    """No combined value is longer: every line with its separator."""
    cdef Py_ssize_t i, room = 0
    cdef OriginField edit
    for i in range(request.fields.total):
        room += request.fields.lines[i].size + 2
    for i in range(len(plan.edits)):
        edit = <OriginField> plan.edits[i]
        room += 2 if edit.value is None else len(edit.value) + 2
    return room


cdef Py_ssize_t _write(char* out, FieldName name, Request request, Plan plan) noexcept:
    """The lines of `name` joined and normalised; gives the size, -1 where there are none."""
    cdef Fields fields = request.fields
    cdef OriginField edit
    cdef char separator = c";" if name.id == COOKIE else c","
    cdef Py_ssize_t i, size = -1, first = _last_replacing(plan, name)
    if first < 0 and fields.may_have(name.id) and not _is_nominated(name, fields):
        for i in range(fields.total):
            if _is_one(fields.lines[i].name, name):
                size = _join(out, size, separator, fields.lines[i].at, fields.lines[i].size)
    for i in range(max(first, 0), len(plan.edits)):
        edit = <OriginField> plan.edits[i]
        if edit.value is not None and _is_one(<PyObject*> edit.name, name):
            size = _join(out, size, separator, PyBytes_AS_STRING(edit.value), len(edit.value))
    return -1 if size < 0 else normalise(out, size, name)


cdef inline Py_ssize_t _join(char* out, Py_ssize_t size, char separator, const char* at, Py_ssize_t more) noexcept:
    if size >= 0:
        out[size] = separator
        out[size + 1] = c" "
    size = size + 2 if size >= 0 else 0
    memcpy(out + size, at, more)
    return size + more


cdef Py_ssize_t _last_replacing(Plan plan, FieldName name) noexcept:
    """The edit before which no line of that name counts; -1 where the client's do."""
    cdef OriginField edit
    cdef Py_ssize_t i, found = -1
    for i in range(len(plan.edits)):
        edit = <OriginField> plan.edits[i]
        if edit.replaces and _is_one(<PyObject*> edit.name, name):
            found = i
    return found


cdef bint _client_says(FieldName name, Request request) noexcept:
    cdef Fields fields = request.fields
    return fields.may_have(name.id) and fields.count(name) > 0 and not _is_nominated(name, fields)


cdef bint _is_nominated(FieldName name, Fields fields) noexcept:
    """Connection keeps its lines on their hop (RFC 9110 §7.6.1)."""
    cdef Py_ssize_t i
    if fields.may_have(CONNECTION):
        for i in range(fields.total):
            if fields.name_at(i).id == CONNECTION and _is_listed(name.wire, fields.lines[i].at, fields.lines[i].size):
                return True
    return False


cdef bint _is_listed(bytes name, const char* at, Py_ssize_t size) noexcept:
    cdef const char* end = at + size
    cdef Span member
    while at < end:
        at = next_member(at, end, &member)
        if member.size == len(name) and strncasecmp(member.at, PyBytes_AS_STRING(name), member.size) == 0:
            return True
    return False
