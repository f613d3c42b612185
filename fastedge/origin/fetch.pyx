"""One request's trip to an origin, and the connection it travels on. No task and no future: calls in, calls out.

A response that cannot be understood is a failure of the origin's, never a guess; a connection that has said anything
out of turn is never used again.
"""

cimport cython

from fastedge._core.body cimport LENGTH, UNTIL_CLOSE, BodyReader, Framing
from fastedge._core.fields cimport Fields
from fastedge._core.wire cimport ResponseReader, head_end
from fastedge.clock cimport monotonic_us
from fastedge.errors import WireError
from fastedge.limits import header_bytes_max, informational_max, origin_attempts_max, replay_bytes_max

cdef Py_ssize_t HEAD_MAX = header_bytes_max
cdef int INFORMATIONAL_MAX = informational_max
cdef int ATTEMPTS_MAX = origin_attempts_max
cdef Py_ssize_t REPLAY_MAX = replay_bytes_max

cdef extern from "sys/socket.h" nogil:
    ssize_t recv(int descriptor, void* buffer, size_t size, int flags)
    int MSG_PEEK
    int MSG_DONTWAIT

cdef extern from "sys/ioctl.h" nogil:
    int ioctl(int descriptor, unsigned long request, int* value)

cdef extern from "linux/sockios.h" nogil:
    unsigned long SIOCOUTQ

cdef enum TimeOut:
    CONNECT
    FIRST_BYTE
    READ
    WRITE
    IDLE
    PARTING


cdef class FetchListener:
    cdef int on_informational(self, int status, Fields fields) except -1:
        return 0

    cdef int on_head(self, int status, Fields fields, list nominated, Framing framing, long long length) except -1:
        raise NotImplementedError

    cdef int on_body(self, bytes data) except -1:
        raise NotImplementedError

    cdef int on_end(self, Fields trailers) except -1:
        raise NotImplementedError

    cdef int on_failure(self, int status, str error) except -1:
        raise NotImplementedError

    cdef int on_flush(self) except -1:
        return 0

    cdef int on_tunnel(self, Fields fields) except -1:
        raise NotImplementedError

    cdef int on_tunnel_data(self, bytes data) except -1:
        raise NotImplementedError

    cdef int on_tunnel_eof(self) except -1:
        raise NotImplementedError

    cdef int on_pause_body(self) except -1:
        return 0

    cdef int on_resume_body(self) except -1:
        return 0


@cython.final
cdef class OriginSide:
    """What all origin connections of a worker share. `connect(pool, server)` opens one and then calls `connected` or
    `connect_failed`."""

    def __init__(self, ResponseReader reader, Timers timers, connect):
        self.reader = reader
        self.timers = timers
        self.connect = connect

    def connected(self, OriginConnection connection):
        """A new connection is ready: the oldest waiting fetch gets it."""
        connection.pool.connected(connection.server)
        connection.counted = True
        self.hand_on(connection)

    def connect_failed(self, Pool pool, Server server, int status, str error):
        """The oldest waiting fetch pays for it, if one now waits in vain: it tries elsewhere if there is an elsewhere."""
        cdef Fetch fetch
        server.connecting -= 1
        self.server_failed(pool, server)
        if len(pool.waiting) > pool.connecting():
            fetch = pool.next_waiting()
            fetch.attempts += 1
            fetch.server_url = server.url
            if fetch.attempts >= ATTEMPTS_MAX or not self.try_elsewhere(pool, server, fetch):
                fetch.fail(status, error)
        self.open_more(pool)

    cdef bint try_elsewhere(self, Pool pool, Server server, Fetch fetch) except -1:
        cdef Server other = pool.alternative(server, monotonic_us())
        cdef OriginConnection connection
        if other is None:
            return False
        connection = pool.take_idle(other)
        if connection is not None and connection.is_quiet():
            fetch.assign(connection, True)
            return True
        # Behind the others: the next connection that fails is another's bad luck.
        pool.waiting.append(fetch)
        if pool.connections() < pool.connections_max:
            other.connecting += 1
            self.connect(pool, other)
        return True

    cdef int server_failed(self, Pool pool, Server server) except -1:
        """Counts a failure. Once the breaker is open, idle connections are of no use and would only take up room."""
        cdef OriginConnection connection
        pool.failed(server, monotonic_us())
        if server.open_until_us:
            for connection in list(server.idle):
                connection.close()
        return 0

    def hand_on(self, OriginConnection connection):
        """A connection that is busy for nobody: to the oldest waiting fetch, or to the idle ones."""
        cdef Fetch fetch
        if connection.pool.waiting:
            if connection.reused and not connection.is_quiet():
                return      # its end opens another one
            fetch = connection.pool.next_waiting()
            fetch.assign(connection, connection.reused)
        elif connection.pool.retired:
            connection.close()
        else:
            connection.pool.release(connection.server, connection)
            connection.idling = True
            connection.timer.arm(connection.idle, IDLE, monotonic_us())

    def open_more(self, Pool pool):
        """Opens what those who wait still need; without any hope left, they fail at once."""
        cdef Server server
        cdef Fetch fetch
        while pool.waiting:
            server = pool.to_connect(monotonic_us())
            if server is None:
                break
            self.connect(pool, server)
        if pool.waiting and pool.is_hopeless(monotonic_us()):
            # A fetch that fails may bring the next one with it: that one has an `open_more` of its own.
            hopeless = list(pool.waiting)
            pool.waiting.clear()
            for fetch in hopeless:
                fetch.fail(503, "destination_unavailable")


# --- one fetch -----------------------------------------------------------------------------------------------------


@cython.final
cdef class Fetch:
    """`start`, then `send` body bytes as they are to be on the wire, then `finish`; the listener hears the rest."""

    cdef int start(self, long long now_us) except -1:
        cdef OriginConnection connection = self.pool.checkout(now_us)
        self.started_us = now_us
        while connection is not None:
            if connection.is_quiet():
                return self.assign(connection, True)
            connection = self.pool.checkout(now_us)
        if not self._wait():
            return self.fail(503, "connection_limit_reached")
        return 0

    cdef int assign(self, OriginConnection connection, bint reused) except -1:
        if self.timer is not None:
            self.timer.disarm()
        self.connection = connection
        self.server_url = connection.server.url
        self.attempts += 1
        return connection.begin(self, reused)

    cdef int send(self, bytes data) except -1:
        if self.over:
            return 0
        if self.replayable:
            self.pieces_size += len(data)
            if self.pieces_size > REPLAY_MAX and self.connection is not None:
                self.replayable = False
                self.pieces = None
            else:
                self.pieces.append(data)
                if self.pieces_size > REPLAY_MAX:
                    self.listener.on_pause_body()
        if self.connection is not None:
            self.connection.write(data)
            if self.awaits_continue:
                self.awaits_continue = False
                self.connection.arm()
        return 0

    cdef int finish(self) except -1:
        """The request's last byte has been sent."""
        self.sent = True
        if self.connection is not None:
            self.connection.arm()
        return 0

    cdef int pause(self) except -1:
        self.paused = True
        if self.connection is not None:
            self.connection.transport.pause_reading()
            self.connection.arm()
        return 0

    cdef int resume(self) except -1:
        self.paused = False
        if self.connection is not None:
            self.connection.transport.resume_reading()
            self.connection.arm()
        return 0

    cdef int cancel(self) except -1:
        """Nobody wants the answer any more."""
        cdef OriginConnection connection = self.connection
        if self.over:
            return 0
        self.over = True
        if self.timer is not None:
            self.timer.disarm()
        if connection is None:
            self.pool.withdraw(self)
            return 0
        self.connection = None
        connection.fetch = None
        return connection.part() if self.client_eof else connection.close()

    cdef int tunnel_eof(self) except -1:
        self.client_eof = True
        if self.connection is not None and not self.connection.closed:
            if self.connection.transport.can_write_eof():
                self.connection.transport.write_eof()
            else:
                self.connection.close()
        return 0

    cdef int retry_or_fail(self, int status, str error) except -1:
        """Once more, where that is safe (RFC 9110 §9.2.2): idempotent, not a byte came back, and the connection was an
        old one, which the origin may have closed before it saw the request."""
        if self.may_retry and self.idempotent and self.replayable and self.connection.reused and self.attempts < ATTEMPTS_MAX:
            self.connection = None
            if self._wait():
                return 0
        return self.fail(status, error)

    cdef bint _wait(self) except -1:
        """Queues for a connection; False when the queue is full."""
        if not self.pool.enqueue(self):
            return False
        if self.timer is None:
            self.timer = Timer(self)
        self.timer.arm(self.side.timers.queue(self.pool.options.connect_timeout_ms * 2), CONNECT, monotonic_us())
        self.side.open_more(self.pool)
        return True

    cdef int fail(self, int status, str error) except -1:
        if self.over:
            return 0
        self.over = True
        if self.timer is not None:
            self.timer.disarm()
        self.connection = None
        return self.listener.on_failure(status, error)

    def on_timeout(self, int kind):
        """No connection became free, or ready, in time."""
        self.pool.withdraw(self)
        if self.pool.connections() >= self.pool.connections_max:
            self.fail(503, "connection_limit_reached")
        else:
            self.fail(504, "connection_timeout")


# --- one connection ------------------------------------------------------------------------------------------------


@cython.final
cdef class OriginConnection:
    """An asyncio protocol: one connection to one server, one fetch at a time."""

    def __init__(self, OriginSide side, Pool pool, Server server):
        self.side = side
        self.pool = pool
        self.server = server
        self.body = BodyReader()
        self.timer = Timer(self)
        self.first_byte = side.timers.queue(pool.options.first_byte_timeout_ms)
        self.read_ = side.timers.queue(pool.options.read_timeout_ms)
        self.idle = side.timers.queue(pool.options.idle_timeout_ms)

    def connection_made(self, transport):
        self.transport = transport
        self.descriptor = transport.get_extra_info("socket").fileno()
        self.secure = transport.get_extra_info("sslcontext") is not None

    cdef int begin(self, Fetch fetch, bint reused) except -1:
        cdef bytes head = fetch.head
        self.fetch = fetch
        self.reused = reused
        self.head_done = self.got_bytes = False
        self.informational = 0
        if fetch.lacks_host:
            head = _with_host(fetch.head, self.server.authority)
        if fetch.pieces:
            self.transport.writelines([head, *fetch.pieces])
            if fetch.pieces_size > REPLAY_MAX:
                fetch.replayable = False
                fetch.pieces = None
            if not self.write_paused:
                fetch.listener.on_resume_body()
        else:
            self.transport.write(head)
        return self.arm()

    cdef int write(self, bytes data) except -1:
        if not self.closed:
            self.transport.write(data)
        return 0

    cdef int arm(self) except -1:
        """The time-out of whoever's turn it is. While the client is still sending, or takes no more, it is not the origin's."""
        cdef Fetch fetch = self.fetch
        if fetch is None or self.tunnel:
            self.timer.disarm()
        elif self.write_paused:
            self.timer.arm(self.read_, WRITE, monotonic_us())
        elif fetch.paused or not (fetch.sent or fetch.awaits_continue):
            self.timer.disarm()
        elif self.head_done:
            self.timer.arm(self.read_, READ, monotonic_us())
        else:
            self.timer.arm(self.first_byte, FIRST_BYTE, monotonic_us())
        return 0

    cdef int close(self) except -1:
        self.timer.disarm()
        self._forget()
        if not self.closed and self.transport is not None:
            self.closed = True
            self.transport.abort()
        return 0

    cdef int part(self) except -1:
        """Closes behind what is still to be sent, as long as the other end takes it."""
        if not self.closed:
            self.closed = True
            self.transport.close()
            self.unsent = unsent_bytes(self.transport)
            self.timer.arm(self.read_, PARTING, monotonic_us())
        return 0

    cdef int _forget(self) except -1:
        """Nobody may take it from the idle ones any more, not even before the transport says that it is gone."""
        if self.idling:
            self.idling = self.counted = False
            self.pool.lost(self.server, self, True)
        return 0

    cdef bint is_quiet(self) except -1:
        """Whether nothing waits in its socket: else it is dropped, as the origin has closed it, or has spoken out of turn
        and the next response would not be the next request's. TLS has messages of its own, so that only the end counts."""
        cdef char byte
        cdef ssize_t size = recv(self.descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT)
        self.idling = False
        if not self.closed and (size < 0 or (size > 0 and self.secure)):
            return True
        self.close()
        return False

    cdef bint _has_moved(self) except -1:
        """Whether the other end has taken a byte since the time-out was armed."""
        cdef size_t before = self.unsent
        self.unsent = unsent_bytes(self.transport)
        return self.unsent < before

    def shut(self):
        """For the shell: an idle connection that is not needed any more."""
        self.close()

    # --- what the transport says --------------------------------------------------------------------------------

    def data_received(self, bytes data):
        cdef Fetch fetch = self.fetch
        if fetch is None:
            self.close()    # an answer that nobody asked for
            return
        self.got_bytes = True
        if self.tunnel:
            fetch.listener.on_tunnel_data(data)
            return
        try:
            self._receive(data)
        except Exception as error:
            if not isinstance(error, WireError):
                raise
            self._broken(502, "http_protocol_error")
            return
        if self.fetch is fetch and not fetch.over:
            fetch.listener.on_flush()

    def eof_received(self):
        self.ended = True
        if self.tunnel and self.fetch is not None:
            self.fetch.listener.on_tunnel_eof()
            return True
        if self.fetch is None:
            self.close()
        return False

    def pause_writing(self):
        self.write_paused = True
        self.unsent = unsent_bytes(self.transport)
        if self.fetch is not None:
            self.arm()
            self.fetch.listener.on_pause_body()

    def resume_writing(self):
        self.write_paused = False
        if self.fetch is not None:
            self.arm()
            self.fetch.listener.on_resume_body()

    def connection_lost(self, error):
        cdef Fetch fetch = self.fetch
        self.closed = True
        self.timer.disarm()
        self._forget()
        if self.counted:
            self.pool.lost(self.server, self, False)
        self.fetch = None
        self.timer.owner = None
        if fetch is not None and not fetch.over:
            # Without close_notify whoever sits between may have cut the body (RFC 9112 §9.8).
            if error is None and (self.tunnel or (self.head_done and self.ended and self.body.framing == UNTIL_CLOSE)):
                fetch.over = True
                fetch.listener.on_end(None)
            elif self.head_done or self.tunnel:
                fetch.fail(502, "http_response_incomplete")
            else:
                if not self.reused or self.got_bytes:
                    self.side.server_failed(self.pool, self.server)
                if self.got_bytes:
                    fetch.fail(502, "http_response_incomplete")
                else:
                    fetch.retry_or_fail(502, "connection_terminated")
        self.side.open_more(self.pool)

    def on_timeout(self, int kind):
        if kind == IDLE:
            self.close()
        elif kind == PARTING:
            if self._has_moved():
                self.timer.arm(self.read_, PARTING, monotonic_us())
            else:
                self.transport.abort()
        elif kind == WRITE:
            if self._has_moved():
                self.arm()
            else:
                self._broken(504, "connection_write_timeout")
        elif kind == FIRST_BYTE:
            self._broken(504, "http_response_timeout")
        else:
            self._broken(504, "connection_read_timeout")

    # --- the response -------------------------------------------------------------------------------------------

    cdef int _receive(self, bytes data) except -1:
        cdef Py_ssize_t position = 0
        if self.tail is not None:
            data = self.tail + data
            self.tail = None
        while not self.head_done:
            position = self._head(data, position)
            if position < 0 or self.fetch is None or self.tunnel:
                return 0
        if self.body.done:
            return self._complete(position == len(data))
        self.arm()
        if position < len(data) or position == 0:
            self._body(data, position)
        return 0

    cdef Py_ssize_t _head(self, bytes data, Py_ssize_t position) except -2:
        """Reads one head; the position behind it, or -1 when there is nothing to go on with. A short body that is all
        there already goes out in the same call."""
        cdef Fetch fetch = self.fetch
        cdef ResponseReader reader = self.side.reader
        cdef Py_ssize_t end = head_end(data, position)
        cdef bytes piece = None
        cdef Fields fields
        if end < 0:
            if len(data) - position > HEAD_MAX:
                raise WireError(502, "head_too_long")
            self.tail = data[position:] if position else data
            if len(self.tail) >= 5 and not self.tail.startswith(b"HTTP/"):
                raise WireError(502, "status_line")
            return -1
        fields = reader.read(data if position == 0 and end == len(data) else data[position:end], fetch.to_head)
        if reader.status < 200:
            return self._interim(reader.status, fields, data, end)
        self.head_done = True
        self.keep_alive = reader.keep_alive
        fetch.answered = True
        fetch.status = reader.status
        fetch.first_byte_us = monotonic_us()
        self.pool.succeeded(self.server)
        self.body.start(reader.framing, reader.content_length)
        if reader.framing == LENGTH and len(data) - end >= reader.content_length:
            piece = self.body.feed(data, end)
            end = self.body.position
        fetch.listener.on_head(reader.status, fields, reader.nominated, reader.framing, reader.content_length if reader.lengths else -1)
        if self.fetch is not fetch:
            return -1
        if piece is not None:
            fetch.listener.on_body(piece)
            if self.fetch is not fetch:
                return -1
        return end

    cdef Py_ssize_t _interim(self, int status, Fields fields, bytes data, Py_ssize_t end) except -2:
        """1xx (RFC 9110 §15.2): 101 opens a tunnel if one was asked for, the others are passed on."""
        cdef Fetch fetch = self.fetch
        self.informational += 1
        if self.informational > INFORMATIONAL_MAX:
            raise WireError(502, "too_many_informational")
        if status != 101:
            if status == 100 and fetch.awaits_continue:
                fetch.awaits_continue = False
                self.arm()
            fetch.listener.on_informational(status, fields)
            return end
        if not fetch.wants_tunnel or not fetch.sent:
            raise WireError(502, "unasked_101")
        self.tunnel = True
        self.timer.disarm()
        self.pool.succeeded(self.server)
        fetch.answered = True
        fetch.status = 101
        fetch.first_byte_us = monotonic_us()
        fetch.listener.on_tunnel(fields)
        if end < len(data) and self.fetch is fetch:
            fetch.listener.on_tunnel_data(data[end:])
        return end

    cdef int _body(self, bytes data, Py_ssize_t position) except -1:
        cdef Fetch fetch = self.fetch
        cdef bytes piece = self.body.feed(data, position)
        if piece is not None:
            fetch.listener.on_body(piece)
        if self.fetch is fetch and self.body.done:
            self._complete(self.body.position == len(data))
        return 0

    cdef int _complete(self, bint clean) except -1:
        """The response is whole. The connection is used again if it said not a byte more and all was sent."""
        cdef Fetch fetch = self.fetch
        self.timer.disarm()
        self.fetch = None
        fetch.connection = None
        fetch.over = True
        if clean and self.keep_alive and fetch.sent and not (self.write_paused or self.closed or self.pool.retired) and self.idle.span_us:
            if fetch.paused:
                self.transport.resume_reading()
            self.reused = True
            self.side.hand_on(self)
        else:
            self.close()
        return fetch.listener.on_end(self.body.trailers)

    cdef int _broken(self, int status, str error) except -1:
        cdef Fetch fetch = self.fetch
        self.fetch = None
        self.side.server_failed(self.pool, self.server)
        self.close()
        if fetch is not None:
            fetch.fail(status, error)
        return 0


cdef size_t unsent_bytes(object transport) except? -1:
    """What the other end has not taken yet: in the transport, and in the kernel, which takes a while to ask for more."""
    cdef int queued = 0
    cdef int descriptor = transport.get_extra_info("socket").fileno()
    if ioctl(descriptor, SIOCOUTQ, &queued) < 0:
        queued = 0
    return <size_t> transport.get_write_buffer_size() + <size_t> queued


cdef bytes _with_host(bytes head, bytes authority):
    """The head with a Host field behind its request line."""
    line, _, rest = head.partition(b"\r\n")
    return b"%b\r\nhost: %b\r\n%b" % (line, authority, rest)
