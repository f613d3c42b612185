"""The gate of JwtAuth as it runs on every request: find the token, look it up, edit the plan (RFC 6750 §2.1 and §3).

Verifies nothing itself: a token that is not in the table goes to `judge`. Never lets a request pass without an Admission,
but for a preflight where that is allowed; never repeats to a client what it sent.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject

from fastedge._core.fields cimport AUTHORIZATION, FieldName, Fields, intern_text, known, value_to_wire
from fastedge._core.message cimport Context, Request, Response, make_response
from fastedge._core.pipeline cimport CONTINUE_, ON_REQUEST, NativeStage
from fastedge._core.tokens cimport VerifiedTokens

cdef FieldName _authorization = known(AUTHORIZATION)
cdef FieldName _origin = intern_text("origin")
cdef FieldName _request_method = intern_text("access-control-request-method")
cdef bytes _UNAUTHORIZED = b"Unauthorized\n"
cdef bytes _BAD_REQUEST = b"Bad Request\n"


@cython.final
cdef class Admission:
    def __init__(self, claims, fields, bint private):
        """`fields`: (name, value or None, keyed) for the origin; without a value the client's lines of that name go."""
        self.claims = claims
        self.names, self.values, self.keyed = [], [], []
        for name, value, keyed in fields:
            self.names.append(intern_text(name))
            self.values.append(None if value is None else value_to_wire(value))
            self.keyed.append(keyed)
        self.private = private


@cython.final
cdef class JwtGate(NativeStage):
    """`judge(token, now)` gives an Admission, which it may have put into `tokens`, or the reason for a refusal."""

    def __init__(
        self, VerifiedTokens tokens not None, judge, *, str stage, str realm, bint allow_preflight, bint forward_token, claim_fields
    ):
        self.hooks = ON_REQUEST
        self.tokens = tokens
        self.judge = judge
        self.stage = stage
        # RFC 6750 §3.1: who showed no credentials is told no error.
        self.challenge = _refusal_fields(f'Bearer realm="{realm}"')
        self.several = _refusal_fields(f'Bearer realm="{realm}", error="invalid_request"')
        self.invalid = _refusal_fields(f'Bearer realm="{realm}", error="invalid_token"')
        self.allow_preflight = allow_preflight
        self.strip_token = not forward_token
        self.claim_fields = [intern_text(name) for name in claim_fields]
        self.claim_texts = {(<FieldName> name).text for name in self.claim_fields}
        self.folded_texts = {text.replace("_", "-") for text in self.claim_texts}
        self.spelled_low = self.folded_texts != self.claim_texts
        for text in self.claim_texts:
            self.lengths |= (<unsigned long long> 1) << (len(text) & 63)

    cdef object request_hook(self, Request request, Context ctx):
        cdef bytes credentials = None
        cdef const char* at
        cdef Py_ssize_t i, length
        cdef PyObject* found
        cdef Fields fields = request.fields
        if self.allow_preflight and _is_preflight(request):
            return self._pass_preflight(request, ctx)
        for i in range(fields.total):
            if fields.name_at(i) is _authorization:
                if credentials is not None:
                    return self._refuse(ctx, 400, self.several, "several")
                credentials = fields.value_at(i)
        if credentials is None or not _is_bearer(credentials):
            return self._refuse(ctx, 401, self.challenge, "missing")
        at, length = PyBytes_AS_STRING(credentials) + 6, PyBytes_GET_SIZE(credentials) - 6
        while length > 0 and at[0] == c" ":  # RFC 9110 §11.4: one or more
            at, length = at + 1, length - 1
        found = self.tokens.find(at, length, ctx.now)
        if found is not NULL:
            return self._admit(<Admission> <object> found, request, ctx)
        verdict = self.judge(at[:length], ctx.now)
        if type(verdict) is Admission:
            return self._admit(<Admission> verdict, request, ctx)
        return self._refuse(ctx, 401, self.invalid, verdict)

    cdef object _admit(self, Admission admission, Request request, Context ctx):
        cdef Py_ssize_t i
        ctx.set_claims(admission.claims)
        if self.strip_token:
            ctx.plan.edit(_authorization, None, True, True)
        for i in range(len(admission.names)):
            ctx.plan.edit(<FieldName> admission.names[i], <bytes> admission.values[i], True, admission.keyed[i] is True)
        if self.lengths:
            self._drop_lookalikes(request, ctx)
        if admission.private:
            ctx.plan.keep_private("private")
        return CONTINUE_

    cdef object _pass_preflight(self, Request request, Context ctx):
        """Nobody is known here, so nothing that would say who it is goes on (Fetch: preflights carry no credentials)."""
        ctx.plan.edit(_authorization, None, True, True)
        self._drop_claim_fields(request, ctx)
        return CONTINUE_

    cdef int _drop_claim_fields(self, Request request, Context ctx) except -1:
        for name in self.claim_fields:
            ctx.plan.edit(<FieldName> name, None, True, True)
        if self.lengths:
            self._drop_lookalikes(request, ctx)
        return 0

    cdef int _drop_lookalikes(self, Request request, Context ctx) except -1:
        """CGI and its heirs (RFC 3875 §4.1.18) read "x_user" as "x-user": a client must not forge a claim that way."""
        cdef FieldName name
        cdef Py_ssize_t i
        cdef Fields fields = request.fields
        for i in range(fields.total):
            name = fields.name_at(i)
            if self.lengths >> (len(name.text) & 63) & 1 and (self.spelled_low or b"_" in name.wire):
                if name.text not in self.claim_texts and name.text.replace("_", "-") in self.folded_texts:
                    ctx.plan.edit(name, None, True, True)
        return 0

    cdef Response _refuse(self, Context ctx, int status, Fields fields, str reason):
        ctx.note(self.stage, reason)
        return make_response(status, fields.copy_fields(), _UNAUTHORIZED if status == 401 else _BAD_REQUEST)


cdef Fields _refusal_fields(str challenge):
    return Fields([
        ("www-authenticate", challenge), ("cache-control", "no-store"), ("content-type", "text/plain; charset=utf-8"),
    ])


cdef bint _is_bearer(bytes credentials) noexcept:
    """Whether the scheme is Bearer, in any case (RFC 9110 §11.1); what follows it may still be nonsense."""
    cdef const char* at = PyBytes_AS_STRING(credentials)
    return (
        PyBytes_GET_SIZE(credentials) >= 6
        and at[0] | 0x20 == c"b" and at[1] | 0x20 == c"e" and at[2] | 0x20 == c"a"
        and at[3] | 0x20 == c"r" and at[4] | 0x20 == c"e" and at[5] | 0x20 == c"r"
        and (at[6] == c" " or at[6] == 0)
    )


cdef bint _is_preflight(Request request) except -1:
    """The CORS preflight of the Fetch standard."""
    return (
        request.method_wire == b"OPTIONS"
        and request.fields.find(_origin) is not None
        and request.fields.find(_request_method) is not None
    )
