"""Vary (RFC 9111 §4.1): what a stored response's request said in the fields that it names, and whether another says the same.

Compared is what the origin saw: the client's lines, unless the plan replaces them, and those that the plan adds. Packed it is
a line for each name, b"name: value\\n", or b"name\\n" where the origin saw none; the names in their order.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.string cimport memchr, memcmp, memcpy, memmove

from fastedge._core.fields cimport (
    ACCEPT_ENCODING, CDN_LOOP, CONNECTION, COOKIE, EXPECT, HOP_BY_HOP, HOST, INTERNED, REWRITTEN, VIA, X_FORWARDED_HOST,
    X_FORWARDED_PROTO, FieldName, Fields, intern_span, intern_wire,
)
from fastedge._core.message cimport OriginField, Plan, Request
from fastedge.caching.structured cimport is_token_char
from fastedge.limits import cache_vary_fields_max

cdef extern from "strings.h" nogil:
    int strncasecmp(const char*, const char*, size_t)

cdef Py_ssize_t NAMES_MAX = cache_vary_fields_max

cdef enum:
    VALUE_INLINE = 1024     # a longer value is compared in memory of its own
    CODINGS_MAX = 16        # in an Accept-Encoding that is put in order; others are compared as they are
    CODINGS_BYTES_MAX = 256
    SPELLINGS = 64          # of Accept-Encoding that are remembered with their normal form
    SPELLING_BYTES_MAX = 112

cdef struct Span:
    const char* at
    Py_ssize_t size

cdef struct Spelling:
    Py_ssize_t size
    Py_ssize_t normal_size
    char text[SPELLING_BYTES_MAX]
    char normal[SPELLING_BYTES_MAX]

cdef Spelling _spellings[SPELLINGS]


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
        if name == b"*" or not _is_token(name):
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


cdef bint _is_token(bytes name) noexcept:
    cdef const char* at = PyBytes_AS_STRING(name)
    cdef Py_ssize_t i
    for i in range(len(name)):
        if not is_token_char(at[i]):
            return False
    return True


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
    return _normal_codings(out, size) if name.id == ACCEPT_ENCODING else _squeeze(out, size)


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
        at = _next_member(at, end, &member)
        if member.size == len(name) and strncasecmp(member.at, PyBytes_AS_STRING(name), member.size) == 0:
            return True
    return False


# --- the normal form of a value ---------------------------------------------------------------------------------------


cdef const char* _next_member(const char* at, const char* end, Span* member) noexcept:
    """What stands before the next comma, without white space; gives what is behind the comma."""
    cdef const char* stop = <const char*> memchr(at, c",", end - at)
    cdef const char* behind = end if stop is NULL else stop + 1
    if stop is NULL:
        stop = end
    while at < stop and (at[0] == c" " or at[0] == c"\t"):
        at += 1
    while at < stop and ((stop - 1)[0] == c" " or (stop - 1)[0] == c"\t"):
        stop -= 1
    member.at = at
    member.size = stop - at
    return behind


cdef Py_ssize_t _squeeze(char* value, Py_ssize_t size) noexcept:
    """Takes out the white space around commas, in place; not between quotes."""
    cdef Py_ssize_t i = 0, kept = 0
    cdef bint quoted = False, after_comma = False
    while i < size:
        if quoted and value[i] == c"\\" and i + 1 < size:
            value[kept] = value[i]
            kept += 1
            i += 1
        elif value[i] == c'"':
            quoted = not quoted
        elif value[i] == c"," and not quoted:
            while kept and (value[kept - 1] == c" " or value[kept - 1] == c"\t"):
                kept -= 1
            after_comma = True
            value[kept] = c","
            kept += 1
            i += 1
            continue
        elif after_comma and (value[i] == c" " or value[i] == c"\t"):
            i += 1
            continue
        after_comma = False
        value[kept] = value[i]
        kept += 1
        i += 1
    return min(kept, size)


cdef Py_ssize_t _normal_codings(char* value, Py_ssize_t size) noexcept:
    """Accept-Encoding's normal form, in place; remembered, as there are only so many browsers."""
    cdef Spelling* known
    if not 0 < size <= SPELLING_BYTES_MAX:
        return _put_in_order(value, _squeeze(value, size))
    known = &_spellings[(size * 31 + <unsigned char> value[size >> 1]) % SPELLINGS]
    if known.size != size or memcmp(known.text, value, size) != 0:
        known.size = size
        memcpy(known.text, value, size)
        known.normal_size = _put_in_order(value, _squeeze(value, size))
        memcpy(known.normal, value, known.normal_size)
    memcpy(value, known.normal, known.normal_size)
    return known.normal_size


cdef Py_ssize_t _put_in_order(char* value, Py_ssize_t size) noexcept:
    """Accept-Encoding as the sorted set of the codings that it accepts: b"br,gzip". What names "*", or refuses what it would
    otherwise accept (identity;q=0), stays as it is: there the rest matters too."""
    cdef Span codings[CODINGS_MAX]
    cdef Span coding
    cdef const char* at = value
    cdef const char* end = value + size
    cdef Py_ssize_t count = 0
    cdef bint accepted
    if not 0 < size <= CODINGS_BYTES_MAX:
        return size
    while at < end:
        at = _next_member(at, end, &coding)
        accepted = _read_coding(&coding)
        if _is_coding(&coding, b"*", 1) or (not accepted and _is_coding(&coding, b"identity", 8)) or count == CODINGS_MAX:
            return size
        if accepted:
            count = _insert(codings, count, coding)
    return _write_codings(value, codings, count)


cdef bint _read_coding(Span* coding) noexcept:
    """Leaves the coding's name alone; False where it is refused, or there is none."""
    cdef const char* end = coding.at + coding.size
    cdef const char* at = coding.at
    while at < end and is_token_char(at[0]):
        at += 1
    coding.size = at - coding.at
    if _is_coding(coding, b"x-gzip", 6) or _is_coding(coding, b"x-compress", 10):     # RFC 9110 §8.4.1
        coding.at += 2
        coding.size -= 2
    return coding.size > 0 and not _is_refusal(at, end)


cdef bint _is_refusal(const char* at, const char* end) noexcept:
    """;q=0 up to ;q=0.000"""
    while at < end and (at[0] == c" " or at[0] == c"\t" or at[0] == c";"):
        at += 1
    if end - at < 3 or (at[0] | 0x20) != c"q" or at[1] != c"=":
        return False
    at += 2
    while at < end and (at[0] == c"0" or at[0] == c"."):
        at += 1
    return at == end


cdef inline bint _is_coding(Span* coding, const char* name, Py_ssize_t size) noexcept:
    return coding.size == size and strncasecmp(coding.at, name, size) == 0


cdef Py_ssize_t _insert(Span* codings, Py_ssize_t count, Span coding) noexcept:
    """In order, unless it is there already; gives the new count."""
    cdef Py_ssize_t i = count
    cdef int order
    while i > 0:
        order = _compare(&codings[i - 1], &coding)
        if order == 0:
            return count
        if order < 0:
            break
        i -= 1
    memmove(&codings[i + 1], &codings[i], (count - i) * sizeof(Span))
    codings[i] = coding
    return count + 1


cdef inline int _compare(Span* one, Span* other) noexcept:
    cdef int order = strncasecmp(one.at, other.at, min(one.size, other.size))
    return order if order else <int> (one.size - other.size)


cdef Py_ssize_t _write_codings(char* value, Span* codings, Py_ssize_t count) noexcept:
    cdef char sorted_value[CODINGS_BYTES_MAX + 1]
    cdef Py_ssize_t i, k, size = 0
    for i in range(count):
        for k in range(codings[i].size):
            sorted_value[size] = codings[i].at[k] | 0x20 if c"A" <= codings[i].at[k] <= c"Z" else codings[i].at[k]
            size += 1
        sorted_value[size] = c","
        size += 1
    size = max(size - 1, 0)
    memcpy(value, sorted_value, size)
    return size
