"""What custom hooks have read of one request: written down by what they read from, judged in `unkeyed`."""

cimport cython

from fastedge.limits import reads_max

cdef Py_ssize_t READS_MAX = reads_max
EVERY_FIELD = "every field"
cdef object _EVERY_FIELD = EVERY_FIELD


@cython.final
@cython.freelist(64)
cdef class Reads:
    def __cinit__(self):
        self.what = []
        self.by = []

    cdef int note(self, object what) except -1:
        """Once a stage and a thing. Who reads more than anyone would list has read everything."""
        cdef Py_ssize_t i, count = len(self.what)
        if self.stage == 0 or count > READS_MAX:
            return 0
        for i in range(count):
            if self.what[i] is what and <int> self.by[i] == self.stage:
                return 0
        self.what.append(_EVERY_FIELD if count == READS_MAX else what)
        self.by.append(self.stage)
        return 0
