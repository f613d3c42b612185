"""The gate of SignedUrl: three parameters of the query that let one URL in, until it expires.

What is signed is the target that the origin gets, so nothing that is not signed reaches it. Knows no secret: who verifies a
signature is called with the text and what the client sent.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memset

from fastedge._core.address cimport format_address
from fastedge._core.base64url cimport decode_span
from fastedge._core.credential cimport is_name, next_parameter
from fastedge._core.gate cimport Refusal

PARAMETERS = ("edge-key", "edge-expires", "edge-signature")
REASONS = ("malformed", "no_key", "expired", "too_far", "method", "signature")

cdef bytes _VERSION = b"fastedge-url-1"
cdef tuple _NAMES = tuple([name.encode() for name in PARAMETERS])
cdef enum:
    KEY, EXPIRES, SIGNATURE         # indexes of PARAMETERS
    SIGNATURE_CHARS = 43            # 32 bytes in base64url
    DIGITS_MAX = 12


def signed_text(
    bytes key_id not None, bytes expires not None, bytes target not None, bytes host not None, bytes address not None,
    bytes method not None,
):
    """What a signature covers: lines, none of which can hold a line end; empty where that part is not signed."""
    return b"\n".join([_VERSION, key_id, expires, target, host, address, method])


def signed_target(bytes target not None, query):
    """A target with those of its parameters that are signed; None: with all."""
    return target if query is None else _only(query).normal(target)


@cython.final
cdef class SignedUrlGate(Gate):
    def __init__(
        self, checks, *, str stage, query, bint host, bint address, bint method, double leeway_s, double expires_s_max
    ):
        self.checks = dict(checks)
        self.stage = stage
        self.own = QueryRules(list(_NAMES), False, False)
        self.signed = None if query is None else _only(query)
        self.signs_host, self.signs_address, self.signs_method = host, address, method
        self.leeway_s, self.expires_s_max = leeway_s, expires_s_max
        self.admission = Admission(None, ())
        self.missing = Refusal(stage, "missing", 403)
        self.refusals = {reason: Refusal(stage, reason, 403) for reason in REASONS}
        self.hidden_parameters = PARAMETERS

    cdef object examine(self, Request request, Context ctx):
        cdef Shown shown
        cdef str objection
        if not _collect(request, &shown):
            return None
        objection = self.objection(request, ctx, &shown)
        return self.admission if objection is None else self.refusals[objection]

    cdef bint decides(self, Request request) except -1:
        cdef Shown shown
        return _collect(request, &shown)

    cdef int conceal(self, Request request, Context ctx, bint checked) except -1:
        """Where a URL is not signed, its parameters are none of this gate's business."""
        cdef Shown shown
        if ctx.plan.target_wire is self.seen or _collect(request, &shown):
            ctx.plan.target_wire = self.remaining(ctx.plan.target_wire)
        return 0

    def trace(self, Request request not None, Context ctx not None):
        """With what should have been signed, of which nothing is a secret."""
        cdef Shown shown
        cdef str objection
        if not _collect(request, &shown):
            return [("query", "no signature")]
        objection = self.objection(request, ctx, &shown)
        text = self.text(request, ctx, &shown).decode("latin-1").replace("\n", "\\n")
        return [("signed text", text), ("signature", "holds" if objection is None else f"is no good ({objection})")]

    cdef str objection(self, Request request, Context ctx, Shown* shown):
        """Why the URL is no good, what costs least first; None: it is good."""
        cdef Span* key = &shown.parts[KEY]
        cdef Span* expiry = &shown.parts[EXPIRES]
        cdef bytes key_id = key.at[:key.size], expires = expiry.at[:expiry.size], signature = None
        cdef double moment
        if shown.parts[SIGNATURE].size == SIGNATURE_CHARS:
            signature = decode_span(<const unsigned char*> shown.parts[SIGNATURE].at, SIGNATURE_CHARS)
        if signature is None or not expires.isdigit() or expiry.size > DIGITS_MAX or not _is_once_each(shown):
            return "malformed"
        check = self.checks.get(key_id)
        if check is None:
            return "no_key"
        moment = <double> int(expires)
        if ctx.now >= moment + self.leeway_s:
            return "expired"
        if moment > ctx.now + self.expires_s_max:
            return "too_far"
        if not self.signs_method and request.method_wire != b"GET" and request.method_wire != b"HEAD":
            return "method"
        return None if check(self.text(request, ctx, shown), signature) is True else "signature"

    cdef bytes text(self, Request request, Context ctx, Shown* shown):
        return signed_text(
            shown.parts[KEY].at[:shown.parts[KEY].size], shown.parts[EXPIRES].at[:shown.parts[EXPIRES].size],
            self.remaining(request.target_wire),
            request.host_wire if self.signs_host else b"",
            format_address(ctx.client_address) if self.signs_address else b"",
            request.method_wire if self.signs_method else b"",
        )

    cdef bytes remaining(self, bytes target):
        """Remembers the last: a good URL is asked for twice, to be checked and to be concealed."""
        if target is not self.seen:
            self.rest = self.own.normal(target)
            if self.signed is not None:
                self.rest = self.signed.normal(self.rest)
            self.seen = target
        return self.rest


cdef QueryRules _only(query):
    return QueryRules([name.encode() for name in query], True, False)


cdef bint _is_once_each(Shown* shown) noexcept:
    return shown.counts[KEY] == 1 and shown.counts[EXPIRES] == 1 and shown.counts[SIGNATURE] == 1


cdef bint _collect(Request request, Shown* shown) except -1:
    """Whether any of our parameters is there; how often, and what the last one of each says."""
    cdef const char* at = PyBytes_AS_STRING(request.target_wire) + request.path_length + 1
    cdef const char* end = PyBytes_AS_STRING(request.target_wire) + PyBytes_GET_SIZE(request.target_wire)
    cdef Span spelled, value
    cdef bint found = False
    cdef int i
    memset(shown, 0, sizeof(Shown))
    while next_parameter(&at, end, &spelled, &value):
        for i in range(3):
            if is_name(&spelled, <bytes> _NAMES[i]):
                found = True
                shown.counts[i] += 1
                shown.parts[i] = value
                break
    return found
