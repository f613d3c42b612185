cimport cython

from fastedge._core.condition cimport Condition
from fastedge._core.message cimport Context, Request


@cython.final
cdef class Target:
    """Whom an experiment is about."""
    cdef Condition path         # None: any
    cdef frozenset countries    # None: any
    cdef tuple claims           # of (name, frozenset of values)
    cdef int devices            # the set of those that are in it, as bits by Device

    cdef bint admits(self, Request request, Context ctx) except -1
