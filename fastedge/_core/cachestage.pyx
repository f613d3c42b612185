"""The hook of `CacheRules`: what was decided when the policy was loaded goes onto the plan, mostly as pointers."""

cimport cython

import orjson

from fastedge._core.cookies cimport find
from fastedge._core.fields cimport COOKIE, Line, intern_text, known
from fastedge._core.geostage cimport fact_of
from fastedge._core.message cimport Request
from fastedge._core.pipeline cimport CONTINUE_, ON_REQUEST
from fastedge._core.queryrules cimport raw_values
from fastedge._core.geostage import FACTS

cdef FieldName _COOKIE_NAME = known(COOKIE)
cdef bytes _ABSENT = b"\0"      # no field, cookie, target or JSON text has it
cdef object _SORTED = orjson.OPT_SORT_KEYS

# What may split the cache, as `CacheRules(key=...)` spells it; with a colon, a name follows.
SOURCES = {
    "cookie:": FROM_COOKIE, "header:": FROM_FIELD, "query:": FROM_QUERY, "variant:": FROM_VARIANT, "claim:": FROM_CLAIM,
    **{name: FROM_PLACE for name in FACTS},
}


@cython.final
cdef class KeyPart:
    def __init__(self, str source not None, str of not None):
        """`source` is a key of SOURCES, `of` the name that follows its colon."""
        self.source = SOURCES[source]
        self.name = (source + of).encode()
        self.of = of.encode()
        self.of_text = of
        self.fact = FACTS.get(source, 0)
        if self.source == FROM_FIELD:
            self.field = intern_text(of)
            self.name = b"header:" + self.field.wire

    cdef bytes value(self, Request request, Context ctx):
        """None where the request has no such thing."""
        if self.source == FROM_COOKIE:
            return cookie_values(request, self.of)
        if self.source == FROM_FIELD:
            return request.fields.combined(self.field)
        if self.source == FROM_QUERY:
            return raw_values(request.target_wire, self.of)
        if self.source == FROM_VARIANT:
            variant = None if ctx._variants is None else ctx._variants.get(self.of_text)
            return None if variant is None else (<str?> variant).encode()
        if self.source == FROM_CLAIM:
            return claim_value(ctx, self.of_text)
        return fact_of(ctx, self.fact)


@cython.final
cdef class CacheStage(NativeStage):
    def __init__(
        self, *, ttl, default_ttl, stale_while_revalidate, stale_if_error, tuple status_ttls, int ignores_request,
        int ignores_cookies, QueryRules query, Condition bypass, tuple key_parts, tuple tags, tuple tags_by_path,
        bint strips_cookies,
    ):
        self.hooks = ON_REQUEST
        self.ttl = ttl
        self.default_ttl = default_ttl
        self.stale_while_revalidate = stale_while_revalidate
        self.stale_if_error = stale_if_error
        self.status_ttls = status_ttls
        self.ignores_request = ignores_request
        self.ignores_cookies = ignores_cookies
        self.query = query
        self.bypass = bypass
        self.key_parts = key_parts
        self.tags = tags
        self.tags_by_path = tags_by_path
        self.kept_cookies = tuple([(<KeyPart> part).of for part in key_parts if (<KeyPart> part).source == FROM_COOKIE])
        if strips_cookies:
            self.no_cookie = OriginField.__new__(OriginField)
            self.no_cookie.name = _COOKIE_NAME
            self.no_cookie.replaces = self.no_cookie.keyed = True
        self.edits = (ttl, default_ttl, stale_while_revalidate, stale_if_error, status_ttls, tags) != (None,) * 6 or bool(tags_by_path)

    cdef object request_hook(self, Request request, Context ctx):
        cdef Plan plan = ctx.plan
        if self.query is not None:
            plan.target_wire = self.query.normal(plan.target_wire)
        self.set_lifetimes(plan)
        plan.unkeyed_edits += self.edits
        if self.bypass is not None and self.bypass.test(request):
            plan.cache_mode = "bypass"
        if self.tags is not None or self.tags_by_path:
            self.set_tags(request, plan)
        if self.key_parts:
            self.set_key(request, ctx)
        if self.no_cookie is not None and plan.cache_mode != "bypass":
            self.strip_cookies(request, plan)
        return CONTINUE_

    cdef int set_lifetimes(self, Plan plan) except -1:
        if self.ttl is not None:
            plan.ttl = self.ttl
        if self.default_ttl is not None:
            plan.default_ttl = self.default_ttl
        if self.stale_while_revalidate is not None:
            plan.stale_while_revalidate = self.stale_while_revalidate
        if self.stale_if_error is not None:
            plan.stale_if_error = self.stale_if_error
        if self.status_ttls is not None:
            plan.status_ttls = self.status_ttls
        if self.ignores_request >= 0:
            plan.ignores_request = self.ignores_request
        if self.ignores_cookies >= 0:
            plan.ignores_cookies = self.ignores_cookies
        return 0

    cdef int set_tags(self, Request request, Plan plan) except -1:
        cdef Condition where
        if self.tags is not None:
            plan.tags = self.tags if plan.tags is None else plan.tags + self.tags
        for where, tags in self.tags_by_path:
            if where.test(request):
                plan.tags = <tuple> tags if plan.tags is None else plan.tags + <tuple> tags
        return 0

    cdef int set_key(self, Request request, Context ctx) except -1:
        cdef KeyPart part
        cdef bytes value
        for part in self.key_parts:
            value = part.value(request, ctx)
            ctx.plan.part(part.name, _ABSENT if value is None else value)
        return 0

    cdef int strip_cookies(self, Request request, Plan plan) except -1:
        """Cookie leaves but for the cookies in the key, of each the first. Only where an answer could be stored: a form that
        is posted needs its session. The edit is made without a Cookie too, so that both share one key."""
        cdef bytes line
        if request.method_wire != b"GET" and request.method_wire != b"HEAD":
            return 0
        line = kept_pairs(request, self.kept_cookies) if self.kept_cookies else None
        if line is None:
            plan.add(self.no_cookie)
        else:
            plan.edit(_COOKIE_NAME, line, True, True)
            plan.ignores_cookies = True     # what is left of them is in the key
        return 0


cdef bytes kept_pairs(Request request, tuple names):
    """A Cookie field of the cookies named; None where the request has none of them."""
    cdef bytes name, value
    cdef list pairs = []
    for name in names:
        value = first_cookie(request, name)
        if value is not None:
            pairs.append(name + b"=" + value)
    return b"; ".join(pairs) if pairs else None


cdef bytes first_cookie(Request request, bytes name):
    cdef const char* value
    cdef Py_ssize_t i, size
    cdef Line* line
    if request.fields.may_have(COOKIE):
        for i in range(request.fields.total):
            line = &request.fields.lines[i]
            if request.fields.name_at(i).id == COOKIE and find(line.at, line.size, name, len(name), &value, &size):
                return value[:size]
    return None


cdef bytes cookie_values(Request request, bytes name):
    """The values of every cookie of that name, since nobody knows which of them an origin takes; None without one."""
    cdef const char* at
    cdef const char* end
    cdef const char* value
    cdef Py_ssize_t i, size
    cdef Line* line
    cdef list found = None
    if not request.fields.may_have(COOKIE):
        return None
    for i in range(request.fields.total):
        if request.fields.name_at(i).id != COOKIE:
            continue
        line = &request.fields.lines[i]
        at, end = line.at, line.at + line.size
        while find(at, end - at, name, len(name), &value, &size):
            found = found or []
            found.append(value[:size])
            at = value + size
    return b";".join(found) if found else None


cdef bytes claim_value(Context ctx, str name):
    """A claim as JSON; one that JSON cannot say again keeps the answer for its owner."""
    if ctx._claims is None or name not in ctx._claims:
        return None
    try:
        return orjson.dumps(ctx._claims[name], dict, _SORTED)   # objects came as read-only mappings
    except (TypeError, ValueError):     # an integer beyond 64 bits, a lone surrogate
        ctx.plan.keep_private("private")
        return None
