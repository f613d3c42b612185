"""One stored response (RFC 9111 §2): what identifies it, what it says, and for how long it holds."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

cdef extern from *:
    """
    static size_t fe_tail;      /* what the next Stored is longer than its type */
    static PyObject* fe_make(PyTypeObject* type, Py_ssize_t items) {
        PyObject* made = (PyObject*) PyObject_Malloc(type->tp_basicsize + fe_tail);
        if (made == NULL) return PyErr_NoMemory();
        memset(made, 0, type->tp_basicsize);
        fe_tail = 0;
        return PyObject_Init(made, type);
    }
    #define fe_made_by(type, how) (((PyTypeObject*) (type))->tp_alloc = (how))
    """
    size_t fe_tail
    void* fe_make
    void fe_made_by(object type, void* how) noexcept

cdef enum:
    TABLE_SHARE = 32        # bytes of the store's table for each key, in a shard that has just grown
    FILE_HANDLE = 64        # what stands for a body that is no bytes
    BYTES_HEADER = 33       # of a bytes object, with its closing NUL


@cython.final
@cython.no_gc               # bytes and files: no cycle can begin here, and no collection walks a million of these
cdef class Stored:
    """One stored response. Its key and purge names stand in the same block of memory: as objects they would take 66 bytes
    more, and a look-up one more wait for memory."""

    def __init__(self, *args):
        raise TypeError("make_stored() makes them")

    def age_s(self, long long now_us):
        """current_age (RFC 9111 §4.2.3) at a moment of the monotonic clock."""
        return age_s(self, now_us)

    def refreshed(self, bytes head not None):
        """A new one with this head, and all else as it is; it shares the body."""
        return refreshed(self, head)

    @property
    def key(self):
        return key_of(self)[:self.key_size]

    @property
    def names(self):
        return (<const char*> self.facts)[:self.names_total * sizeof(uint64_t)]

    @property
    def url(self):
        return url_of(self)

    @property
    def memory_bytes(self):
        return cost_of(self)


fe_made_by(Stored, fe_make)
cdef Py_ssize_t STORED_BYTES = Stored.__basicsize__


def make_stored(
    uint64_t high, uint64_t low, bytes key not None, int status=200, bytes head not None=b"", body=b"", *, bytes vary=None,
    length=None, long long received_us=0, double received_s=0, float initial_age_s=0, float lifetime_s=0,
    float stale_while_revalidate_s=0, float stale_if_error_s=0, uint32_t flags=0, bytes names not None=b"", int url_at=0,
    int url_size=0, uint64_t born=0,
):
    """A Stored, in no store yet; `names` are purge names, uint64_t each, packed."""
    cdef Stored stored = new_stored(high, low, key, names, status, head, body, len(body) if length is None else length)
    stored.vary, stored.flags, stored.born, stored.url_at, stored.url_size = vary, flags, born, url_at, url_size
    stored.received_us, stored.received_s, stored.initial_age_s = received_us, received_s, initial_age_s
    stored.lifetime_s, stored.stale_if_error_s = lifetime_s, stale_if_error_s
    stored.stale_while_revalidate_s = stale_while_revalidate_s
    return stored


cdef Stored new_stored(
    uint64_t high, uint64_t low, bytes key, bytes names, int status, bytes head, object body, long long length
):
    """What identifies it and what it says; the caller sets the rest by its names."""
    cdef Py_ssize_t names_size = len(names), key_size = len(key)
    cdef Stored stored
    if names_size % sizeof(uint64_t) or names_size > 0xFFFF * <Py_ssize_t> sizeof(uint64_t) or key_size > 0x7FFFFFFF:
        raise ValueError("names are 8 bytes each, at most 65,535 of them, and a key is less than 2 GiB")
    global fe_tail
    fe_tail = _tail(names_size + key_size)
    stored = Stored.__new__(Stored)
    memcpy(stored.facts, PyBytes_AS_STRING(names), names_size)
    memcpy(<char*> stored.facts + names_size, PyBytes_AS_STRING(key), key_size)
    stored.high, stored.low = high, low
    stored.key_size, stored.names_total = key_size, names_size // sizeof(uint64_t)
    stored.status, stored.head, stored.body, stored.length = status, head, body, length
    return stored


cdef Stored refreshed(Stored stored, bytes head):
    """A copy for what a validation has changed, in no store yet: it shares the body."""
    cdef Stored twin = new_stored(
        stored.high, stored.low, stored.key, stored.names, stored.status, head, stored.body, stored.length
    )
    twin.vary, twin.flags, twin.born, twin.checked = stored.vary, stored.flags, stored.born, stored.checked
    twin.received_us, twin.received_s = stored.received_us, stored.received_s
    twin.initial_age_s, twin.lifetime_s = stored.initial_age_s, stored.lifetime_s
    twin.stale_while_revalidate_s, twin.stale_if_error_s = stored.stale_while_revalidate_s, stored.stale_if_error_s
    twin.url_at, twin.url_size = stored.url_at, stored.url_size
    return twin


cdef Py_ssize_t cost_of(Stored stored) noexcept:
    """What it takes in memory: everything, the allocators' rounding and its place in the table too."""
    cdef Py_ssize_t facts = stored.names_total * sizeof(uint64_t) + stored.key_size
    cdef Py_ssize_t cost = TABLE_SHARE + _block(STORED_BYTES + _tail(facts)) + _bytes_block(stored.head)
    if stored.vary is not None:
        cost += _bytes_block(stored.vary)
    return cost + (_bytes_block(<bytes> stored.body) if type(stored.body) is bytes else <Py_ssize_t> FILE_HANDLE)


cdef inline Py_ssize_t _tail(Py_ssize_t facts) noexcept:
    """Of its facts, what has no room in the type itself."""
    return facts - <Py_ssize_t> sizeof(uint64_t) if facts > <Py_ssize_t> sizeof(uint64_t) else 0


cdef inline Py_ssize_t _bytes_block(bytes data) noexcept:
    return _block(PyBytes_GET_SIZE(data) + BYTES_HEADER)


cdef inline Py_ssize_t _block(Py_ssize_t size) noexcept:
    """What the allocators take for so many bytes: CPython's up to 512, then the C library's with its own eight."""
    return (size + (15 if size <= 512 else 23)) & ~<Py_ssize_t> 15
