"""What a pipeline keeps for its gates: fields that only the edge tells the origin, parameters that no log may hold.

In force on every request of the pipeline, also where a gate's condition does not hold: what a gate says about who asks
is worth nothing if a client can say it on another path.
"""

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE

from fastedge._core.fields cimport FieldName, Fields, intern_text
from fastedge._core.message cimport OriginField
from fastedge._core.queryrules cimport QueryRules

cdef FieldName _REFERER = intern_text("referer")


@cython.final
cdef class Reserved:
    """`fields` are names, `parameters` those of a query."""

    def __init__(self, fields, parameters):
        self.texts = {intern_text(name).text for name in fields}
        self.folded = {text.replace("_", "-") for text in self.texts}
        self.spelled_low = self.folded != self.texts
        for text in self.texts:
            self.lengths |= 1ULL << (len(text) & 63)
        self.parameters = QueryRules([name.encode() for name in dict.fromkeys(parameters)], False, False) if parameters else None

    cdef int enforce(self, Request request, Context ctx) except -1:
        if self.lengths:
            self._drop_forged(request, ctx)
        if self.parameters is not None:
            self._hide_parameters(request, ctx)
        return 0

    cdef int _hide_parameters(self, Request request, Context ctx) except -1:
        """Also in the Referer: a page sends its own URL with all that it asks for, so its origin must not see that either."""
        cdef QueryRules without = self.parameters
        cdef bytes referer = request.fields.find(_REFERER)
        if PyBytes_GET_SIZE(request.target_wire) > request.path_length:
            ctx.shown_target = without.normal(request.target_wire)
        if referer is not None:
            ctx.shown_referer = without.normal(referer)
            if ctx.shown_referer is not referer or request.fields.count(_REFERER) > 1:
                _replace(ctx, _REFERER, ctx.shown_referer)
        return 0

    cdef int _drop_forged(self, Request request, Context ctx) except -1:
        """CGI and its heirs (RFC 3875 §4.1.18) read "x_user" as "x-user": a client must not forge a fact that way."""
        cdef FieldName name
        cdef Py_ssize_t i
        cdef Fields fields = request.fields
        for i in range(fields.total):
            name = fields.name_at(i)
            if self.lengths >> (len(name.text) & 63) & 1 and (
                name.text in self.texts
                or ((self.spelled_low or b"_" in name.wire) and name.text.replace("_", "-") in self.folded)
            ):
                _replace(ctx, name, None)
        return 0


cdef int _replace(Context ctx, FieldName name, bytes value) except -1:
    """Outside the key: the origin hears the same, whether a client tried or not."""
    cdef OriginField edit = OriginField.__new__(OriginField)
    edit.name, edit.value, edit.replaces = name, value, True
    return ctx.plan.add(edit)
