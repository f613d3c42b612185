from libc.stdint cimport uint64_t

cdef enum Purged:
    KEPT = 0
    SOFTLY = 1      # stale: may be validated, or sent while it is
    HARD = 2        # gone


cdef class Purges:
    """The table of purges in one shared mapping. A sequence number orders purges and fetches over all processes."""
    cdef object buffer
    cdef uint64_t* header
    cdef uint64_t* cells
    # (the rest is the implementation's)

    cdef uint64_t now(self) noexcept                # the number for a fetch that begins: later purges concern it
    cdef uint64_t version(self) noexcept            # changes with each purge; what was checked against it needs no second look
    cdef uint64_t purge(self, uint64_t name, bint soft) except? 0
    cdef Purged verdict(self, const uint64_t* names, Py_ssize_t count, bytes url, uint64_t born) noexcept


cdef uint64_t name_hash(const char* kind, bytes name) noexcept
