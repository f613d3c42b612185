"""The gate of ApiKeyAuth: a key is hashed, and the hash looked up.

No key is compared with another: a look-up by a hash that nobody can steer tells nothing of the keys by its time.
"""

cimport cython
from libc.math cimport INFINITY

from fastedge._core.credential cimport (
    NONE_SHOWN, ONE_SHOWN, SEVERAL_SHOWN, Span, conceal_all, credential, hidden,
)
from fastedge._core.gate cimport Admission, Refusal, refusals_of
from fastedge._core.message cimport Context, Request
from fastedge.limits import api_key_bytes_max

REASONS = ("several", "too_large", "unknown", "expired")

_PRESENCE = ("no key", "a key")
cdef Py_ssize_t BYTES_MAX = api_key_bytes_max


@cython.final
cdef class ApiKeyGate(Gate):
    def __init__(
        self, list sources not None, hashing, grants, *, str stage, str realm, bint forward_key, claim_fields
    ):
        self.sources = sources
        self.hashing = hashing
        self.grants = dict(grants)
        self.stage = stage
        self.forward_key = forward_key
        challenge = f'ApiKey realm="{realm}"'
        self.missing = Refusal(stage, "missing", 401, [challenge])
        self.refusals = refusals_of(stage, REASONS, challenge)
        self.reserved_fields = tuple(claim_fields)
        self.hidden_parameters, self.hidden_fields = hidden(sources)

    cdef object examine(self, Request request, Context ctx):
        cdef Span shown
        cdef int how_many = credential(self.sources, request, &shown)
        if how_many == NONE_SHOWN:
            return None
        if how_many == SEVERAL_SHOWN:
            return self.refusals["several"]
        if shown.size > BYTES_MAX:
            return self.refusals["too_large"]
        grant = self.grants.get(self.hashing(shown.at[:shown.size]))
        if grant is None:
            return self.refusals["unknown"]
        return grant[0] if ctx.now < grant[1] else self.refusals["expired"]

    cdef bint decides(self, Request request) except -1:
        cdef Span shown
        return credential(self.sources, request, &shown) != NONE_SHOWN

    cdef int conceal(self, Request request, Context ctx, bint checked) except -1:
        if not (self.forward_key and checked):
            return conceal_all(self.sources, request, ctx.plan)
        if self.decides(request):
            ctx.plan.keep_private("private")    # what an origin makes of a key that it sees, nobody knows
        return 0

    def trace(self, Request request not None, Context ctx not None):
        cdef Span shown
        cdef Admission admission
        cdef list found = [(source.text, _PRESENCE[source.shown(request) is not None]) for source in self.sources]
        if credential(self.sources, request, &shown) != ONE_SHOWN:
            return found
        grant = self.grants.get(self.hashing(shown.at[:shown.size]))
        if grant is None:
            return [*found, ("key", "of nobody (unknown)")]
        admission, until = grant
        found.append(("key", f"of {admission.claims['sub']}"))
        return [*found, ("expires", "never" if until == INFINITY else f"{until:.0f}{' (expired)' if ctx.now >= until else ''}")]
