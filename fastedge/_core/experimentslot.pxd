cimport cython

from fastedge._core.bucket cimport Buckets

cdef enum State:
    ON
    PAUSED
    OFF


@cython.final
cdef class ExperimentSlot:
    """How an experiment stands now. The shell swaps it; `buckets.variants` are the same as long as the slot lives."""
    cdef readonly str name
    cdef readonly Buckets buckets
    cdef State now
    cdef readonly int default       # the number of the variant of who is not in it; -1: they have none
    cdef readonly int row           # of Exposures; -1: nobody counts
