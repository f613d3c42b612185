from fastedge._core.originstate cimport OriginState


cdef class Server:
    cdef readonly str url
    cdef readonly object address        # what the shell connects to
    cdef readonly bytes authority       # the Host of `host = "origin"`
    cdef list idle                      # connections, the latest used last
    cdef readonly int busy
    cdef readonly int connecting
    cdef readonly int failures          # in a row
    cdef readonly long long open_until_us   # the breaker: no request before this; 0 when it is closed

    cdef long long suspect_until_us     # it has just failed: others are asked first

    cdef bint allows(self, long long now_us) noexcept
    cdef int load(self, int used, long long now_us) noexcept


cdef class Pool(OriginState):
    cdef readonly str name
    cdef readonly object options        # the configuration it was made from
    cdef readonly list servers
    cdef readonly int connections_max
    cdef readonly int queue_max
    cdef readonly int breaker_failures
    cdef readonly long long breaker_open_us
    cdef object waiting                 # deque of fetches
    cdef public int index               # its place in the metrics
    cdef readonly bint may_retry
    cdef bytes host                     # the Host to send; None: the client's, b"": the server's own
    cdef int turn
    cdef public bint retired            # a reload has replaced it: no idle connection is kept

    cdef bytes host_for(self, bytes authority)
    cdef object checkout(self, long long now_us)
    cdef bint _has_quieter(self, Server best, long long now_us)
    cdef Server least_busy(self, long long now_us)
    cdef int connections(self) noexcept
    cdef bint enqueue(self, object fetch) except -1
    cdef object next_waiting(self)
    cdef int withdraw(self, object fetch) except -1
    cdef Server to_connect(self, long long now_us)
    cdef Server alternative(self, Server server, long long now_us)
    cdef object take_idle(self, Server server)
    cdef int connecting(self) noexcept
    cdef bint is_hopeless(self, long long now_us) except -1
    cdef int connected(self, Server server) except -1
    cdef int release(self, Server server, object connection) except -1
    cdef int lost(self, Server server, object connection, bint was_idle) except -1
    cdef int failed(self, Server server, long long now_us) except -1
    cdef int succeeded(self, Server server) except -1
