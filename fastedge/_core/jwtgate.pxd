from fastedge._core.fields cimport FieldName, Fields
from fastedge._core.message cimport Context, Request, Response
from fastedge._core.pipeline cimport NativeStage
from fastedge._core.tokens cimport VerifiedTokens


cdef class Admission:
    """What a verified token is good for; shared by all requests that show it."""
    cdef readonly object claims     # read-only mapping
    cdef list names                 # fields towards the origin: FieldName,
    cdef list values                # bytes, or None where the claim is absent,
    cdef list keyed                 # and whether it is in the cache key
    cdef bint private               # what comes back is for this client alone


cdef class JwtGate(NativeStage):
    cdef readonly VerifiedTokens tokens
    cdef object judge
    cdef str stage
    cdef Fields challenge           # the fields of each refusal: no credentials,
    cdef Fields several             # more than one,
    cdef Fields invalid             # and a bad token
    cdef bint allow_preflight
    cdef bint strip_token
    cdef list claim_fields          # FieldName
    cdef set claim_texts            # their text,
    cdef set folded_texts           # and with "-" for "_"
    cdef bint spelled_low           # one of them has a "_" itself
    cdef unsigned long long lengths # bit n: a claim's field has a name of n characters

    cdef object _admit(self, Admission admission, Request request, Context ctx)
    cdef object _pass_preflight(self, Request request, Context ctx)
    cdef int _drop_claim_fields(self, Request request, Context ctx) except -1
    cdef int _drop_lookalikes(self, Request request, Context ctx) except -1
    cdef Response _refuse(self, Context ctx, int status, Fields fields, str reason)
