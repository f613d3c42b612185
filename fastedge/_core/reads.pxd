from cpython.object cimport PyObject

cdef enum:
    READS_MAX = 32


cdef class Reads:
    cdef int stage                      # whose hook runs, counted from 1; 0: nobody is watched
    cdef int count
    cdef PyObject* what[READS_MAX]      # owned. FieldName: a field; bytes: a cookie's name; str: a fact of the context
    cdef int by[READS_MAX]              # the stage that read it

    cdef int note(self, object what) noexcept
    cdef list of_stage(self, int stage, int count)


cdef str EVERY_FIELD
