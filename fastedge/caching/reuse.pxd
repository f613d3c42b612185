from fastedge._core.message cimport Plan, Request
from fastedge._core.stored cimport Stored

cdef enum Use:
    FRESH = 0       # send it
    REFRESH = 1     # send it, and validate it beside (RFC 5861 §3)
    VALIDATE = 2    # ask the origin first

cdef Use use_of(Stored stored, double age_s, Request request, Plan plan, bint softly_purged) except *
cdef bint may_stand_in(Stored stored, double age_s, Request request, Plan plan) except -1
cdef bint only_if_cached(Request request) except -1
cdef bint forbids_store(Request request) except -1
