from libc.stdint cimport uint32_t

from fastedge._core.fields cimport FieldName, Fields
from fastedge._core.message cimport Plan, Request


cdef class Assessment:
    cdef readonly str reason            # why it must not be stored, one of REASONS or the plan's own; None: it may be
    cdef readonly double lifetime_s
    cdef readonly double initial_age_s
    cdef readonly double stale_while_revalidate_s
    cdef readonly double stale_if_error_s
    cdef readonly uint32_t flags        # _core.store.Flag
    cdef readonly bytes vary            # packed; None: there is none
    cdef readonly bytes names           # purge names: uint64_t each, the URL's first
    cdef list left_out                  # FieldNames whose lines are not stored, or None


cdef Assessment assess(
    Request request, Plan plan, int status, Fields fields, list nominated, double asked_s, double received_s
)
cdef tuple said_of_sharing(int status, Fields fields)
