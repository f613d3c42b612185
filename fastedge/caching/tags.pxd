from fastedge._core.fields cimport Fields
from fastedge._core.message cimport Plan, Request

cdef bytes names_of(Request request, Plan plan, Fields fields)
cdef bytes url_of(Request request, bytes target)
cdef bytes origin_of(Request request)
cdef bytes pack_names(list names)
