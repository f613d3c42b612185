"""What custom hooks have read of one request: written down by what they read from, judged in `unkeyed`."""

cimport cython
from cpython.ref cimport Py_DECREF, Py_INCREF

EVERY_FIELD = "every field"


@cython.final
@cython.freelist(64)
cdef class Reads:
    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            Py_DECREF(<object> self.what[i])

    cdef int note(self, object what) noexcept:
        """Who reads more things than anyone would list has read everything."""
        cdef int i
        if self.stage == 0 or self.count == READS_MAX:
            return 0
        if self.count == READS_MAX - 1:
            what = EVERY_FIELD
        for i in range(self.count):
            if self.what[i] is <PyObject*> what and self.by[i] == self.stage:
                return 0
        Py_INCREF(what)
        self.what[self.count] = <PyObject*> what
        self.by[self.count] = self.stage
        self.count += 1
        return 0

    cdef list of_stage(self, int stage, int count):
        """What this stage has read; of the first `count` things."""
        cdef int i
        return [<object> self.what[i] for i in range(count) if self.by[i] == stage]
