from fastedge._core.body cimport BodyReader, Framing
from fastedge._core.fields cimport Fields
from fastedge._core.message cimport Request, Response
from fastedge.disk.body cimport DiskBody
from fastedge.server.asking cimport Asking
from fastedge.server.collected cimport Collected
from fastedge.server.filesender cimport FileSender
from fastedge.server.front cimport Front
from fastedge.server.subrequest cimport Gathering
from fastedge.server.timers cimport Timer


cdef class ClientConnection(Asking):
    cdef object transport
    cdef int descriptor             # of its socket; -1: unknown, or closed
    cdef Timer timer
    cdef int state
    cdef unsigned char peer[16]
    cdef bytes peer_text
    cdef bytes peer_node
    cdef bytes hop                  # what Forwarded says of this hop, for this authority and scheme
    cdef bytes hop_authority
    cdef bint hop_secure
    cdef bint peer_trusted
    cdef bytes tail                 # received and not read yet
    cdef bint eof                   # the client sends no more
    cdef bint write_paused
    cdef bint body_paused           # the origin takes no more of the body for now
    cdef bint held_back             # too much waits in `tail`
    cdef bint consuming
    cdef bint origin_eof
    cdef int empty_lines            # skipped before the next request line
    cdef size_t unsent              # in the transport when a time-out was armed
    # the request in hand
    cdef bint asks_head             # also of what is no request otherwise: who asks HEAD reads no body
    cdef Request request
    cdef FileSender file            # a stored body on its way from the disk
    cdef Gathering gathering        # what its page waits for
    cdef int status_refused
    cdef BodyReader body
    cdef list collected             # pieces of a body that is to be whole before the exchange starts; or None
    cdef long long body_size        # payload so far
    cdef bint keep_alive
    cdef bint head_sent
    cdef Framing reply_framing
    cdef bytes held                 # a reply's head that waits for the first piece of its body
    # a page that is to be whole before the reply is made
    cdef Collected page             # its body; None: nothing is collected
    cdef list page_nominated        # what the origin's Connection field listed, for the reply
    cdef bint from_origin           # the reply's fields came from there a moment ago
    cdef Framing page_framing       # how it would stream
    cdef long long page_length
    cdef int lingered
    cdef double started
    cdef readonly long long bytes_in
    cdef readonly long long bytes_out

    cdef int _consume(self, bytes data) except -1
    cdef Py_ssize_t _read_head(self, bytes data, Py_ssize_t position) except -2
    cdef bint _takes_override(self, Fields fields, unsigned char* packed16) except -1
    cdef Py_ssize_t _read_body(self, bytes data, Py_ssize_t position) except -2
    cdef int _start(self) except -1
    cdef bint _is_plain(self) except -1
    cdef bytes _send_at_once(self, bytes head, DiskBody body, long long* first, long long* count)
    cdef int _reply_from_file(self, Response response, bytes head) except -1
    cdef int _collect(self, list nominated, Framing framing, long long length) except -1
    cdef int _collect_file(self, DiskBody body) except -1
    cdef int _stream_after_all(self) except -1
    cdef int _collected(self) except -1
    cdef int _finish(self) except -1
    cdef int _ready(self) except -1
    cdef int _read_on(self) except -1
    cdef Py_ssize_t _skip_empty_lines(self, bytes data, Py_ssize_t position) noexcept
    cdef bint _has_moved(self) except -1
    cdef int _reset(self) except -1
    cdef int _refuse(self, int status, str reason) except -1
    cdef int _linger(self) except -1
    cdef int _write(self, bytes data) except -1
    cdef int _send(self, bytes data) except -1
    cdef int _send_pieces(self, bytes head, tuple pieces) except -1
    cdef int _account(self, str error) except -1
