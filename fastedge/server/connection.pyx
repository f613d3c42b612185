"""One client connection: an asyncio protocol that lets the engine decide and does what it says.

A refusal or an answer of the edge's own leaves inside `data_received`. Requests are read one at a time; what a client
sends behind one that is not answered yet waits, bounded. Whatever cannot be understood ends the connection.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memcmp, memcpy, memset

import socket
import struct
from functools import partial

from fastedge._core.address cimport parse_address
from fastedge._core.forwarded cimport hop_of, next_forwarded, next_forwarded_for, node_of, text_of
from fastedge._core.body cimport CHUNKED, LENGTH, NO_BODY, UNTIL_CLOSE, BodyReader, Framing
from fastedge._core.fields cimport FieldName, Fields
from fastedge._core.message cimport Request, Response
from fastedge._core.stored cimport Stored
from fastedge._core.wire cimport RequestReader, check_partial_head, head_end
from fastedge._core.writer cimport chunk, last_chunk
from fastedge.clock cimport monotonic_us, steady_us, wall_seconds
from fastedge.disk.body cimport COLD, DAMAGED, DiskBody
from fastedge.engine cimport REPLY, Exchange, plain_answer
from fastedge.errors import WireError
from fastedge.limits import (
    disk_window_bytes, drained_body_bytes_max, html_bytes_max, inline_body_bytes_max, leading_crlf_max, linger_bytes_max,
    pipelined_bytes_max,
)
from fastedge.origin.fetch cimport Fetch, unsent_bytes
from fastedge.server.asking cimport Asking
from fastedge.server.collected cimport Collected, collected
from fastedge.server.filereader cimport FileReader
from fastedge.server.front cimport Front
from fastedge.server.observer cimport Traffic
from fastedge.server.subrequest cimport Gathering
from fastedge.server.timers cimport Timer

cdef extern from "sys/socket.h" nogil:
    ssize_t send_now "send" (int descriptor, const void* data, size_t size, int flags)
    int MSG_DONTWAIT
    int MSG_MORE
    int MSG_NOSIGNAL
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    ssize_t send_vector "sendmsg" (int descriptor, const msghdr* message, int flags)

cdef extern from "Python.h":
    Py_buffer* view_of "PyMemoryView_GET_BUFFER" (object view) noexcept

cdef Py_ssize_t INLINE_MAX = inline_body_bytes_max
cdef long long PAGE_MAX = html_bytes_max
cdef long long FIRST_LOOK = disk_window_bytes
cdef Py_ssize_t PIPELINED_MAX = pipelined_bytes_max
cdef int LINGER_MAX = linger_bytes_max
cdef long long DRAINED_MAX = drained_body_bytes_max
cdef int LEADING_MAX = leading_crlf_max
cdef bytes HEAD = b"HEAD"
cdef bytes LINGER_0 = struct.pack("ii", 1, 0)

cdef enum:
    VECTOR_MAX = 64     # pieces of one reply that go to the socket in one call

cdef enum State:
    READY       # between two requests, or in the middle of a head
    BUSY        # a reply is owed
    TUNNEL
    LINGERING   # the last word is said; what still comes is thrown away
    CLOSING

cdef enum TimeOut:
    HEADER_TIME
    IDLE_TIME
    BODY_TIME
    SEND_TIME
    LINGER_TIME
    TUNNEL_TIME
    PATIENCE_TIME


@cython.final
cdef class ClientConnection(Asking):
    """An asyncio protocol; `front` is shared with the worker's other connections."""

    def __init__(self, Front front):
        self.front = front
        self.body = BodyReader()
        self.timer = Timer(self)

    # --- what the transport says --------------------------------------------------------------------------------

    def connection_made(self, transport):
        cdef bytes text
        self.transport = transport
        sock = transport.get_extra_info("socket")
        self.descriptor = -1 if sock is None else sock.fileno()
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            text = peer[0].partition("%")[0].encode("ascii")
            parse_address(text, len(text), self.peer)
            self.peer_text = text_of(self.peer)
            self.peer_node = node_of(self.peer)
            self.peer_trusted = self.front.trust.trusts(self.peer)
        else:
            memset(self.peer, 0, 16)
            self.peer_trusted = self.front.trust.trusts_unix
        if len(self.front.connections) >= self.front.connections_max:
            self.state = CLOSING
            if self.front.observer is not None:
                self.front.observer.turned_away()
            transport.abort()
            return
        self.front.connections.add(self)
        if self.front.observer is not None:
            self.front.observer.opened()
        self.timer.arm(self.front.idle_queue, IDLE_TIME, monotonic_us())

    def data_received(self, bytes data):
        if self.state == TUNNEL:
            if not self.write_paused:
                self.timer.arm(self.front.tunnel_queue, TUNNEL_TIME, monotonic_us())
            self.bytes_in += len(data)
            self.fetch.send(data)
        elif self.state == LINGERING:
            self.lingered += len(data)
            if self.lingered > LINGER_MAX:
                self.transport.pause_reading()      # enough; what is on its way to the client keeps its time
        elif self.state != CLOSING:
            if self.tail is not None:
                data = self.tail + data
                self.tail = None
            self._consume(data)

    def eof_received(self):
        self.eof = True
        if self.state == TUNNEL:
            self.fetch.tunnel_eof()
            if not self.origin_eof:
                return True
            self._account(None)
        elif self.state == BUSY and not self.reading_body:
            return True     # half-closed: the reply can still be sent
        elif self.state == READY and self.write_paused and self.tail is not None:
            return True     # and so can those to the requests that wait behind it
        elif self.exchange is not None:
            self._account("client_incomplete_body")
        self.close()
        return False

    def pause_writing(self):
        self.write_paused = True
        self.unsent = unsent_bytes(self.transport)
        self.timer.arm(self.front.send_queue, SEND_TIME, monotonic_us())
        if self.fetch is not None:
            self.fetch.pause()
        elif self.reader is not None:
            self.reader.pause()

    def resume_writing(self):
        self.write_paused = False
        if self.state > TUNNEL:
            return
        if self.timer.kind == SEND_TIME:
            self.timer.disarm()
        if self.state == TUNNEL:
            self.timer.arm(self.front.tunnel_queue, TUNNEL_TIME, monotonic_us())
        elif self.state == READY:
            self.timer.arm(self.front.idle_queue, IDLE_TIME, monotonic_us())
        if self.file is not None:
            self._file_moves()
        elif self.fetch is not None:
            self.fetch.resume()
        elif self.reader is not None:
            self.reader.resume()
        self._go_on()

    def connection_lost(self, error):
        self.timer.disarm()
        self.state = CLOSING
        self._drop_fetch()
        if self.exchange is not None:
            self._account("client_closed")
        if self in self.front.connections:
            self.front.connections.remove(self)
            if self.front.observer is not None:
                self.front.observer.closed()
        self.timer.owner = None
        self.transport = None
        self.descriptor = -1

    def on_timeout(self, int kind):
        if kind == HEADER_TIME:
            self._refuse(408, "header_timeout")
        elif kind == BODY_TIME and not self.head_sent:
            self._refuse(408, "body_timeout")
        elif kind == SEND_TIME and self._has_moved():
            self.timer.arm(self.front.send_queue, SEND_TIME, monotonic_us())
        elif kind == LINGER_TIME and self._has_moved():
            self.timer.arm(self.front.linger_queue, LINGER_TIME, monotonic_us())
        elif kind == IDLE_TIME or kind == TUNNEL_TIME:
            self.close()
        elif kind == PATIENCE_TIME:
            self.on_released("collapse_timeout")
        else:
            if self.exchange is not None:
                self._account("client_timeout")
            self._reset()

    cdef bint _has_moved(self) except -1:
        """Whether the client has taken a byte since the time-out was armed."""
        cdef size_t before = self.unsent
        self.unsent = unsent_bytes(self.transport)
        return self.unsent < before

    def close_if_idle(self):
        """For a worker that drains: between two requests nothing is lost."""
        if self.state == READY and self.tail is None:
            self.close()

    def close(self):
        """Closes behind what is still to be sent, as long as the client takes it."""
        if self.state != CLOSING:
            self.state = CLOSING
            self.timer.disarm()
            self._drop_fetch()
            if self.transport is not None:
                self.transport.close()
                if self.transport.get_write_buffer_size():
                    self.unsent = unsent_bytes(self.transport)
                    self.timer.arm(self.front.send_queue, SEND_TIME, monotonic_us())

    def abort(self):
        """Cuts the connection: what is in flight is lost."""
        if self.transport is not None:
            self.transport.abort()

    # --- reading ------------------------------------------------------------------------------------------------

    cdef int _consume(self, bytes data) except -1:
        """Reads as far as can be gone on with; the rest waits in `tail`."""
        cdef Py_ssize_t position = 0, size = len(data)
        self.consuming = True
        try:
            while position < size and self.state <= BUSY:
                if self.reading_body:
                    if self.fetch is None and self.exchange is not None and self.collected is None:
                        break       # a stage waits for something
                    position = self._read_body(data, position)
                elif self.exchange is not None or self.write_paused:
                    break           # pipelined: the reply before it comes first, and must be taken
                else:
                    position = self._read_head(data, position)
                    if position < 0:
                        return 0
            if self.state == TUNNEL and position < size:
                self.bytes_in += size - position
                self.fetch.send(data[position:])
            elif position < size and self.state <= BUSY:
                self.tail = data[position:] if position else data
                if len(self.tail) > PIPELINED_MAX:
                    self.held_back = True
                    self.transport.pause_reading()
        except WireError as error:
            self._refuse(error.status, error.reason)
        finally:
            self.consuming = False
        return 0

    cdef Py_ssize_t _read_head(self, bytes data, Py_ssize_t position) except -2:
        """Reads one head and starts its exchange; -1 when the head is not complete."""
        cdef Front front = self.front
        cdef RequestReader reader = front.reader
        cdef Py_ssize_t end
        cdef unsigned char client[16]
        cdef unsigned char client_for_geo[16]
        cdef bint secure = False, stands_in
        cdef Request request
        position = self._skip_empty_lines(data, position)
        end = head_end(data, position)
        self.asks_head = len(data) - position >= 5 and memcmp(PyBytes_AS_STRING(data) + position, b"HEAD ", 5) == 0
        self.started_us = monotonic_us()
        if end < 0:
            if position < len(data):
                if position + 1 < len(data) or data[position] != c"\r":    # that may be half of an empty line
                    check_partial_head(data, position)
                self.tail = data[position:] if position else data
                if self.timer.kind != HEADER_TIME or self.timer.after is None:
                    self.timer.arm(front.header_queue, HEADER_TIME, self.started_us)
            return -1
        self.started = wall_seconds()
        self.timer.disarm()
        self.bytes_in = end - position
        self.bytes_out = self.body_size = 0
        self.empty_lines = 0
        self.request = None
        request = reader.read(data if position == 0 and end == len(data) else data[position:end], False)
        front.trust.resolve(request.fields, self.peer, self.peer_trusted, client, &secure)
        stands_in = front.geo_override is not None and self._takes_override(request.fields, client_for_geo)
        request.secure = secure
        self.request = request
        self.keep_alive = reader.keep_alive
        self.head_sent = self.from_origin = False
        self.page_nominated = None
        self.body.start(reader.framing, reader.content_length)
        self.reading_body = not self.body.done
        self.expects_continue = reader.expects_continue and self.reading_body
        self.accepts_trailers = reader.accepts_trailers
        self.upgrade = reader.upgrade
        self.nominated = reader.nominated
        if reader.content_length > front.request_body_bytes_max:
            raise WireError(413, "body_too_large")
        self.pools = front.pools        # a reload must not change them under a request
        self.exchange = front.engine.open(
            request, self.started, steady_us(self.started_us), client, front.store, front.purges, self.pools
        )
        if self.exchange is None:
            raise WireError(421, "unclaimed_host")
        if stands_in:
            memcpy(self.exchange.ctx.geo_address, client_for_geo, 16)
        self.state = BUSY
        self._start()
        # Who waits for 100 (Continue) waits for the origin, which has time-outs of its own.
        if self.reading_body and self.state == BUSY and not (self.expects_continue and self.fetch is not None):
            self.timer.arm(front.body_queue, BODY_TIME, self.started_us)
        return end

    cdef bint _takes_override(self, Fields fields, unsigned char* packed16) except -1:
        """The address that a trusted peer has geo look up. Nobody behind the rim sees the field, whoever sent it."""
        cdef FieldName name = self.front.geo_override
        cdef bytes value = fields.combined(name)
        if value is None:
            return False
        fields.drop(name)
        if not self.peer_trusted:
            return False
        if parse_address(value, len(value), packed16):
            raise WireError(400, "forwarded_ip_override")
        return True

    cdef Py_ssize_t _read_body(self, bytes data, Py_ssize_t position) except -2:
        """Hands body bytes on to the origin, or drops them when the reply is out already."""
        cdef bytes piece = self.body.feed(data, position)
        cdef Fetch fetch = self.fetch
        cdef Py_ssize_t end = self.body.position
        self.bytes_in += end - position
        if piece is not None:
            self.body_size += len(piece)
            if self.body_size > self.front.request_body_bytes_max:
                raise WireError(413, "body_too_large")
            if self.collected is not None:
                self.collected.append(piece)
            elif fetch is not None:
                fetch.send(chunk(piece) if self.body.framing == CHUNKED else piece)
        if not self.body.done:
            if self.state <= BUSY and not self.write_paused:
                self.timer.arm(self.front.body_queue, BODY_TIME, monotonic_us())
            return end
        self.reading_body = False
        if self.timer.kind == BODY_TIME:
            self.timer.disarm()
        if self.collected is not None:
            self.request.content, self.collected = b"".join(self.collected), None
            self._start()
        elif self.fetch is fetch and fetch is not None:
            if self.body.framing == CHUNKED:
                fetch.send(last_chunk(self.body.trailers, self.exchange.ctx.plan.edits))
            fetch.finish()
        elif self.exchange is None and self.state <= BUSY:
            self._ready()
        return end

    cdef Py_ssize_t _skip_empty_lines(self, bytes data, Py_ssize_t position) noexcept:
        """A few empty lines before a request line are ignored (RFC 9112 §2.2)."""
        cdef const char* at = data
        while position + 1 < len(data) and at[position] == c"\r" and at[position + 1] == c"\n" and self.empty_lines < LEADING_MAX:
            position += 2
            self.empty_lines += 1
        return position

    # --- deciding and replying ----------------------------------------------------------------------------------

    cdef int _start(self) except -1:
        """Begins the exchange, or the collecting of the body that it needs."""
        if self.front.collected_body_bytes_max and self.reading_body:
            self.collected = []
            if self.expects_continue:
                self.transport.write(self.front.writer.informational(100, Fields.__new__(Fields)))
            return 0
        return self._act(self.exchange.start())

    cdef int _send_hit(self) except -1:
        """A hit; what was sent for it within the same second is sent again."""
        cdef Exchange exchange = self.exchange
        cdef bytes answer
        if not self._is_plain():
            return self._act(exchange.whole())
        answer = self.front.ready.find(exchange.stored, exchange.age_s)
        if answer is None:
            return self._act(exchange.whole())
        self._write(answer)
        return self._finish()

    cdef bint _is_plain(self) except -1:
        """Whether a reply leaves the connection as it is: nothing in its head is about this one."""
        return (
            self.keep_alive and self.request.minor == 1 and not self.eof and not self.front.draining
            and self.fetch is None and self.reader is None
        )

    cdef int _reply(self) except -1:
        """Sends an answer that is there as a whole: the edge's own, or a stored one."""
        cdef Front front = self.front
        cdef Response response = self.exchange.response
        cdef bint is_file = type(response.content) is DiskBody
        cdef object content = response.content
        cdef Framing framing = LENGTH
        cdef long long length
        if self.exchange.collects:
            return self._collect_file(<DiskBody> content)
        if response.code == 205:
            content, is_file = b"", False       # RFC 9110 §15.3.6
        length = (<DiskBody> content).length if is_file else size_of(content)
        if is_file and self.exchange.part.count >= 0:
            length = self.exchange.part.count
        if response.code == 204 or response.code == 304:
            framing, length = NO_BODY, -1
        elif self.request.method_wire == HEAD:
            framing = NO_BODY
        if self.fetch is not None or self.reader is not None:
            self._drop_fetch()
        if self.reading_body and (self.expects_continue or self.body.framing != LENGTH or self.body.remaining > DRAINED_MAX):
            self.keep_alive = False
        if front.draining or (self.eof and self.tail is None and not self.consuming):
            self.keep_alive = False
        front.refresh_date(self.started)
        lines = self.exchange.cache_lines()
        if response.fields is None and self.exchange.page is not None and self.exchange.page.is_made:
            lines = front.date_line if lines is None else front.date_line + lines
        head = front.writer.response(
            response, framing, length, front.date_line, None if response.stored is None and not self.from_origin else front.via,
            self.request.minor, self.keep_alive, self.page_nominated, lines,
        )
        if is_file and framing == LENGTH and length:
            return self._reply_from_file(response, head)
        if response.fields is None and self._is_plain() and self.exchange.age_s >= 0 and response.code == 200 and (
            framing == LENGTH and length <= INLINE_MAX and self.exchange.ctx.cache == "HIT" and self.exchange.page is None
        ):
            front.ready.keep(response.stored, self.exchange.age_s, head)
        if framing != LENGTH or (type(content) is bytes and length <= INLINE_MAX):
            self._write(head)
        else:
            self.head_sent = True
            self.bytes_out += len(head) + length
            self._send_pieces(head, content if type(content) is tuple else (content,))
        return self._finish()

    cdef int _reply_from_file(self, Response response, bytes head) except -1:
        """Nothing is promised before the file has been looked at: one that is damaged is as good as none."""
        cdef DiskBody body = <DiskBody> response.content
        cdef long long first = self.exchange.part.first
        cdef long long count = body.length if self.exchange.part.count < 0 else self.exchange.part.count
        cdef Py_ssize_t ready = body.probe(first, <Py_ssize_t> min(count, FIRST_LOOK))
        if ready == COLD:
            if body.warm(first, <Py_ssize_t> min(count, FIRST_LOOK), partial(self._file_is_warm, self.exchange)):
                return 0
            ready = DAMAGED
        if ready == DAMAGED:
            self.front.store.drop(response.stored)
            return self._act(self.exchange.look())
        self.head_sent = True
        self.bytes_out += len(head) + count
        head = self._send_at_once(head, body, &first, &count)
        if count == 0:
            return self._finish()
        self.file = FileSender(
            self.front.flights.tiers.disk.loop, self.transport, self.descriptor, on_progress=self._file_moves,
            on_done=self._file_is_sent,
        )
        self._file_moves()
        return self.file.start(head, body, first, count)

    cdef bytes _send_at_once(self, bytes head, DiskBody body, long long* first, long long* count):
        """What most clients take in one go; what is left of the head, None when it is out."""
        cdef ssize_t sent
        if self.transport.get_write_buffer_size():
            return head
        sent = send_now(self.descriptor, PyBytes_AS_STRING(head), len(head), MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE)
        if sent < len(head):
            return head[max(sent, 0):]
        sent = body.send_some(self.descriptor, first[0], <Py_ssize_t> min(count[0], FIRST_LOOK))
        if sent > 0:
            first[0] += sent
            count[0] -= sent
        return None

    def _file_is_warm(self, Exchange exchange, bint is_there):
        if self.exchange is exchange:
            if not is_there:
                self.front.store.drop(exchange.response.stored)
                self._act(exchange.look())
            else:
                self._reply()
            self._go_on()

    def _file_moves(self):
        self.unsent = <size_t> -1       # how much that is, is asked when the time is out
        self.timer.arm(self.front.send_queue, SEND_TIME, monotonic_us())

    def _file_is_sent(self, bint is_whole):
        self.file = None
        self.timer.disarm()
        if self.exchange is None:
            return
        if not is_whole:
            self._account("file_damaged")
            self._reset()
            return
        self._finish()
        self._go_on()

    cdef int _gather(self) except -1:
        self.gathering = Gathering.__new__(Gathering)
        return self.gathering.start(self)

    cdef Framing _body_framing(self, long long* length) noexcept:
        length[0] = self.body.remaining
        return self.body.framing

    cdef bytes _forwarded(self, Request request):
        """This connection's element is made once: its clients seldom change the host that they ask."""
        if self.hop is None or self.hop_authority is not request.authority or self.hop_secure != request.secure:
            self.hop = hop_of(self.peer_node, request.authority, request.secure)
            self.hop_authority = request.authority
            self.hop_secure = request.secure
        return next_forwarded(request.fields, self.peer_trusted, self.hop)

    cdef bytes _forwarded_for(self, Request request):
        return next_forwarded_for(request.fields, self.peer_trusted, self.peer_text)

    cdef int _be_patient(self) except -1:
        if not self.write_paused:
            self.timer.arm(self.front.patience_queue, PATIENCE_TIME, monotonic_us())
        return 0

    cdef int _patient_no_more(self) except -1:
        if self.timer.kind == PATIENCE_TIME:
            self.timer.disarm()
        return 0

    cdef int _finish(self) except -1:
        """The reply is out: counts it, then on to the next request or to the end of the connection."""
        if self.fetch is not None:
            self._drop_fetch()
        self._account(None)
        if not self.keep_alive:
            if self.reading_body or self.tail is not None:
                return self._linger()
            self.close()
            return 0
        if not self.reading_body:
            return self._ready()
        # The rest of the body is read for the sake of the connection.
        self.body_paused = False
        self._read_on()
        if not self.write_paused:
            self.timer.arm(self.front.body_queue, BODY_TIME, monotonic_us())
        return 0

    cdef int _ready(self) except -1:
        self.state = READY
        if self.front.draining:
            self.close()
            return 0
        if not self.write_paused:
            self.timer.arm(self.front.idle_queue, IDLE_TIME, monotonic_us())
        return 0

    cdef int _read_on(self) except -1:
        """Reads again, unless there is still a reason not to."""
        if not self.held_back and not self.body_paused:
            self.transport.resume_reading()
        return 0

    cdef int _go_on(self) except -1:
        """After a reply that ended outside `_consume`: the requests that waited behind it."""
        cdef bytes data = self.tail
        if self.consuming or self.state > BUSY:
            return 0
        if self.exchange is not None and (not self.reading_body or self.fetch is None):
            return 0
        if self.exchange is None and self.write_paused and data is not None:
            return 0
        if data is not None:
            self.tail = None
            self._consume(data)
        if self.held_back and self.state <= BUSY and (self.tail is None or len(self.tail) <= PIPELINED_MAX):
            self.held_back = False
            self._read_on()
        if self.eof and self.exchange is None and self.state == READY and not (self.write_paused and self.tail is not None):
            self.close()
        return 0

    cdef int _refuse(self, int status, str reason) except -1:
        """The last answer on this connection: the request could not be read, or never came."""
        cdef Response response
        if self.head_sent and self.exchange is not None:
            self._account(reason)
            return self._reset()
        self._drop_fetch()
        response = plain_answer(status, None)
        self.front.refresh_date(wall_seconds())
        self._write(self.front.writer.response(
            response, NO_BODY if self.asks_head else LENGTH, len(response.content), self.front.date_line, None, 1, False, None, None
        ))
        self.status_refused = status
        self._account(reason)
        self.status_refused = 0
        return self._linger()

    cdef int _linger(self) except -1:
        """Says that nothing more comes, and reads on for a while, so that no reset destroys the answer on its way."""
        self.state = LINGERING
        self.reading_body = False
        self.tail = None
        if self.eof:
            self.close()
            return 0
        self.held_back = self.body_paused = False
        self._read_on()
        self.transport.write_eof()
        self.unsent = unsent_bytes(self.transport)
        self.timer.arm(self.front.linger_queue, LINGER_TIME, monotonic_us())
        return 0

    cdef int _reset(self) except -1:
        """Cuts the connection so that the client sees it: a mere close would look like the end of a body without a length."""
        self.state = CLOSING
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        self.transport.abort()
        return 0

    cdef int _write(self, bytes data) except -1:
        self.head_sent = True
        self.bytes_out += len(data)
        return self._send(data)

    cdef int _send(self, bytes data) except -1:
        """At once, while the socket is at hand; the transport, which waits for the end of the loop's turn, gets the rest."""
        cdef ssize_t sent
        if self.descriptor >= 0 and not self.transport.get_write_buffer_size():
            sent = send_now(self.descriptor, PyBytes_AS_STRING(data), len(data), MSG_DONTWAIT | MSG_NOSIGNAL)
            if sent == len(data):
                return 0
            if sent > 0:
                data = data[sent:]
        self.transport.write(data)
        return 0

    cdef int _send_pieces(self, bytes head, tuple pieces) except -1:
        """As `_send`, of a head and the pieces of a body, bytes and views of bytes."""
        cdef iovec vector[VECTOR_MAX]
        cdef msghdr message
        cdef Py_ssize_t i
        cdef ssize_t sent = 0, size = len(head)
        cdef object piece
        if len(pieces) >= VECTOR_MAX:
            pieces = (b"".join(pieces),)
        vector[0].iov_base, vector[0].iov_len = PyBytes_AS_STRING(head), size
        for i, piece in enumerate(pieces, 1):
            if type(piece) is bytes:
                vector[i].iov_base, vector[i].iov_len = PyBytes_AS_STRING(<bytes> piece), len(<bytes> piece)
            else:
                vector[i].iov_base, vector[i].iov_len = view_of(piece).buf, view_of(piece).len
            size += vector[i].iov_len
        if self.descriptor >= 0 and not self.transport.get_write_buffer_size():
            memset(&message, 0, sizeof(message))
            message.msg_iov, message.msg_iovlen = vector, len(pieces) + 1
            sent = send_vector(self.descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
            if sent == size:
                return 0
        if sent <= 0:
            self.transport.writelines((head, *pieces))
        else:
            self.transport.write(b"".join((head, *pieces))[sent:])
        return 0

    cdef int _drop_fetch(self) except -1:
        if self.file is not None:
            self.file.cancel()
            self.file = None
        if self.gathering is not None:
            self.gathering.cancel()
            self.gathering = None
        return Asking._drop_fetch(self)

    cdef int _account(self, str error) except -1:
        """Counts and logs what ended, once."""
        cdef Traffic traffic
        cdef Exchange exchange = self.exchange
        cdef Fetch fetch = self.fetch if self.last_fetch is None else self.last_fetch
        self.exchange = None
        self.last_fetch = None
        if self.front.observer is None:
            return 0
        traffic.bytes_in = self.bytes_in
        traffic.bytes_out = self.bytes_out
        traffic.started_us = self.started_us
        traffic.status = self.status_refused
        if exchange is None:
            return self.front.observer.refused(self.started, self.peer, error, &traffic)
        if traffic.status == 0 and self.head_sent:
            traffic.status = 101 if self.state == TUNNEL else exchange.status()
        return self.front.observer.replied(exchange, fetch, error, &traffic)

    # --- what the fetch says ------------------------------------------------------------------------------------

    cdef int on_informational(self, int status, Fields fields) except -1:
        if self.request.minor == 1 and (status != 100 or self.expects_continue):
            if status == 100:
                self.expects_continue = False
                if self.reading_body and not self.write_paused:
                    self.timer.arm(self.front.body_queue, BODY_TIME, monotonic_us())
            head = self.front.writer.informational(status, fields)
            self.bytes_out += len(head)
            self.transport.write(head)
        return 0

    cdef int _stream(self, list nominated, Framing framing, long long length) except -1:
        """The head of a reply whose body is still arriving."""
        cdef Front front = self.front
        cdef Response response = self.exchange.response
        if self.exchange.collects:
            return self._collect(nominated, framing, length)
        if self.exchange.failure is not None:
            front.report(self.exchange.failure)
        if self.request.method_wire == HEAD or response.code == 204 or response.code == 304:
            if framing != NO_BODY:
                self._drop_fetch()      # a hook took the body away by its status
            if framing != NO_BODY or self.exchange.page is not None:
                length = -1             # the origin's is not that of a visitor's page
            framing = NO_BODY
            if response.code == 204:
                length = -1     # RFC 9110 §8.6
        elif framing == CHUNKED or framing == UNTIL_CLOSE:
            framing = CHUNKED if self.request.minor == 1 else UNTIL_CLOSE
            length = -1
        elif framing == NO_BODY:
            framing, length = LENGTH, 0
        if framing == UNTIL_CLOSE or self.reading_body or front.draining or (self.eof and self.tail is None):
            self.keep_alive = False
        self.reply_framing = framing
        front.refresh_date(self.started)
        self.held = front.writer.response(
            response, framing, length, front.date_line, front.via, self.request.minor, self.keep_alive, nominated,
            self.exchange.cache_lines(),
        )
        self.head_sent = True
        if self.fetch is None and self.reader is None:
            self.on_flush()
            self._finish()
            return self._go_on()
        if self.write_paused:
            if self.fetch is not None:
                self.fetch.pause()
            else:
                self.reader.pause()
        return 0

    cdef int _collect(self, list nominated, Framing framing, long long length) except -1:
        """Nothing is sent of a page before all of it is there, unless that would be too much."""
        self.page = collected(self.front, PAGE_MAX)
        self.page_nominated, self.page_framing, self.page_length = nominated, framing, length
        self.from_origin = self.exchange.response.stored is None
        return 0 if self.page.expects(length) else self._stream_after_all()

    cdef int _stream_after_all(self) except -1:
        cdef Collected page = self.page
        self.page = None
        self.exchange.left_alone(page.objection)
        self._stream(self.page_nominated, self.page_framing, self.page_length)
        for piece in page.pieces:
            self.on_body(piece)
        return 0

    cdef int _collected(self) except -1:
        cdef Stored stored = self.exchange.response.stored
        cdef object body = None if stored is None else stored.body
        if type(body) is not bytes:     # it is stored nowhere, or on the disk alone
            body = self.page.whole()
        self.page = None
        self._act(self.exchange.collected(body))
        return self._go_on()

    cdef int _collect_file(self, DiskBody body) except -1:
        if body.length > PAGE_MAX:
            self.exchange.left_alone("too_large")
            return self._act(REPLY)
        return FileReader(body, partial(self._file_is_read, self.exchange)).start()

    def _file_is_read(self, Exchange exchange, content):
        if self.exchange is not exchange:
            return
        if content is None:
            self.front.store.drop(exchange.response.stored)
        self._act(exchange.look() if content is None else exchange.collected(content))
        self._go_on()

    cdef int on_body(self, bytes data) except -1:
        if self.page is not None:
            return 0 if self.page.add(data, self.reader) else self._stream_after_all()
        if self.reply_framing == NO_BODY:
            return 0
        if self.reply_framing == CHUNKED:
            data = chunk(data)
        if self.held is None:
            return self._write(data)
        if len(data) <= INLINE_MAX:
            data, self.held = self.held + data, None
            return self._write(data)
        self.bytes_out += len(self.held) + len(data)
        self.transport.writelines((self.held, data))
        self.held = None
        return 0

    cdef int on_flush(self) except -1:
        cdef bytes held = self.held
        if held is not None:
            self.held = None
            self._write(held)
        return 0

    cdef int on_end(self, Fields trailers) except -1:
        self._source_ended()
        if self.state == TUNNEL:
            self._account(None)
            self.close()
            return 0
        if self.page is not None:
            return self._collected()
        if self.reply_framing == CHUNKED:
            end = last_chunk(trailers if self.accepts_trailers else None, None)
            if self.held is not None:
                end, self.held = self.held + end, None
            self._write(end)
        self.on_flush()
        self._finish()
        return self._go_on()

    cdef int on_failure(self, int status, str error) except -1:
        self._source_ended()
        self.page = self.page_nominated = None
        self.from_origin = False
        if self.state == CLOSING:
            return 0
        if not self.head_sent and self.state != TUNNEL:
            self._act(self.exchange.failed(status, error))
            return self._go_on()
        self.on_flush()
        self._account(error)
        # A body cut short must look cut short: without a length or a last chunk, only a reset says so.
        if self.reply_framing == UNTIL_CLOSE or self.state == TUNNEL:
            return self._reset()
        self.close()
        return 0

    cdef int on_tunnel(self, Fields fields) except -1:
        self.state = TUNNEL
        self.fetch.replayable = False
        self.fetch.pieces = None
        self._write(self.front.writer.informational(101, fields))
        self.timer.arm(self.front.tunnel_queue, TUNNEL_TIME, monotonic_us())
        if self.tail is not None:
            self.bytes_in += len(self.tail)
            self.fetch.send(self.tail)
            self.tail = None
        if self.held_back:
            self.held_back = False
            self._read_on()
        if self.eof:
            self.fetch.tunnel_eof()
        return 0

    cdef int on_tunnel_data(self, bytes data) except -1:
        if not self.write_paused:
            self.timer.arm(self.front.tunnel_queue, TUNNEL_TIME, monotonic_us())
        return self._write(data)

    cdef int on_tunnel_eof(self) except -1:
        self.origin_eof = True
        if self.eof:
            self._account(None)
            self.close()
        else:
            self.transport.write_eof()
        return 0

    cdef int on_pause_body(self) except -1:
        if self.state == BUSY or self.state == TUNNEL:
            self.body_paused = True
            if self.timer.kind == BODY_TIME:
                self.timer.disarm()
            self.transport.pause_reading()
        return 0

    cdef int on_resume_body(self) except -1:
        if self.body_paused:
            self.body_paused = False
            if self.state <= TUNNEL:
                self._read_on()
                if self.reading_body and not self.write_paused:
                    self.timer.arm(self.front.body_queue, BODY_TIME, monotonic_us())
        return 0


cdef Py_ssize_t size_of(object content) except -1:
    """Bytes of a body, or of all its pieces."""
    cdef Py_ssize_t size = 0
    if type(content) is bytes:
        return len(<bytes> content)
    for piece in <tuple> content:
        size += len(<bytes> piece) if type(piece) is bytes else view_of(piece).len
    return size
