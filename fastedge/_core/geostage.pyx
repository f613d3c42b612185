"""The compiled hooks of GeoRoute and GeoGate: the client's country picks a cell of a table, and that is the decision.

What the tables hold is worked out in fastedge.stages.geo; nothing here knows a continent, a union or an option's name.
"""

cimport cython
from cpython.tuple cimport PyTuple_GET_ITEM

from fastedge._core.fields cimport Fields
from fastedge._core.geotable cimport GeoFacts, GeoTable, code_of
from fastedge._core.message cimport Context, Request, make_response
from fastedge._core.pipeline cimport CONTINUE_, ON_REQUEST


@cython.final
cdef class RouteByCountry(NativeStage):
    """`origins`: country → the name of the origin, or None to leave the plan's; "" is the unknown country."""

    def __init__(self, origins):
        cells = [origins[""]] * CODES
        for country, origin in origins.items():
            cells[code_of(country)] = origin
        self.origins = tuple(cells)
        self.hooks = ON_REQUEST

    cdef object request_hook(self, Request request, Context ctx):
        cdef object origin = <object>PyTuple_GET_ITEM(self.origins, _country_code(ctx))
        if origin is not None:
            ctx.plan.origin_name = <str>origin
        return CONTINUE_


@cython.final
cdef class GateByCountry(NativeStage):
    """`refused`: country → whether its requests end here with `status`; "" is the unknown country."""

    def __init__(self, refused, int status, bytes body not None):
        cdef int code
        for code in range(CODES):
            self.refused[code] = bool(refused[""])
        for country, is_refused in refused.items():
            self.refused[code_of(country)] = bool(is_refused)
        self.status = status
        self.body = body
        self.hooks = ON_REQUEST

    cdef object request_hook(self, Request request, Context ctx):
        if not self.refused[_country_code(ctx)]:
            return CONTINUE_
        ctx.note("GeoGate", f"refused country {ctx.geo.country or 'unknown'}")
        # no-store: a 451 is cacheable by default (RFC 7725 §3), and this one is meant for one client's address.
        fields = Fields((("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store")))
        return make_response(self.status, fields, self.body)


cdef int _country_code(Context ctx) except -1:
    if ctx._geo is None and type(ctx.geo_table) is GeoTable:
        ctx._geo = (<GeoTable>ctx.geo_table).find(ctx.client_address)
    geo = ctx.geo
    return (<GeoFacts>geo).code if type(geo) is GeoFacts else code_of(geo.country)
