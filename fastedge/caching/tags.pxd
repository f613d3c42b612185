from fastedge._core.fields cimport Fields
from fastedge._core.message cimport Plan, Request

cdef bytes names_of(Request request, Plan plan, Fields fields)
cdef bytes pack_names(list names)
