cimport cython

from fastedge._core.fields cimport FieldName
from fastedge._core.message cimport Context, Request
from fastedge._core.pipeline cimport NativeStage
from fastedge._core.redirecttable cimport Match, RedirectTable


@cython.final
cdef class RedirectStage(NativeStage):
    cdef RedirectTable table
    cdef FieldName location_name, cache_control_name
    cdef bytes cache_control    # None: the answer has no such field

    cdef object answer(self, Request request, Context ctx, Match* found)
