"""All of a stored body that is on the disk, for those who need its bytes. What is not in memory is fetched in a thread."""

cimport cython

from fastedge.disk.body cimport COLD
from fastedge.limits import disk_window_bytes

cdef Py_ssize_t WINDOW = disk_window_bytes


@cython.final
cdef class FileReader:
    """`on_done` is called once, maybe before `start` returns; not at all behind `cancel`. How long a body may be is to be seen
    before."""

    def __init__(self, DiskBody body not None, on_done):
        self.body = body
        self.on_done = on_done
        self.pieces = []

    cdef int start(self) except -1:
        self._go_on(True)
        return 0

    cdef int cancel(self) except -1:
        self.on_done = None
        return 0

    def _go_on(self, bint is_warm):
        cdef bytes piece
        if self.on_done is None:
            return
        while is_warm and self.size < self.body.length:
            piece = self.body.read_some(self.size, WINDOW)
            if piece is not None:
                self.pieces.append(piece)
                self.size += len(piece)
            elif self.body.probe(self.size, WINDOW) == COLD and self.body.warm(self.size, WINDOW, self._go_on):
                return
            else:
                is_warm = False
        done, self.on_done = self.on_done, None
        done(b"".join(self.pieces) if is_warm else None)
