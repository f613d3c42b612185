from fastedge._core.diskindex cimport DiskIndex
from fastedge._core.purges cimport Purges
from fastedge._core.store cimport MemoryStore
from fastedge._core.stored cimport Stored
from fastedge.engine cimport Exchange
from fastedge.server.observer cimport Observer


cdef class Tiers:
    cdef readonly MemoryStore store
    cdef readonly Purges purges
    cdef readonly object disk   # the DiskTier, or None
    cdef DiskIndex index        # its index, or None
    cdef dict loading           # key → callbacks that wait for what the disk has of it
    cdef Observer observer
    cdef long long body_max     # bytes of a body that is kept in memory
    cdef long long arriving_max         # bytes of all bodies that arrive for the memory tier
    cdef public long long arriving      # of those that do

    cdef bint load(self, Exchange exchange, object on_loaded) except -1
    cdef object claim(self, Exchange exchange)
    cdef long long stored_bytes_max(self) except -1
    cdef int keep(self, Stored stored) except -1
    cdef int freshen(self, Stored old, Stored fresh) except -1
    cdef int drop(self, Stored stored) except -1
    cdef bint is_purged(self, Stored stored) except -1
