"""The hook of `Redirects`: one look-up a request, and an answer only when a row matches."""

cimport cython

from fastedge._core.fields cimport Fields, intern_text, value_to_wire
from fastedge._core.message cimport Context, Request, make_response
from fastedge._core.pipeline cimport CONTINUE_, ON_REQUEST
from fastedge._core.redirecttable cimport Match


@cython.final
cdef class RedirectStage(NativeStage):
    def __init__(self, RedirectTable table not None, cache_control=None):
        self.hooks = ON_REQUEST
        self.table = table
        self.location_name = intern_text("location")
        self.cache_control_name = intern_text("cache-control")
        self.cache_control = None if cache_control is None else value_to_wire(cache_control)

    cdef object request_hook(self, Request request, Context ctx):
        cdef Match found
        cdef const char* target = request.target_wire
        self.table.match(request.host_wire, len(request.host_wire), target, request.path_length, &found)
        if found.row < 0:
            return CONTINUE_
        return self.answer(request, ctx, &found)

    cdef object answer(self, Request request, Context ctx, Match* found):
        cdef const char* target = request.target_wire
        cdef Py_ssize_t query_at = min(request.path_length + 1, len(request.target_wire))
        cdef bytes location = self.table.location(found, target, target + query_at, len(request.target_wire) - query_at)
        cdef Fields fields
        if location is None:
            return CONTINUE_
        fields = Fields.__new__(Fields)
        fields.append(self.location_name, location)
        if self.cache_control is not None:
            fields.append(self.cache_control_name, self.cache_control)
        ctx.note("Redirects", f"{self.table.unit} {self.table.rows[found.row].line}")
        return make_response(self.table.rows[found.row].status, fields, b"")
