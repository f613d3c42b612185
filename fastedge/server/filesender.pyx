"""Sends a head and a part of a file past the transport, by sendfile(2): the bytes never come to Python.

Only when the transport has nothing of its own to send, and never longer at a stretch than others can wait. What is not
in memory is fetched in a thread; a file that has changed underneath ends the reply, visibly.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from posix.unistd cimport close, dup

from fastedge.disk.body cimport COLD, DiskBody
from fastedge.limits import disk_window_bytes, file_stretch_bytes_max, file_transport_poll_ms

cdef long long WINDOW = disk_window_bytes
cdef long long STRETCH_MAX = file_stretch_bytes_max
cdef object POLL_S = file_transport_poll_ms / 1000

cdef extern from "sys/socket.h" nogil:
    ssize_t send(int socket, const void* data, size_t size, int flags)
    int MSG_DONTWAIT
    int MSG_MORE
    int MSG_NOSIGNAL


@cython.final
cdef class FileSender:
    """`socket` is the transport's descriptor. `on_done(is_whole)` is called once, unless it is cancelled before; `on_progress()` whenever the client took some."""

    def __init__(self, loop, transport, int socket, *, on_progress, on_done):
        self.loop = loop
        self.transport = transport
        self.socket = socket
        self.twin = -1
        self.on_progress = on_progress
        self.on_done = on_done

    cdef int start(self, bytes head, DiskBody body, long long offset, long long count) except -1:
        self.head = head
        self.body = body
        self.offset = offset
        self.left = count
        self._go_on()
        return 0

    cdef int cancel(self) except -1:
        self.on_done = None
        if not self.over:
            self._end(False)
        return 0

    def _go_on(self, is_warm=True):
        if self.over:
            return
        if not is_warm:
            self._end(False)
        elif self.head is not None and self.transport.get_write_buffer_size():
            self.loop.call_later(POLL_S, self._go_on)       # what was said before goes first
        elif self.head is None or self._send_head():
            self._send_body()

    cdef bint _send_head(self) except -1:
        """Whether all of it is out."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.head)
        cdef ssize_t sent = send(self.socket, PyBytes_AS_STRING(self.head), size, MSG_DONTWAIT | MSG_MORE | MSG_NOSIGNAL)
        if sent == size:
            self.head = None
            return True
        if sent < 0 and errno not in (EAGAIN, EINTR):
            self._end(False)
            return False
        self.head = self.head[max(sent, 0):]
        self._wait()
        return False

    cdef int _send_body(self) except -1:
        cdef long long stretch = STRETCH_MAX
        cdef Py_ssize_t sent
        while self.left:
            if stretch <= 0:
                self.loop.call_soon(self._go_on)
                return 0
            sent = self.body.send_some(self.socket, self.offset, <Py_ssize_t> min(self.left, WINDOW))
            if sent == 0:
                return self._wait()
            if sent == COLD:
                self._unwatch()
                if not self.body.warm(self.offset, <Py_ssize_t> min(self.left, WINDOW), self._go_on):
                    self._end(False)
                return 0
            if sent < 0:
                return self._end(False)
            self.offset += sent
            self.left -= sent
            stretch -= sent
            self.on_progress()
        return self._end(True)

    cdef int _wait(self) except -1:
        """Until the client takes more. The loop refuses to watch a transport's own descriptor."""
        if self.twin < 0:
            self.twin = dup(self.socket)
            if self.twin < 0:
                return self._end(False)
            self.loop.add_writer(self.twin, self._go_on)
        return 0

    cdef int _unwatch(self) except -1:
        if self.twin >= 0:
            self.loop.remove_writer(self.twin)
            close(self.twin)
            self.twin = -1
        return 0

    cdef int _end(self, bint is_whole) except -1:
        done, self.on_done = self.on_done, None
        self.over = True
        self._unwatch()
        self.transport = self.on_progress = None
        if done is not None:
            done(is_whole)
        return 0
