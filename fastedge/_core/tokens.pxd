from cpython.object cimport PyObject
from libc.stdint cimport uint64_t


cdef struct Slot:
    uint64_t hash
    double not_before
    double expires
    PyObject* token     # bytes, owned; NULL: the slot is empty
    PyObject* value     # owned
    Py_ssize_t cost
    bint seen           # asked for again since the hand last came by
    char padding[12]    # one slot, one cache line


cdef class VerifiedTokens:
    cdef Slot* slots
    cdef void* memory
    cdef Py_ssize_t mask
    cdef Py_ssize_t hand
    cdef uint64_t seed[6]
    cdef bint forgeable
    cdef readonly Py_ssize_t entries_max
    cdef readonly Py_ssize_t bytes_max
    cdef readonly Py_ssize_t entries
    cdef readonly Py_ssize_t bytes_used
    cdef readonly long long hits
    cdef readonly long long misses
    cdef readonly long long evictions

    cdef PyObject* find(self, const char* at, Py_ssize_t length, double now) noexcept
    cdef bint keep(self, bytes token, object value, double not_before, double expires, Py_ssize_t cost) except -1
    cdef uint64_t _hash(self, const char* at, Py_ssize_t length) noexcept
    cdef Slot* _slot(self, uint64_t hash, const char* at, Py_ssize_t length) noexcept
    cdef int _make_room(self) except -1
    cdef int _remove(self, Slot* slot) except -1
