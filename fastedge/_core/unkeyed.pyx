"""Unkeyed input, by which caches are poisoned: what a custom stage read and then let decide about what is stored, though
others with another value share the key."""

from fastedge._core.fields cimport COOKIE, HOST, FieldName, known
from fastedge._core.message cimport OriginField

cdef FieldName _COOKIE_NAME = known(COOKIE)

# Facts of the context, and how the names of key parts begin that carry them.
cdef dict _CARRIED_BY = {
    "client address": (b"client address",),
    "geo": (b"geo", b"country", b"continent", b"is_eu", b"region", b"city", b"time_zone", b"asn", b"organization"),
    "claims": (b"claims", b"claim:"),
    "variants": (b"variants", b"variant:"),
}


def outside_key(Context ctx not None, vary=None):
    return unkeyed_reads(ctx, ctx.plan, vary)


cdef list unkeyed_reads(Context ctx, Plan plan, bytes vary):
    """(stage, what it read) of all that is neither in the key nor in `vary`, the answer's combined Vary (None: no answer
    yet, or none in it). Empty is good."""
    cdef dict found = {}
    cdef list reads
    if ctx.unkeyed is None:
        return []
    varied = frozenset() if vary is None else frozenset([name.strip(b" \t").lower() for name in vary.split(b",")])
    for stage, number, inputs, count in ctx.unkeyed:
        reads = [] if ctx.reads is None else ctx.reads.of_stage(number, count)
        for what in [*inputs, *reads]:
            if not _is_told_apart(what, ctx, plan, varied):
                found[stage, _said(what)] = None
    return list(found)


cdef str _said(object what):
    if type(what) is FieldName:
        return (<FieldName> what).text
    return f"cookie:{(<bytes> what).decode('latin-1')}" if type(what) is bytes else what


cdef bint _is_told_apart(object what, Context ctx, Plan plan, varied) except -1:
    if type(what) is FieldName:
        return _is_field_told_apart(<FieldName> what, plan, varied)
    if type(what) is bytes:
        return _is_cookie_told_apart(<bytes> what, plan, varied)
    return _is_fact_told_apart(what, ctx, plan)


cdef bint _is_field_told_apart(FieldName name, Plan plan, varied) except -1:
    return (
        name.id == HOST or _has_part(plan, (b"header:" + name.wire,), True)
        or _last_edit(plan, name, True) is not None or _is_varied(name, plan, varied)
    )


cdef bint _is_cookie_told_apart(bytes cookie, Plan plan, varied) except -1:
    return _has_part(plan, (b"cookie:" + cookie, b"header:cookie"), True) or _is_varied(_COOKIE_NAME, plan, varied)


cdef bint _is_fact_told_apart(object fact, Context ctx, Plan plan) except -1:
    if _has_part(plan, _CARRIED_BY.get(fact, ()), False):
        return True
    return fact == "variants" and _are_variants_told_apart(ctx, plan)


cdef bint _are_variants_told_apart(Context ctx, Plan plan) except -1:
    """Experiments put what they say into the key themselves, as `name=variant`."""
    cdef OriginField edit
    members = {value for name, value in plan.key_parts if name == b"experiment"}
    members.update([edit.value for edit in plan.edits if edit.keyed])
    return all([f"{name}={variant}".encode() in members for name, variant in (ctx._variants or {}).items()])


cdef bint _has_part(Plan plan, tuple names, bint whole) except -1:
    for part, _ in plan.key_parts:
        if part in names if whole else (<bytes> part).startswith(names):
            return True
    return False


cdef bytes _last_edit(Plan plan, FieldName name, bint keyed):
    """The value that the plan gives the field in the end; None where it gives none, or takes it away."""
    cdef OriginField edit
    cdef bytes value = None
    for edit in plan.edits:
        if edit.name == name and (edit.keyed or not keyed):
            value = edit.value
    return value


cdef bint _is_varied(FieldName name, Plan plan, varied) except -1:
    """Vary speaks of what the origin saw: a field that was taken away tells nobody apart."""
    cdef OriginField edit
    if name.wire not in varied:
        return False
    return _last_edit(plan, name, False) is not None or not any([edit.name == name for edit in plan.edits])
