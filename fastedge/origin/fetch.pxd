from fastedge._core.body cimport BodyReader, Framing
from fastedge._core.fields cimport Fields
from fastedge._core.wire cimport ResponseReader
from fastedge.origin.pool cimport Pool, Server
from fastedge.server.timers cimport Timer, TimerQueue, Timers


cdef size_t unsent_bytes(object transport) except? -1


cdef class FetchListener:
    """Who waits for a fetch. Calls come in the order of the response; after on_end or on_failure there are none."""
    cdef int on_informational(self, int status, Fields fields) except -1
    cdef int on_head(self, int status, Fields fields, list nominated, Framing framing, long long length) except -1
    cdef int on_body(self, bytes data) except -1
    cdef int on_end(self, Fields trailers) except -1
    cdef int on_failure(self, int status, str error) except -1
    cdef int on_flush(self) except -1               # all that had arrived was handed over
    cdef int on_tunnel(self, Fields fields) except -1
    cdef int on_tunnel_data(self, bytes data) except -1
    cdef int on_tunnel_eof(self) except -1
    cdef int on_pause_body(self) except -1          # the origin takes no more of the request's body for now
    cdef int on_resume_body(self) except -1


cdef class OriginSide:
    """What all origin connections of a worker share."""
    cdef ResponseReader reader
    cdef Timers timers
    cdef object connect         # connect(pool, server): the shell opens a connection and calls back

    cdef int server_failed(self, Pool pool, Server server) except -1
    cdef bint try_elsewhere(self, Pool pool, Server server, Fetch fetch) except -1


cdef class Fetch:
    cdef readonly Pool pool
    cdef OriginSide side
    cdef FetchListener listener
    cdef OriginConnection connection
    cdef bytes head
    cdef bint is_shared             # a flight's, which counts it
    cdef bint lacks_host            # each server gets its own name
    cdef list pieces                # body bytes on the wire, kept while they can be sent again
    cdef Py_ssize_t pieces_size
    cdef bint replayable            # `pieces` is still the whole body so far
    cdef bint idempotent
    cdef bint may_retry
    cdef bint to_head
    cdef bint wants_tunnel
    cdef bint awaits_continue       # the client sends no body before the origin has asked for it
    cdef bint sent                  # the whole request is out
    cdef bint answered              # the response's head has come
    cdef bint over
    cdef readonly int attempts
    cdef readonly str server_url
    cdef readonly long long started_us
    cdef readonly long long first_byte_us
    cdef readonly int status
    cdef bint paused
    cdef bint client_eof            # of a tunnel: the client has said all
    cdef Timer timer

    cdef int start(self, long long now_us) except -1
    cdef int send(self, bytes data) except -1
    cdef int finish(self) except -1
    cdef int pause(self) except -1
    cdef int resume(self) except -1
    cdef int cancel(self) except -1
    cdef int tunnel_eof(self) except -1
    cdef int assign(self, OriginConnection connection, bint reused) except -1
    cdef int fail(self, int status, str error) except -1
    cdef bint _wait(self) except -1
    cdef int retry_or_fail(self, int status, str error) except -1


cdef class OriginConnection:
    cdef OriginSide side
    cdef Pool pool
    cdef Server server
    cdef object transport
    cdef Fetch fetch
    cdef BodyReader body
    cdef Timer timer
    cdef TimerQueue first_byte, read_, idle
    cdef bytes tail
    cdef bint reused
    cdef bint head_done
    cdef bint keep_alive
    cdef bint tunnel
    cdef readonly bint closed
    cdef bint counted               # the pool knows of it
    cdef bint idling
    cdef bint got_bytes
    cdef bint write_paused
    cdef bint ended                 # the origin has said all: FIN, in TLS close_notify
    cdef bint secure
    cdef int descriptor
    cdef size_t unsent              # in the transport when its time-out was armed
    cdef int informational

    cdef int begin(self, Fetch fetch, bint reused) except -1
    cdef int write(self, bytes data) except -1
    cdef int arm(self) except -1
    cdef int close(self) except -1
    cdef int part(self) except -1
    cdef bint is_quiet(self) except -1
    cdef int _forget(self) except -1
    cdef bint _has_moved(self) except -1
    cdef int _receive(self, bytes data) except -1
    cdef Py_ssize_t _head(self, bytes data, Py_ssize_t position) except -2
    cdef Py_ssize_t _interim(self, int status, Fields fields, bytes data, Py_ssize_t end) except -2
    cdef int _body(self, bytes data, Py_ssize_t position) except -1
    cdef int _complete(self, bint clean) except -1
    cdef int _broken(self, int status, str error) except -1
