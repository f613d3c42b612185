"""What verified claims have to say: a small table of rules, each with the refusal that breaking it means.

Decides by claims that a gate has verified, and by nothing that a client says itself.
"""

cimport cython

from fastedge._core.message cimport Context, Request, make_response
from fastedge._core.pipeline cimport CONTINUE_, ON_REQUEST

RELATIONS = {"all_in": ALL_IN, "any_in": ANY_IN, "is_one_of": IS_ONE_OF, "contains": CONTAINS}


@cython.final
cdef class ClaimRule:
    """`relation` is a key of RELATIONS; `paths` are tuples of names, into objects."""

    def __init__(self, str relation not None, paths, values, Refusal refusal not None, *, bint splits=False):
        self.relation = RELATIONS[relation]
        self.paths = tuple(paths)
        self.values = frozenset([_wanted(value) for value in values])
        self.refusal = refusal
        self.splits = splits

    cdef bint holds(self, object claims) except -1:
        claim = _first(claims, self.paths)
        if claim is None:
            return False
        if self.relation == IS_ONE_OF:
            return _typed(claim) in self.values
        if self.relation == CONTAINS:
            return type(claim) is tuple and self.values <= _set_of(<tuple> claim)
        if type(claim) is not tuple:
            claim = tuple((<str> claim).split(" ")) if self.splits and type(claim) is str else (claim,)
        if self.relation == ALL_IN:
            return self.values <= _set_of(<tuple> claim)
        return not self.values.isdisjoint(_set_of(<tuple> claim))


@cython.final
cdef class RequireStage(NativeStage):
    """`nobody` is the refusal where no gate has said anything."""

    def __init__(self, rules, Refusal nobody not None):
        self.hooks = ON_REQUEST
        self.rules = list(rules)
        self.nobody = nobody

    cdef object request_hook(self, Request request, Context ctx):
        cdef ClaimRule rule
        if ctx._claims is None:
            return _refused(self.nobody, ctx)
        for rule in self.rules:
            if not rule.holds(ctx._claims):
                return _refused(rule.refusal, ctx)
        return CONTINUE_


cdef object _refused(Refusal refusal, Context ctx):
    ctx.note(refusal.stage, refusal.reason)
    return make_response(refusal.status, refusal.fields.copy_fields(), refusal.body)


cdef object _first(object claims, tuple paths):
    """What the first path that leads somewhere leads to; arrays are tuples, objects read-only mappings."""
    for path in paths:
        value = claims
        for name in <tuple> path:
            value = None if value is None or type(value) in _LEAVES else value.get(name)
        if value is not None:
            return value
    return None


_LEAVES = (str, int, float, bool, tuple)


cdef object _wanted(object value):
    """As `_typed`, and for members of enumerations their value: what equals nothing must not be wanted."""
    kind = str if isinstance(value, str) else bool if isinstance(value, bool) else "number"
    return kind, value


cdef object _typed(object value):
    """To Python, True is 1; to JSON, 1.0 is 1."""
    if type(value) is float or type(value) is int:
        return "number", value
    return (type(value), value) if type(value) in (str, bool) else (object, None)   # arrays and objects equal nothing


cdef set _set_of(tuple values):
    return {_typed(value) for value in values if type(value) is not tuple}
