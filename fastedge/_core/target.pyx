"""Whom an experiment is about: by path, device, claims and country. Everything that is asked must hold."""

cimport cython

from fastedge._core.device import DEVICES
from fastedge._core.device cimport device_of


@cython.final
cdef class Target:
    """`claims`: name → values, of which the claim is one, or, being an array, has one."""

    def __init__(self, *, Condition path=None, countries=None, claims={}, devices=DEVICES[1:]):
        self.path = path
        self.countries = None if countries is None else frozenset(countries)
        self.claims = tuple([(name, frozenset([(type(value), value) for value in values])) for name, values in claims.items()])
        for device in devices:
            self.devices |= 2 << DEVICES.index(device)

    def is_for(self, Request request not None, Context ctx not None):
        return self.admits(request, ctx)

    cdef bint admits(self, Request request, Context ctx) except -1:
        if self.path is not None and not self.path.test(request):
            return False
        if not self.devices >> device_of(request, ctx) & 1:
            return False
        for name, values in self.claims:
            if not has_one(None if ctx._claims is None else ctx._claims.get(name), <frozenset> values):
                return False
        return self.countries is None or ctx.geo.country in self.countries


cdef bint has_one(value, frozenset wanted) except -1:
    """1 is not True here, nor the text "1"."""
    if isinstance(value, (list, tuple)):
        return any([type(one) in (str, int, bool) and (type(one), one) in wanted for one in value])
    return type(value) in (str, int, bool) and (type(value), value) in wanted
