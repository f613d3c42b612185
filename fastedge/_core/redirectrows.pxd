cimport cython

from fastedge._core.redirecttable cimport RedirectTable


@cython.final
cdef class RedirectBuilder:
    cdef RedirectTable table
    cdef readonly str unit
    cdef readonly list problems
    cdef readonly Py_ssize_t problem_count

    cdef int refuse(self, Py_ssize_t line, str column, str text) except -1
