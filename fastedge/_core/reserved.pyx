"""What a pipeline keeps for its gates: fields that only the edge tells the origin, parameters that no log may hold.

In force on every request of the pipeline, also where a gate's condition does not hold: what a gate says about who asks
is worth nothing if a client can say it on another path.
"""

cimport cython

from fastedge._core.fields cimport FieldName, Fields, intern_text
from fastedge._core.message cimport OriginField
from fastedge._core.queryrules cimport QueryRules


@cython.final
cdef class Reserved:
    """`fields` are names, `parameters` those of a query."""

    def __init__(self, fields, parameters):
        self.names = [intern_text(name) for name in dict.fromkeys(fields)]
        self.texts = {(<FieldName> name).text for name in self.names}
        self.folded = {text.replace("_", "-") for text in self.texts}
        self.spelled_low = self.folded != self.texts
        for text in self.texts:
            self.lengths |= 1ULL << (len(text) & 63)
        self.parameters = QueryRules([name.encode() for name in dict.fromkeys(parameters)], False, False) if parameters else None

    cdef int enforce(self, Request request, Context ctx) except -1:
        if self.lengths:
            self._drop_forged(request, ctx)
        if self.parameters is not None:
            ctx.shown_target = (<QueryRules> self.parameters).normal(request.target_wire)
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
                _drop(ctx, name)
        return 0


cdef int _drop(Context ctx, FieldName name) except -1:
    """Outside the key: the origin hears the same, whether a client tried or not."""
    cdef OriginField edit = OriginField.__new__(OriginField)
    edit.name, edit.replaces = name, True
    return ctx.plan.add(edit)
