"""Hits as they were last sent: within a second of its age the same stored response is the same bytes, and is not written
anew. Bounded by its slots and by what one of them may hold; what is pushed out is written again."""

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.ref cimport Py_INCREF, Py_XDECREF

from fastedge.limits import ready_hit_bytes_max

cdef Py_ssize_t BYTES_MAX = ready_hit_bytes_max


@cython.final
cdef class ReadyHits:
    """Whole answers of HTTP/1.1 on a kept connection, by the response that they come from and its age."""

    def __dealloc__(self):
        cdef int i
        for i in range(SLOTS):
            Py_XDECREF(self.slots[i].stored)
            Py_XDECREF(self.slots[i].answer)

    cdef bytes find(self, Stored stored, long long age_s):
        cdef Ready* slot = &self.slots[stored.low % SLOTS]
        if slot.stored is <PyObject*> stored and slot.age_s == age_s:
            return <bytes> slot.answer
        return None

    cdef int keep(self, Stored stored, long long age_s, bytes answer) except -1:
        cdef Ready* slot = &self.slots[stored.low % SLOTS]
        cdef PyObject* former = slot.stored
        cdef PyObject* former_answer = slot.answer
        if PyBytes_GET_SIZE(answer) > BYTES_MAX:
            return 0
        Py_INCREF(stored)
        Py_INCREF(answer)
        slot.stored, slot.answer, slot.age_s = <PyObject*> stored, <PyObject*> answer, age_s
        Py_XDECREF(former)
        Py_XDECREF(former_answer)
        return 0
