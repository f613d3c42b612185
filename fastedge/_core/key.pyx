"""The cache key: everything of a plan that can influence what an origin answers (RFC 9111 §2), by construction.

Length-prefixed parts, so that no two plans can be spelled into one key.
"""

from fastedge._core.message cimport OriginField, Plan, Request


def cache_key(Request request not None, Plan plan not None):
    """The key of a planned request, as bytes. GET and HEAD share it; variants by Vary are told apart behind it."""
    return key_of(request, plan)


cdef bytes key_of(Request request, Plan plan):
    cdef OriginField field
    cdef list parts = [
        b"https" if request.secure else b"http", request.authority,
        b"" if plan.origin_name is None else plan.origin_name.encode(), plan.target_wire,
    ]
    for field in plan.edits:
        if field.keyed:
            parts += [b"set" if field.replaces else b"add", field.name.wire, b"\0" if field.value is None else field.value]
    for name, value in plan.key_parts:
        parts += [b"part", name, value]
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])
