"""What all gates have in common: a credential is examined, and lets somebody in with what it says about them, or nobody.

Never lets a request pass without an Admission; never repeats to a client what it sent, nor says which check it failed.
"""

cimport cython

from fastedge._core.fields cimport intern_text, value_to_wire
from fastedge._core.message cimport make_response
from fastedge._core.pipeline cimport CONTINUE_, ON_REQUEST, Wait


@cython.final
@cython.freelist(256)
cdef class Admission:
    def __init__(self, claims, fields, bint private=False, Revocable revocable=None):
        """`fields`: (name, value, keyed) for the origin."""
        self.claims = claims
        self.names, self.values, self.keyed = [], [], []
        for name, value, keyed in fields:
            self.names.append(intern_text(name))
            self.values.append(value_to_wire(value))
            self.keyed.append(bool(keyed))
        self.told = len(self.names)
        self.private = private
        self.revocable = revocable


cdef Admission make_admission(object claims, list names, list values, list keyed, bint private, Revocable revocable):
    cdef Admission admission = Admission.__new__(Admission)
    admission.claims, admission.names, admission.values, admission.keyed = claims, names, values, keyed
    admission.told, admission.private, admission.revocable = len(names), private, revocable
    return admission


@cython.final
cdef class Refusal:
    """`challenges` are values of WWW-Authenticate (RFC 9110 §11.6.1): a 401 has at least one."""

    def __init__(self, str stage not None, str reason not None, int status, challenges=(), fields=()):
        self.stage, self.reason, self.status = stage, reason, status
        self.challenges = tuple(challenges)
        self.fields = Fields([
            *[("www-authenticate", challenge) for challenge in self.challenges], *fields,
            ("cache-control", "no-store"), ("content-type", "text/plain; charset=utf-8"),
        ])
        self.body = _BODIES[status]


_BODIES = {
    400: b"Bad Request\n", 401: b"Unauthorized\n", 403: b"Forbidden\n", 503: b"Service Unavailable\n",
}


cdef dict refusals_of(str stage, tuple reasons, str challenge):
    return {reason: Refusal(stage, reason, 400 if reason == "several" else 401, [challenge]) for reason in reasons}


cdef class Gate(NativeStage):
    def __cinit__(self, *args, **kwargs):
        self.hooks = ON_REQUEST
        self.reserved_fields = self.hidden_parameters = self.hidden_fields = ()

    cdef object examine(self, Request request, Context ctx):
        raise NotImplementedError

    cdef bint decides(self, Request request) except -1:
        raise NotImplementedError

    cdef int conceal(self, Request request, Context ctx, bint checked) except -1:
        return 0

    def trace(self, Request request not None, Context ctx not None):
        """For `explain`: the checks that the request's credential passes or not, as (check, outcome), without secrets."""
        return []

    cdef object request_hook(self, Request request, Context ctx):
        return self.settle(self.examine(request, ctx), request, ctx)

    cdef object settle(self, object found, Request request, Context ctx):
        """The verdict that what `examine` found comes to."""
        cdef Refusal refusal
        if found is None:
            found = self.stranger
        if type(found) is Admission:
            self.admit(<Admission> found, request, ctx)
            return CONTINUE_
        if type(found) is Wait:
            return Wait((<Wait> found).step, _Settling(self, found, request, ctx))
        refusal = self.missing if found is None else <Refusal?> found
        ctx.note(refusal.stage, refusal.reason)
        return make_response(refusal.status, refusal.fields.copy_fields(), refusal.body)

    cdef int admit(self, Admission admission, Request request, Context ctx) except -1:
        cdef Py_ssize_t i
        if admission.claims is not None:
            ctx.add_claims(admission.claims)
        self.conceal(request, ctx, admission is not self.stranger)
        for i in range(admission.told):
            ctx.plan.edit(<FieldName> admission.names[i], <bytes> admission.values[i], True, admission.keyed[i] is True)
        if admission.private:
            ctx.plan.keep_private("private")
        return 0


@cython.final
cdef class _Settling:
    """What follows a Wait: its answer, and what the gate makes of that."""
    cdef Gate gate
    cdef Wait wait
    cdef Request request
    cdef Context ctx

    def __init__(self, Gate gate, Wait wait, Request request, Context ctx):
        self.gate, self.wait, self.request, self.ctx = gate, wait, request, ctx

    def __call__(self, answer):
        return self.gate.settle(self.wait.then(answer), self.request, self.ctx)
