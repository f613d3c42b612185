"""The gate of JwtAuth as it runs on every request: find the token, look it up, ask whether it was revoked (RFC 6750).

Verifies nothing itself: a token that is not in the table goes to what `make_judge` has made of the keys.
"""

cimport cython

from fastedge._core.credential cimport (
    NONE_SHOWN, ONE_SHOWN, SEVERAL_SHOWN, Span, conceal_all, credential, hidden, is_shown_elsewhere,
)
from fastedge._core.fields cimport FieldName, intern_text
from fastedge._core.message cimport Context, Request
from fastedge._core.pipeline cimport Wait
from cpython.object cimport PyObject

cdef FieldName _origin = intern_text("origin")
cdef FieldName _request_method = intern_text("access-control-request-method")
_PRESENCE = ("no token", "a token")


@cython.final
cdef class JwtGate(Gate):
    """`make_judge(keys)` gives judge(token, now): an Admission, which it may have put into `tokens`, or a reason.

    `reasons` maps each of those reasons to the status of its refusal (RFC 6750 §3.1).
    """

    def __init__(
        self, VerifiedTokens tokens not None, list sources not None, KeySlot keys not None, make_judge, *, str stage,
        str realm, reasons, bint allow_preflight, bint forward_token, claim_fields, bint optional=False,
        Revocations revocations=None, tracer=None,
    ):
        self.tokens = tokens
        self.sources = sources
        self.keys = keys
        self.make_judge = make_judge
        self.stage = stage
        # Who showed no credentials is told no error.
        self.missing = Refusal(stage, "missing", 401, [f'Bearer realm="{realm}"'])
        self.several = _refusal(stage, realm, "several", 400)
        self.refusals = {reason: _refusal(stage, realm, reason, status) for reason, status in reasons.items()}
        self.nobody = Admission(None, ()) if allow_preflight else None
        self.stranger = Admission(None, ()) if optional else None
        self.forward_token = forward_token
        self.reserved_fields = tuple(claim_fields)
        self.hidden_parameters, self.hidden_fields = hidden(sources)
        self.revocations = revocations
        self.tracer = tracer
        self.take_keys()

    cdef object examine(self, Request request, Context ctx):
        cdef Span shown
        cdef int how_many
        cdef PyObject* found
        if self._needs_none(request):
            return self.nobody
        how_many = credential(self.sources, request, &shown)
        if how_many == NONE_SHOWN:
            return None
        if how_many == SEVERAL_SHOWN:
            return self.several
        if self.keys.version != self.keys_version:
            self.take_keys()
        found = self.tokens.find(shown.at, shown.size, ctx.now)
        if found is not NULL:
            return self.unless_revoked(<Admission> <object> found, ctx.now)
        return self.judged(shown.at[:shown.size], ctx.now, self.keys.renew is not None)

    def trace(self, Request request not None, Context ctx not None):
        """By what `tracer(keys)` has made of the keys: trace(token, now)."""
        cdef Span shown
        cdef list found = [(source.text, _PRESENCE[source.shown(request) is not None]) for source in self.sources]
        if credential(self.sources, request, &shown) != ONE_SHOWN or self.tracer is None:
            return found
        if self.keys.keys is None:
            return [*found, ("keys", "unknown: they are fetched while the edge runs")]
        return found + self.tracer(self.keys.keys)(shown.at[:shown.size], ctx.now)

    cdef bint decides(self, Request request) except -1:
        cdef Span shown
        return self._needs_none(request) or credential(self.sources, request, &shown) != NONE_SHOWN

    cdef int conceal(self, Request request, Context ctx, bint checked) except -1:
        if not (self.forward_token and checked) or self._needs_none(request):
            return conceal_all(self.sources, request, ctx.plan)
        if is_shown_elsewhere(self.sources, request):
            ctx.plan.keep_private("private")    # RFC 9111 §3.5 speaks of Authorization, and of nothing else
        return 0

    cdef bint _needs_none(self, Request request) except -1:
        return self.nobody is not None and _is_preflight(request)

    cdef int take_keys(self) except -1:
        """What was verified by keys that are gone is forgotten with them."""
        self.tokens.clear()
        self.judge = None   # first: where no other can be made, the old one is gone all the same
        if self.keys.keys is not None:
            self.judge = self.make_judge(self.keys.keys)
        self.keys_version = self.keys.version
        return 0

    cdef object judged(self, bytes token, double now, bint may_renew):
        verdict = "keys_unavailable" if self.judge is None else self.judge(token, now)
        if type(verdict) is Admission:
            return self.unless_revoked(<Admission> verdict, now)
        if may_renew and verdict == "no_key":
            step = self.keys.renew()
            if step is not None:
                return Wait(step, _Again(self, token, now))
        return self.refusals[verdict]

    cdef object unless_revoked(self, Admission admission, double now):
        if self.revocations is not None and admission.revocable is not None:
            if self.revocations.revokes(admission.revocable, now):
                return self.refusals["revoked"]
        return admission


@cython.final
cdef class _Again:
    """A token by a key that was not known, once newer keys may be there. Whatever the answer is, this is the last look."""
    cdef JwtGate gate
    cdef bytes token
    cdef double now

    def __init__(self, JwtGate gate, bytes token, double now):
        self.gate, self.token, self.now = gate, token, now

    def __call__(self, answer):
        if self.gate.keys.version != self.gate.keys_version:
            self.gate.take_keys()
        return self.gate.judged(self.token, self.now, False)


cdef Refusal _refusal(str stage, str realm, str reason, int status):
    if status == 503:
        return Refusal(stage, reason, 503, fields=[("retry-after", "5")])
    error = "invalid_request" if status == 400 else "invalid_token"
    return Refusal(stage, reason, status, [f'Bearer realm="{realm}", error="{error}"'])


cdef bint _is_preflight(Request request) except -1:
    """The CORS preflight of the Fetch standard: it never carries credentials."""
    return (
        request.method_wire == b"OPTIONS"
        and request.fields.find(_origin) is not None
        and request.fields.find(_request_method) is not None
    )
