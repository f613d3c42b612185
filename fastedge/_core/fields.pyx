"""Field names and field lines of one message (RFC 9110 §5).

Names are lower-cased and interned once, where they enter; afterwards two names are equal when they are one object.
Never folds, guesses or repairs a value: what cannot stand in a field line is refused.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.dict cimport PyDict_GetItem
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from cpython.unicode cimport PyUnicode_AsLatin1String
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy

from fastedge._core.reads cimport EVERY_FIELD
from fastedge.limits import field_name_learned_bytes_max, field_names_learned_max

# The one table of the names that the edge itself acts on: identifier, name, traits.
_TABLE = (
    (HOST, b"host", NOT_IN_TRAILER | REWRITTEN),
    (CONTENT_LENGTH, b"content-length", NOT_IN_TRAILER | REWRITTEN),
    (TRANSFER_ENCODING, b"transfer-encoding", HOP_BY_HOP | NOT_IN_TRAILER),
    (CONNECTION, b"connection", HOP_BY_HOP | NOT_IN_TRAILER),
    (KEEP_ALIVE, b"keep-alive", HOP_BY_HOP | NOT_IN_TRAILER),
    (PROXY_CONNECTION, b"proxy-connection", HOP_BY_HOP | NOT_IN_TRAILER),
    (PROXY_AUTHENTICATE, b"proxy-authenticate", HOP_BY_HOP | NOT_IN_TRAILER),
    (PROXY_AUTHORIZATION, b"proxy-authorization", HOP_BY_HOP | NOT_IN_TRAILER),
    (TE, b"te", HOP_BY_HOP | NOT_IN_TRAILER),
    (TRAILER, b"trailer", NOT_IN_TRAILER),
    (UPGRADE, b"upgrade", HOP_BY_HOP | NOT_IN_TRAILER),
    (EXPECT, b"expect", NOT_IN_TRAILER),
    (AUTHORIZATION, b"authorization", NOT_IN_TRAILER),
    (COOKIE, b"cookie", NOT_IN_TRAILER),
    (SET_COOKIE, b"set-cookie", NOT_IN_TRAILER),
    (VIA, b"via", NOT_IN_TRAILER),
    (CDN_LOOP, b"cdn-loop", NOT_IN_TRAILER),
    (FORWARDED, b"forwarded", NOT_IN_TRAILER | REWRITTEN),
    (X_FORWARDED_FOR, b"x-forwarded-for", NOT_IN_TRAILER | REWRITTEN),
    (X_FORWARDED_HOST, b"x-forwarded-host", NOT_IN_TRAILER | REWRITTEN),
    (X_FORWARDED_PROTO, b"x-forwarded-proto", NOT_IN_TRAILER | REWRITTEN),
    (DATE, b"date", 0),
    (AGE, b"age", NOT_IN_TRAILER),
    (CACHE_STATUS, b"cache-status", NOT_IN_TRAILER),
    (PROXY_STATUS, b"proxy-status", NOT_IN_TRAILER),
    (CACHE_CONTROL, b"cache-control", NOT_IN_TRAILER),
    (PRAGMA, b"pragma", NOT_IN_TRAILER),
    (EXPIRES, b"expires", NOT_IN_TRAILER),
    (ETAG, b"etag", 0),
    (LAST_MODIFIED, b"last-modified", NOT_IN_TRAILER),
    (VARY, b"vary", NOT_IN_TRAILER),
    (IF_MATCH, b"if-match", NOT_IN_TRAILER | CONDITIONAL),
    (IF_NONE_MATCH, b"if-none-match", NOT_IN_TRAILER | CONDITIONAL),
    (IF_MODIFIED_SINCE, b"if-modified-since", NOT_IN_TRAILER | CONDITIONAL),
    (IF_UNMODIFIED_SINCE, b"if-unmodified-since", NOT_IN_TRAILER | CONDITIONAL),
    (IF_RANGE, b"if-range", NOT_IN_TRAILER | CONDITIONAL),
    (RANGE, b"range", NOT_IN_TRAILER | CONDITIONAL),
    (ACCEPT_RANGES, b"accept-ranges", NOT_IN_TRAILER),
    (CONTENT_RANGE, b"content-range", NOT_IN_TRAILER),
    (CONTENT_TYPE, b"content-type", NOT_IN_TRAILER),
    (CONTENT_ENCODING, b"content-encoding", NOT_IN_TRAILER),
    (CONTENT_LOCATION, b"content-location", NOT_IN_TRAILER),
    (LOCATION, b"location", NOT_IN_TRAILER),
    (ACCEPT_ENCODING, b"accept-encoding", NOT_IN_TRAILER),
    (WARNING, b"warning", NOT_IN_TRAILER),
    (CDN_CACHE_CONTROL, b"cdn-cache-control", NOT_IN_TRAILER),
    (EDGE_CACHE_CONTROL, b"edge-cache-control", HOP_BY_HOP | NOT_IN_TRAILER),
    (SURROGATE_CONTROL, b"surrogate-control", HOP_BY_HOP | NOT_IN_TRAILER),
    (CACHE_GROUPS, b"cache-groups", NOT_IN_TRAILER),
    (CACHE_GROUP_INVALIDATION, b"cache-group-invalidation", NOT_IN_TRAILER),
    (CACHE_TAG, b"cache-tag", NOT_IN_TRAILER),
    (SURROGATE_KEY, b"surrogate-key", NOT_IN_TRAILER),
    (XKEY, b"xkey", NOT_IN_TRAILER),
    (OTHER, b"max-forwards", NOT_IN_TRAILER),
    (OTHER, b"www-authenticate", NOT_IN_TRAILER),
)

_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

# Spelling → FieldName. Bounded, append-only memos: an entry never changes, so they are not state that anyone can see.
cdef dict _by_wire = {}
cdef dict _by_text = {}
cdef list _by_id = [None] * 64

# The same spellings by a hash of the span, for the wire: no object is made to look a name up. What finds no place here
# is found in `_by_wire`, whose references these are.
cdef enum:
    SLOTS = 8192
    PROBES_MAX = 4

cdef struct Slot:
    void* raw
    void* name

cdef Slot _slots[SLOTS]


@cython.final
cdef class FieldName:
    """A field's name: `text` is its lower-case spelling. Made by this module only."""

    def __eq__(self, other):
        return isinstance(other, FieldName) and self.wire == (<FieldName> other).wire

    def __hash__(self):
        return hash(self.wire)

    def __repr__(self):
        return f"FieldName({self.text!r})"


cdef FieldName _make(bytes lower, int field_id, int traits):
    cdef FieldName name = FieldName.__new__(FieldName)
    name.wire = lower
    name.text = lower.decode("latin-1")
    name.id = field_id
    name.traits = traits | (OWN | FORGEABLE if lower.startswith(b"edge-") else FORGEABLE if b"_" in lower else 0)
    return name


cdef FieldName _learn(bytes raw):
    cdef bytes lower = raw.lower()
    cdef object found = _by_wire.get(lower)
    cdef FieldName name = <FieldName> found if found is not None else _make(lower, OTHER, 0)
    if len(_by_wire) < field_names_learned_max and len(raw) <= field_name_learned_bytes_max:
        name.traits |= INTERNED
        _remember(lower, name)
        _remember(raw, name)
    return name


cdef int _remember(bytes spelling, FieldName name) except -1:
    cdef Py_ssize_t i, place
    if spelling in _by_wire:
        return 0
    _by_wire[spelling] = name
    place = _place(PyBytes_AS_STRING(spelling), len(spelling))
    for i in range(PROBES_MAX):
        if _slots[(place + i) % SLOTS].raw is NULL:
            _slots[(place + i) % SLOTS].raw = <void*> spelling
            _slots[(place + i) % SLOTS].name = <void*> name
            break
    return 0


cdef inline Py_ssize_t _place(const char* at, Py_ssize_t size) noexcept:
    """Mixes the size with the first and the last eight bytes."""
    cdef uint64_t head = 0, tail = 0
    memcpy(&head, at, 8 if size > 8 else size)
    if size > 8:
        memcpy(&tail, at + size - 8, 8)
    head = (head ^ (tail * <uint64_t> 0x9E3779B97F4A7C15) ^ <uint64_t> size) * <uint64_t> 0xD6E8FEB86659FD93
    return <Py_ssize_t> ((head >> 32) % SLOTS)


cdef FieldName intern_span(const char* at, Py_ssize_t size):
    """As intern_wire, of bytes that stand in a head."""
    cdef Py_ssize_t i, place = _place(at, size)
    cdef Slot* slot
    for i in range(PROBES_MAX):
        slot = &_slots[(place + i) % SLOTS]
        if slot.raw is NULL:
            break
        if len(<bytes> slot.raw) == size and memcmp(PyBytes_AS_STRING(<bytes> slot.raw), at, size) == 0:
            return <FieldName> slot.name
    return intern_wire(at[:size])


cdef FieldName intern_wire(bytes raw):
    """The name that the wire spelled `raw`; its characters were checked by whoever parsed it."""
    cdef void* found = <void*> PyDict_GetItem(_by_wire, raw)
    if found is not NULL:
        return <FieldName> found
    return _learn(raw)


cdef FieldName intern_text(str text):
    """The name that a person spelled `text`, in any case; ValueError when it is no token (RFC 9110 §5.1)."""
    cdef void* found = <void*> PyDict_GetItem(_by_text, text)
    cdef FieldName name
    if found is not NULL:
        return <FieldName> found
    raw = text.encode("latin-1", "replace")
    if not raw or not _TOKEN.issuperset(raw):
        raise ValueError(f"{text!r} is not a field name")
    name = intern_wire(raw.lower())
    if len(_by_text) < field_names_learned_max and len(text) <= field_name_learned_bytes_max:
        _by_text[text] = name
    return name


cdef FieldName known(int field_id):
    """The name with this identifier; for module constants, not for hot paths."""
    return <FieldName> _by_id[field_id]


for _field_id, _wire, _traits in _TABLE:
    _name = _make(_wire, _field_id, _traits | INTERNED)
    for _spelling in (_wire, _wire.title()):
        _remember(_spelling, _name)
    if _field_id:
        _by_id[_field_id] = _name

cdef FieldName _set_cookie = known(SET_COOKIE)
cdef FieldName _cookie = known(COOKIE)


cdef bytes value_to_wire(object value):
    """A field value as bytes, without surrounding white space; ValueError for CR, LF, NUL or what is not Latin-1."""
    cdef bytes wire
    cdef const unsigned char* at
    cdef Py_ssize_t i, size
    if type(value) is bytes:
        wire = <bytes> value
    else:
        if not isinstance(value, str):
            raise TypeError(f"a field value is str, not {type(value).__name__}")
        try:
            wire = PyUnicode_AsLatin1String(value)
        except UnicodeEncodeError:
            raise ValueError("a field value has characters beyond Latin-1; percent-encode them") from None
    at = wire
    size = len(wire)
    for i in range(size):
        if at[i] < 0x20 and at[i] != 0x09 or at[i] == 0x7F:
            raise ValueError("a field value has a control character")
    if size and (at[0] <= 0x20 or at[size - 1] <= 0x20):
        return wire.strip(b" \t")
    return wire


@cython.final
@cython.freelist(256)
cdef class Fields:
    """The field lines of a message in their order: a multi-dictionary of `str` to `str` (values are Latin-1).

    Names may be given in any case and come out in lower case. `fields["x"]` gives the combined value of RFC 9110
    §5.3, lines joined by ", " (cookies by "; "; of Set-Cookie the first line). A request's fields are frozen.
    """

    def __cinit__(self, items=()):
        self.lines = self.inline_lines
        self.room = LINES_INLINE

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.total):
            Py_DECREF(<object> self.lines[i].name)
            Py_XDECREF(self.lines[i].value)
        if self.lines is not self.inline_lines:
            PyMem_Free(self.lines)

    def __init__(self, items=()):
        if type(items) is dict:
            for name, value in (<dict> items).items():
                self.append(intern_text(name), value_to_wire(value))
            return
        pairs = items.items() if hasattr(items, "items") else items
        for name, value in pairs:
            self.append(intern_text(name), value_to_wire(value))

    # --- C face -------------------------------------------------------------------------------------------------

    cdef bytes value_at(self, Py_ssize_t i):
        cdef Line* line = &self.lines[i]
        cdef bytes value
        if line.value is NULL:
            value = line.at[:line.size]
            Py_INCREF(value)
            line.value = <PyObject*> value
        return <bytes> line.value

    cdef int append(self, FieldName name, bytes value) except -1:
        self.append_span(name, PyBytes_AS_STRING(value), len(value))
        Py_INCREF(value)
        self.lines[self.total - 1].value = <PyObject*> value
        return 0

    cdef int append_span(self, FieldName name, const char* at, Py_ssize_t size) except -1:
        """A line whose value stands in `head`, which the caller has set: no object is made of it until one is asked for."""
        cdef Line* line
        if self.total == self.room:
            self.grow()
        line = &self.lines[self.total]
        Py_INCREF(name)
        line.name = <PyObject*> name
        line.at = at
        line.size = size
        line.value = NULL
        self.total += 1
        self.seen |= <unsigned long long> 1 << name.id
        return 0

    cdef int grow(self) except -1:
        cdef Line* more = <Line*> PyMem_Malloc(2 * self.room * sizeof(Line))
        if more is NULL:
            raise MemoryError()
        memcpy(more, self.lines, self.total * sizeof(Line))
        if self.lines is not self.inline_lines:
            PyMem_Free(self.lines)
        self.lines = more
        self.room *= 2
        return 0

    cdef bytes find(self, FieldName name):
        """The first line's value, or None."""
        cdef Py_ssize_t i
        for i in range(self.total):
            if _same(self.name_at(i), name):
                return self.value_at(i)
        return None

    cdef Py_ssize_t count(self, FieldName name) noexcept:
        cdef Py_ssize_t i, lines = 0
        for i in range(self.total):
            if _same(self.name_at(i), name):
                lines += 1
        return lines

    cdef bytes combined(self, FieldName name):
        """All lines joined (RFC 9110 §5.3), or None."""
        cdef Py_ssize_t lines = self.count(name)
        if lines == 0:
            return None
        if lines == 1 or name is _set_cookie:
            return self.find(name)
        return (b"; " if name is _cookie else b", ").join(self._lines(name))

    cdef int put(self, FieldName name, bytes value) except -1:
        self.drop(name)
        self.append(name, value)
        return 0

    cdef int drop(self, FieldName name) except -1:
        cdef Py_ssize_t i, kept = 0
        for i in range(self.total):
            if _same(self.name_at(i), name):
                Py_DECREF(<object> self.lines[i].name)
                Py_XDECREF(self.lines[i].value)
            else:
                self.lines[kept] = self.lines[i]
                kept += 1
        self.total = kept
        return 0

    cdef Fields copy_fields(self):
        cdef Fields twin = Fields.__new__(Fields)
        cdef Line* line
        cdef Py_ssize_t i
        twin.head = self.head
        for i in range(self.total):
            line = &self.lines[i]
            if line.value is NULL:
                twin.append_span(<FieldName> line.name, line.at, line.size)
            else:
                twin.append(<FieldName> line.name, <bytes> line.value)
        return twin

    cdef int note_read(self, object what) noexcept:
        """For the Python face alone: what the edge itself reads is its own business."""
        if self.reads is not None:
            self.reads.note(what)
        return 0

    cdef FieldName asked(self, str name):
        cdef FieldName field = intern_text(name)
        self.note_read(field)
        return field

    # --- Python face --------------------------------------------------------------------------------------------

    def get(self, str name, default=None):
        """The combined value of all lines of `name`, or `default`."""
        value = self.combined(self.asked(name))
        return default if value is None else value.decode("latin-1")

    def get_all(self, str name):
        """The values of all lines of `name`, in order."""
        return [value.decode("latin-1") for value in self._lines(self.asked(name))]

    def set(self, str name, value):
        """Replaces every line of `name` by one."""
        self._check_mutable()
        self.put(intern_text(name), value_to_wire(value))

    def add(self, str name, value):
        """Adds a line, leaving those that are there."""
        self._check_mutable()
        self.append(intern_text(name), value_to_wire(value))

    def remove(self, str name):
        """Removes every line of `name`; none is fine too."""
        self._check_mutable()
        self.drop(intern_text(name))

    def items(self):
        """All lines as (name, value), in order."""
        self.note_read(EVERY_FIELD)
        return [(name.text, value.decode("latin-1")) for name, value in self._pairs()]

    def copy(self):
        """A copy that can be edited."""
        self.note_read(EVERY_FIELD)
        return self.copy_fields()

    def __getitem__(self, str name):
        value = self.combined(self.asked(name))
        if value is None:
            raise KeyError(name)
        return value.decode("latin-1")

    def __setitem__(self, str name, value):
        self.set(name, value)

    def __delitem__(self, str name):
        self.remove(name)

    def __contains__(self, str name):
        return self.find(self.asked(name)) is not None

    def __iter__(self):
        return iter(dict.fromkeys(name for name, _ in self.items()))

    def __len__(self):
        return self.total

    def __eq__(self, other):
        return isinstance(other, Fields) and self.items() == (<Fields> other).items()

    def __repr__(self):
        return f"Fields({self.items()!r})"

    def _check_mutable(self):
        if self.frozen:
            raise TypeError("a request's fields cannot be changed; edit ctx.plan")
        self.touched = True

    def _lines(self, FieldName name):
        return [value for other, value in self._pairs() if _same(<FieldName> other, name)]

    def _pairs(self):
        return [(self.name_at(i), self.value_at(i)) for i in range(self.total)]


cdef inline bint _same(FieldName one, FieldName other) noexcept:
    """One name has one object, unless it came after the memo was full: then its bytes decide."""
    return one is other or (not (one.traits & INTERNED) and not (other.traits & INTERNED) and one.wire == other.wire)
