"""The data section of an MMDB (MaxMind DB format 2.0, "Data Section"): some values of each record, the rest skipped.

Never reads outside the section; bytes that are no value, go too deep, or have no end are a ConfigError.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memcmp

from fastedge.errors import ConfigError
from fastedge.limits import geo_data_steps_max, geo_text_bytes_max

cdef enum Type:
    EXTENDED = 0
    POINTER = 1
    TEXT = 2
    DOUBLE = 3
    RAW = 4
    U16 = 5
    U32 = 6
    MAP = 7
    I32 = 8
    U64 = 9
    U128 = 10
    ARRAY = 11
    BOOLEAN = 14
    FLOAT = 15

cdef enum:
    DEPTH_MAX = 32
    NOWHERE = -1    # no path goes on from here
    TREE_GAP = 16   # zero bytes between the tree and the data

cdef Py_ssize_t TEXT_MAX = geo_text_bytes_max
cdef long long STEPS_MAX = geo_data_steps_max


cdef struct Value:
    int type
    Py_ssize_t size     # bytes, entries of a map or an array, or the truth of a boolean
    Py_ssize_t at       # its first byte or entry
    Py_ssize_t next     # what follows it in the section; only for what has no entries
    bint pointed        # it stands elsewhere


@cython.final
cdef class Section:
    """Bytes `start` to `end` of `data`; pointers count from `start`."""
    cdef bytes data
    cdef const unsigned char* bytes_
    cdef Py_ssize_t start
    cdef Py_ssize_t end
    cdef long long steps

    def __init__(self, bytes data not None, Py_ssize_t start, Py_ssize_t end):
        if not 0 <= start <= end <= len(data):
            raise ConfigError("MMDB: damaged: its data section lies outside of the file")
        self.data = data
        self.bytes_ = <const unsigned char*> PyBytes_AS_STRING(data)
        self.start, self.end = start, end
        self.steps = STEPS_MAX

    cdef int read(self, Py_ssize_t at, Value* value) except -1:
        """The value at `at`, or the one that a pointer there leads to."""
        cdef Py_ssize_t behind
        self.read_control(at, value)
        value.pointed = value.type == POINTER
        if value.pointed:
            behind = value.next
            self.read_control(value.at, value)
            if value.type == POINTER:
                raise _damaged("a pointer leads to a pointer")
            value.pointed, value.next = True, behind
        return 0

    cdef int read_control(self, Py_ssize_t at, Value* value) except -1:
        cdef int control
        cdef Py_ssize_t more, i
        self.steps -= 1
        if self.steps < 0:
            raise _damaged("more than a database can have values")
        control = self.byte(at)
        at += 1
        value.type = control >> 5
        value.size = control & 31
        if value.type == POINTER:
            return self.read_pointer(at, control, value)
        if value.type == EXTENDED:
            value.type = 7 + self.byte(at)
            at += 1
        if value.size >= 29:
            more = value.size - 28
            value.size = 29 if more == 1 else 285 if more == 2 else 65821
            value.size += <Py_ssize_t> self.number(at, more)
            at += more
        value.at = at
        if value.type == BOOLEAN or value.type == MAP or value.type == ARRAY:
            value.next = at
        else:
            if value.size > self.end - at:
                raise _damaged("a value goes beyond its end")
            value.next = at + value.size
        if value.type < TEXT or value.type > FLOAT or value.type in (12, 13):
            raise _damaged(f"a value of type {value.type}")
        return 0

    cdef int read_pointer(self, Py_ssize_t at, int control, Value* value) except -1:
        cdef int more = (control >> 3 & 3) + 1
        cdef uint64_t target = self.number(at, more)
        if more < 4:
            target += <uint64_t> (control & 7) << (8 * more)
            target += 0 if more == 1 else 2048 if more == 2 else 526336
        if target >= <uint64_t> (self.end - self.start):
            raise _damaged("a pointer leads outside of its data section")
        value.at = self.start + <Py_ssize_t> target
        value.next = at + more
        return 0

    cdef int byte(self, Py_ssize_t at) except -1:
        if at < self.start or at >= self.end:
            raise _damaged("a value goes beyond its end")
        return self.bytes_[at]

    cdef uint64_t number(self, Py_ssize_t at, Py_ssize_t size) except? 0:
        """Big-endian; of more than 8 bytes the last 8."""
        cdef uint64_t found = 0
        cdef Py_ssize_t i
        if at < self.start or size > self.end - at:
            raise _damaged("a value goes beyond its end")
        for i in range(size):
            found = found << 8 | self.bytes_[at + i]
        return found

    cdef Py_ssize_t skip(self, Py_ssize_t at, int depth) except -1:
        """What follows the value at `at`."""
        cdef Value value
        self.read_control(at, &value)
        if value.type == MAP or value.type == ARRAY:
            return self.skip_entries(&value, depth)
        return value.next

    cdef Py_ssize_t skip_entries(self, Value* value, int depth) except -1:
        cdef Py_ssize_t at = value.at, i
        _check_depth(depth)
        for i in range(value.size * (2 if value.type == MAP else 1)):
            at = self.skip(at, depth + 1)
        return at

    cdef object scalar(self, Value* value):
        """A text or a whole number; None for all else."""
        if value.type == TEXT:
            try:
                return PyUnicode_DecodeUTF8(<const char*> self.bytes_ + value.at, value.size, NULL)
            except UnicodeDecodeError:
                raise _damaged("a text is not UTF-8") from None
        if value.type == U16 or value.type == U32 or value.type == U64:
            return self.number(value.at, value.size)
        if value.type == I32:
            return <int32_t> self.number(value.at, value.size)
        return None


def read_text(value, str head=""):
    """A name, without what cannot be printed, cut to what a table holds; "" for what is none."""
    cdef str text
    if not isinstance(value, str):
        return ""
    text = <str> value
    if text.isprintable() and len(text) <= TEXT_MAX // 4 and text and text[0] != " " and text[len(text) - 1] != " ":
        return text
    text = "".join(filter(str.isprintable, text)).strip()
    return text.encode("utf-8", "replace")[:TEXT_MAX].decode("utf-8", "ignore")


def decode(bytes data not None, Py_ssize_t start, Py_ssize_t end):
    """All of the value at `start`: dicts and lists of texts, whole numbers and booleans, None for other kinds."""
    cdef Section section = Section(data, start, end)
    section.steps = 10_000      # the metadata are few
    return _decoded(section, start, 0)[0]


cdef tuple _decoded(Section section, Py_ssize_t at, int depth):
    cdef Value value
    cdef Py_ssize_t i, inner
    _check_depth(depth)
    section.read(at, &value)
    inner = value.at
    if value.type == MAP:
        found = {}
        for i in range(value.size):
            key, inner = _decoded(section, inner, depth + 1)
            if not isinstance(key, str):
                raise _damaged("a key of a map is no text")
            found[key], inner = _decoded(section, inner, depth + 1)
    elif value.type == ARRAY:
        found = []
        for i in range(value.size):
            one, inner = _decoded(section, inner, depth + 1)
            found.append(one)
    else:
        found = value.size != 0 if value.type == BOOLEAN else section.scalar(&value)
        inner = value.next
    return found, value.next if value.pointed else inner


@cython.final
cdef class Node:
    """A step of the wanted paths: where each key leads, and which path ends here."""
    cdef list keys          # of bytes
    cdef list children      # of Node, in the order of their keys
    cdef Node first         # of an array: its first entry, key "0"
    cdef int slot

    def __init__(self):
        self.keys, self.children, self.slot = [], [], NOWHERE

    cdef Node child(self, const char* key, Py_ssize_t size):
        cdef bytes known
        cdef Py_ssize_t i
        for i in range(len(self.keys)):
            known = <bytes> self.keys[i]
            if len(known) == size and memcmp(PyBytes_AS_STRING(known), key, size) == 0:
                return <Node> self.children[i]
        return None


@cython.final
cdef class Fact:
    """One thing to be known: the slots where it may stand, how it is read, and what was read before, or None."""
    cdef int first
    cdef int end
    cdef object read
    cdef object blank
    cdef dict known


@cython.final
cdef class Extractor:
    """Takes facts out of records. `facts`: (paths, read, repeats, blank) of each: the first path counts at which `read(value,
    first fact)` gives something; a path is keys from a record's top, and "0" is an array's first entry. What `repeats` is
    read once."""
    cdef Section section
    cdef Node root
    cdef int slots
    cdef list facts         # of Fact
    cdef list found

    def __init__(self, bytes data not None, Py_ssize_t start, Py_ssize_t end, facts):
        cdef Fact fact
        self.section = Section(data, start, end)
        self.root, self.facts = Node(), []
        for paths, read, repeats, blank in facts:
            fact = Fact()
            fact.first, fact.end = self.slots, self.slots + len(paths)
            fact.read, fact.blank, fact.known = read, blank, {} if repeats else None
            self.facts.append(fact)
            for path in paths:
                self.want(path.split("."))

    cdef int want(self, list path) except -1:
        cdef Node node = self.root
        for key in path:
            node = _child_of(node, key.encode())
        node.slot = self.slots
        self.slots += 1
        return 0

    def extract(self, Py_ssize_t offset):
        """The facts of the record at `offset` of the section, a tuple."""
        cdef Fact fact
        cdef object head = ""
        cdef list facts = []
        self.found = [None] * self.slots
        self.walk(self.section.start + offset, self.root, 0)
        for i in range(len(self.facts)):
            facts.append(self.fact(<Fact> self.facts[i], head))
            if i == 0:
                head = facts[0]
        return tuple(facts)

    cdef object fact(self, Fact fact, object head):
        cdef int slot
        for slot in range(fact.first, fact.end):
            value = self.found[slot]
            if value is None:
                continue
            if fact.known is None:
                found = fact.read(value, head)
            else:
                found = fact.known.get((value, head))
                if found is None:
                    found = fact.known[value, head] = fact.read(value, head)
            if found:
                return found
        return fact.blank

    cdef Py_ssize_t walk(self, Py_ssize_t at, Node node, int depth) except -1:
        """Fills in what is at or below this value; gives what follows it."""
        cdef Value value, key
        cdef Py_ssize_t i, inner
        cdef Node below
        _check_depth(depth)
        self.section.read(at, &value)
        inner = value.at
        if value.type == MAP:
            for i in range(value.size):
                self.section.read(inner, &key)
                if key.type != TEXT:
                    raise _damaged("a key of a map is no text")
                inner = key.next
                below = node.child(<const char*> self.section.bytes_ + key.at, key.size)
                inner = self.section.skip(inner, depth + 1) if below is None else self.walk(inner, below, depth + 1)
        elif value.type == ARRAY:
            for i in range(value.size):
                if i == 0 and node.first is not None:
                    inner = self.walk(inner, node.first, depth + 1)
                elif value.pointed:
                    break
                else:
                    inner = self.section.skip(inner, depth + 1)
        else:
            if node.slot != NOWHERE and value.size <= TEXT_MAX:
                self.found[node.slot] = self.section.scalar(&value)
            inner = value.next
        return value.next if value.pointed else inner


cdef Node _child_of(Node node, bytes key):
    cdef Node child
    if key in node.keys:
        return <Node> node.children[node.keys.index(key)]
    child = Node()
    node.keys.append(key)
    node.children.append(child)
    if key == b"0":
        node.first = child
    return child


cdef int _check_depth(int depth) except -1:
    if depth > DEPTH_MAX:
        raise _damaged(f"values within values, deeper than {DEPTH_MAX}")
    return 0


def _damaged(str what):
    return ConfigError(f"MMDB: damaged: {what}")
