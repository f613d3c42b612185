from fastedge._core.fields cimport FieldName
from fastedge._core.message cimport Plan, Request

cdef str objection(bytes vary)
cdef bytes pack(bytes vary, Request request, Plan plan)
cdef bytes selection(bytes packed, Request request, Plan plan)
cdef bint matches(bytes packed, Request request, Plan plan) except -1
cdef bint reaches_origin(FieldName name, Request request, Plan plan) except -1
cdef bint is_varied(bytes packed, FieldName name) except -1
