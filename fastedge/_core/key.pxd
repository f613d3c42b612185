from fastedge._core.message cimport Plan, Request

cdef bytes key_of(Request request, Plan plan)
