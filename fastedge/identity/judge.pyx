"""What a token at first sight is worth to a gate: an Admission, kept for its next time, or the reason of a refusal.

Never keeps a refusal that time or another key could turn into an admission, and never in the place of a good token.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.math cimport INFINITY

from fastedge._core.fields cimport intern_text
from fastedge._core.gate cimport make_admission
from fastedge._core.revocations cimport Revocable
from fastedge._core.tokens cimport VerifiedTokens
from fastedge.identity.claims cimport field_value, freeze_claims
from fastedge.identity.jwt cimport Trial, Verifier
from fastedge.identity.refusal import TokenRefusal
from fastedge.limits import token_claim_field_bytes_max

cdef enum:
    COST = 1024         # bytes of what is kept beside a token and its values
    REFUSAL_COST = 256  # and beside a refused one

cdef Py_ssize_t FIELD_MAX = token_claim_field_bytes_max

cdef list _NONE = []       # never changed: an Admission is immutable

cdef object _EXPIRED = TokenRefusal.EXPIRED
cdef object _NOT_YET = TokenRefusal.NOT_YET
cdef object _TOO_LARGE = TokenRefusal.TOO_LARGE


@cython.final
cdef class Judge:
    """`forward`: (claim, field, whether it is in the cache key) for the origin. `tokens` keeps Admissions, `refused`
    reasons; both belong to one verifier, so whoever changes its keys makes a new Judge and empties them."""

    def __init__(
        self, Verifier verifier not None, tuple forward not None, VerifiedTokens tokens not None, VerifiedTokens refused not None
    ):
        self.verifier, self.tokens, self.refused = verifier, tokens, refused
        self.claims, self.names, self.keyed = [], [], []
        for claim, field, keyed in forward:
            self.claims.append(claim)
            self.names.append(intern_text(field))
            self.keyed.append(keyed)

    def judge(self, bytes token not None, double now):
        """An Admission, or a TokenRefusal's value. `token` is one that `tokens` does not hold."""
        cdef Trial trial
        cdef PyObject* known = self.refused.find(PyBytes_AS_STRING(token), PyBytes_GET_SIZE(token), now)
        if known is not NULL:
            return <object> known
        found = self.verifier.examine(token, now, &trial)
        if type(found) is dict:
            found = self._admit(token, <dict> found, &trial)
        if type(found) is TokenRefusal:
            if trial.checked:
                self._remember(token, found, &trial)
            return found.value
        return found

    cdef object _admit(self, bytes token, dict claims, Trial* trial):
        """The Admission, which is then in `tokens`; or a TokenRefusal where a claim does not fit into its field."""
        cdef Revocable revocable = Revocable(claims.get("jti"), claims.get("sub"), trial.validity.issued)
        cdef list names = _NONE, values = _NONE, keyed = _NONE
        cdef str text
        cdef Py_ssize_t i, held = 0, told = 0
        cdef bint private = False
        if self.claims:
            names, values, keyed = [], [], []
        for i in range(len(self.claims)):
            claim = claims.get(self.claims[i])
            if claim is None:
                continue
            text = field_value(claim)
            if len(text) > FIELD_MAX:
                return _TOO_LARGE
            names.append(self.names[i])
            values.append(text.encode("ascii"))
            keyed.append(self.keyed[i])
            private = private or self.keyed[i] is not True
            told += 128 + len(text)
        admission = make_admission(freeze_claims(claims, &held), names, values, keyed, private, revocable)
        # An upper bound of what it takes: the token itself, its texts at four bytes a character, its objects.
        self.tokens.keep(
            token, admission, trial.validity.not_before, trial.validity.expires,
            COST + 5 * PyBytes_GET_SIZE(token) + 256 * held + told,
        )
        return admission

    cdef int _remember(self, bytes token, object refusal, Trial* trial) except -1:
        """Keeps the reason for as long as it cannot change."""
        cdef double since = -INFINITY, until = INFINITY
        if refusal is _EXPIRED:
            since = trial.validity.expires
        elif refusal is _NOT_YET:
            until = trial.validity.not_before
        self.refused.keep(token, refusal.value, since, until, REFUSAL_COST + PyBytes_GET_SIZE(token))
        return 0
