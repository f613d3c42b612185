"""The compiled hooks of GeoRoute, GeoGate and GeoHeaders: where the client is picks a cell of a table, or is told.

What the tables hold is worked out in fastedge.stages.geo; nothing here knows a continent, a union or an option's name.
"""

cimport cython
from cpython.tuple cimport PyTuple_GET_ITEM

from fastedge._core.fields cimport Fields, intern_text
from fastedge._core.geotable cimport GeoTable, code_of
from fastedge._core.message cimport Request, make_response
from fastedge._core.pipeline cimport CONTINUE_, ON_REQUEST

FACTS = {
    "country": COUNTRY, "continent": CONTINENT, "is_eu": IS_EU, "region": REGION, "city": CITY, "time_zone": TIME_ZONE,
    "asn": ASN, "organization": ORGANIZATION,
}
cdef list _ATTRIBUTES = list(FACTS)


@cython.final
cdef class RouteByPlace(NativeStage):
    """(origin, fallbacks) by AS number, else by region, else by country; None leaves the plan's. "" is the unknown country."""

    def __init__(self, by_country, by_region, by_asn):
        cells = [by_country[""]] * CODES
        for country, line in by_country.items():
            cells[code_of(country)] = line
        self.by_country = tuple(cells)
        self.by_region = dict(by_region)
        self.by_asn = dict(by_asn)
        self.hooks = ON_REQUEST

    cdef object request_hook(self, Request request, Context ctx):
        cdef object line = None
        geo = geo_of(ctx)
        if self.by_asn:
            line = self.by_asn.get(geo.asn)
        if line is None and self.by_region:
            line = self.by_region.get(geo.region)
        if line is None:
            line = <object>PyTuple_GET_ITEM(self.by_country, _country_code(geo))
        if line is not None:
            ctx.plan.origin_name = <str>(<tuple>line)[0]
            ctx.plan.fallback_names = <tuple>(<tuple>line)[1] or None
        return CONTINUE_


@cython.final
cdef class GateByPlace(NativeStage):
    """`refused`: country → whether its requests end here with `status`; "" is the unknown country. Of `regions` and `asns`,
    whatever their country, they do if `refuses_listed`, and else do not."""

    def __init__(self, refused, regions, asns, bint refuses_listed, int status, bytes body not None):
        cdef int code
        for code in range(CODES):
            self.refused[code] = bool(refused[""])
        for country, is_refused in refused.items():
            self.refused[code_of(country)] = bool(is_refused)
        self.regions, self.asns, self.refuses_listed = frozenset(regions), frozenset(asns), refuses_listed
        self.status = status
        self.body = body
        self.hooks = ON_REQUEST

    cdef object request_hook(self, Request request, Context ctx):
        geo = geo_of(ctx)
        cdef bint is_refused = self.refused[_country_code(geo)]
        if is_refused != self.refuses_listed and (
            (self.asns and geo.asn in self.asns) or (self.regions and geo.region in self.regions)
        ):
            is_refused = self.refuses_listed
        if not is_refused:
            return CONTINUE_
        ctx.note("GeoGate", f"refused country {geo.country or 'unknown'}")
        # no-store: a 451 is cacheable by default (RFC 7725 §3), and this one is meant for one client's address.
        fields = Fields((("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store")))
        return make_response(self.status, fields, self.body)


@cython.final
cdef class TellFacts(NativeStage):
    """`fields`: (fact, field, keyed). What is unknown is not said; what a client says under these names never passes."""

    def __init__(self, fields):
        self.facts, self.names, self.keyed = [], [], []
        for fact, field, keyed in fields:
            self.facts.append(FACTS[fact])
            self.names.append(intern_text(field))
            self.keyed.append(bool(keyed))
        self.reserved_fields = tuple([(<FieldName>name).text for name in self.names])
        self.hooks = ON_REQUEST

    cdef object request_hook(self, Request request, Context ctx):
        cdef bytes value
        cdef Py_ssize_t i
        for i in range(len(self.names)):
            value = fact_of(ctx, <int>self.facts[i])
            if value:
                ctx.plan.edit(<FieldName>self.names[i], value, True, self.keyed[i] is True)
        return CONTINUE_


cdef object geo_of(Context ctx):
    if ctx._geo is None and type(ctx.geo_table) is GeoTable:
        ctx._geo = (<GeoTable>ctx.geo_table).find(ctx.geo_address)
    return ctx.geo if ctx._geo is None else ctx._geo


cdef bytes fact_of(Context ctx, int fact):
    """As a field or a key has it: UTF-8; empty where it is not known."""
    geo = geo_of(ctx)
    if fact == COUNTRY and type(geo) is GeoFacts:
        return (<GeoFacts>geo).known.wire
    value = getattr(geo, <str>_ATTRIBUTES[fact])
    if fact == IS_EU:
        return b"1" if value else b"0"
    if fact == ASN:
        return b"%d" % value if value else b""
    return (<str?>value).encode()


cdef int _country_code(object geo) except -1:
    return (<GeoFacts>geo).known.number if type(geo) is GeoFacts else code_of(geo.country)
