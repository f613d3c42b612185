from fastedge._core.message cimport Request, Response
from fastedge._core.stored cimport Stored


cdef unsigned long long ASKS_FOR_LESS      # bits of Fields.seen: conditions and ranges


cdef struct Part:
    # what of the stored body is sent
    long long first
    long long count     # -1: all of it, however long it is


cdef Response whole_of(Stored stored, object content, bint is_edited, Part* part)
cdef Response answer_of(Stored stored, Request request, object content, double now, bint is_edited, Part* part)
