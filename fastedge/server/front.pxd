from fastedge._core.fields cimport FieldName
from fastedge._core.proxies cimport TrustedProxies
from fastedge._core.purges cimport Purges
from fastedge._core.store cimport MemoryStore
from fastedge._core.wire cimport RequestReader
from fastedge._core.writer cimport HeadWriter
from fastedge.engine cimport Engine
from fastedge.origin.fetch cimport OriginSide
from fastedge.server.flight cimport Flights
from fastedge.server.observer cimport Observer
from fastedge.server.readyhits cimport ReadyHits
from fastedge.server.timers cimport TimerQueue, Timers


cdef class Front:
    cdef public Engine engine               # a reload swaps these three
    cdef FieldName geo_override             # where a trusted peer names an address for geo; None: nowhere
    cdef public dict pools                  # origin → Pool
    cdef public TrustedProxies trust
    cdef readonly OriginSide origin_side
    cdef readonly Timers timers
    cdef RequestReader reader
    cdef HeadWriter writer
    cdef object perform                     # perform(step, callback): runs a Wait's step off the loop
    cdef object report                      # report(failure): a stage's error, for the error log
    cdef Observer observer
    cdef readonly MemoryStore store         # None: nothing is stored
    cdef readonly Purges purges
    cdef readonly Flights flights
    cdef ReadyHits ready
    cdef readonly long long collected_bytes     # of pages and fragments that are arriving, which are to be whole first
    cdef readonly set connections
    cdef public bint draining
    cdef public int connections_max
    cdef public long long request_body_bytes_max
    cdef readonly long long collected_body_bytes_max    # whole bodies before a request is decided on; 0: streamed
    cdef TimerQueue header_queue, idle_queue, body_queue, send_queue, linger_queue, tunnel_queue, patience_queue
    cdef bytes date_line
    cdef long date_second
    cdef bytes via, cdn_loop

    cdef int refresh_date(self, double now) except -1
