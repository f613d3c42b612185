from fastedge._core.accesslog cimport LogBuffer
from fastedge._core.metrics cimport Metrics
from fastedge.engine cimport Exchange
from fastedge.origin.fetch cimport Fetch


cdef struct Traffic:
    int status              # 0: the client left before an answer began
    long long bytes_in
    long long bytes_out
    long long started_us


cdef class Observer:
    cdef readonly Metrics metrics
    cdef LogBuffer log
    cdef object write
    cdef object expose          # takes lines of exposures; None: nobody does
    cdef long long dropped      # lines that the log had no room for, as far as they are counted

    cdef int replied(self, Exchange exchange, Fetch fetch, str error, const Traffic* traffic) except -1
    cdef int refused(self, double now, const unsigned char* client, str reason, const Traffic* traffic) except -1
    cdef int stored(self) except -1
    cdef int invalidated(self, bytes names) except -1
    cdef int opened(self) except -1
    cdef int closed(self) except -1
    cdef int turned_away(self) except -1
    cdef int fetched(self, Fetch fetch, str error) except -1
