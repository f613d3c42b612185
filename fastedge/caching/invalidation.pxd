from fastedge._core.fields cimport Fields
from fastedge._core.message cimport Plan, Request

cdef bint is_unsafe(bytes method) noexcept
cdef bytes invalidated(Request request, Plan plan, int status, Fields fields)
