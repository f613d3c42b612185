"""The gate of BasicAuth (RFC 7617): a password that was right is remembered for a while; another one is checked off the loop.

Remembers no password, only digests under a key that nobody knows. Checks wait in a queue that has an end.
"""

cimport cython
from cpython.object cimport PyObject

from functools import partial
from hashlib import blake2b

from fastedge._core.credential cimport NONE_SHOWN, ONE_SHOWN, SEVERAL_SHOWN, Span
from fastedge._core.gate cimport Admission, refusals_of
from fastedge._core.message cimport Context, Request
from fastedge._core.pipeline cimport Wait
from fastedge.limits import (
    basic_credentials_bytes_max, password_queue_max, password_refused_max, password_refused_s, password_remembered_max,
    step_threads,
)

REASONS = ("several", "too_large", "malformed", "password")

cdef Py_ssize_t BYTES_MAX = basic_credentials_bytes_max
cdef int WAITING_MAX = step_threads + password_queue_max
cdef double REFUSED_S = password_refused_s
cdef Py_ssize_t COST = 1024     # bytes of an entry: its digest, and an Admission that others may share


@cython.final
cdef class BasicGate(Gate):
    """`split(token)` gives user and password, or None; `knows(user, password)` is slow."""

    def __init__(
        self, split, knows, admission_of, *, str stage, str realm, double remember_s, bint forward_password, claim_fields,
        random_bytes,
    ):
        self.source = CredentialSource("header", scheme="basic")
        self.split, self.knows, self.admission_of = split, knows, admission_of
        self.stage = stage
        self.remember_s = remember_s
        self.forward_password = forward_password
        self.keyed = blake2b(key=random_bytes(64))
        self.right = VerifiedTokens(password_remembered_max, password_remembered_max * COST, random_bytes(48))
        self.wrong = VerifiedTokens(password_refused_max, password_refused_max * COST, random_bytes(48))
        self.checks = {}
        challenge = f'Basic realm="{realm}", charset="UTF-8"'
        self.missing = Refusal(stage, "missing", 401, [challenge])
        self.refusals = refusals_of(stage, REASONS, challenge)
        self.busy = Refusal(stage, "busy", 503, fields=[("retry-after", "1")])
        self.reserved_fields = tuple(claim_fields)

    cdef object examine(self, Request request, Context ctx):
        cdef Span shown
        cdef PyObject* found
        cdef bytes token, digest
        cdef int how_many = self.source.find(request, &shown)
        if how_many == NONE_SHOWN:
            return None
        if how_many == SEVERAL_SHOWN:
            return self.refusals["several"]
        if shown.size > BYTES_MAX:
            return self.refusals["too_large"]
        token = shown.at[:shown.size]
        keyed = self.keyed.copy()       # half of what a new one costs
        keyed.update(token)
        digest = keyed.digest()
        found = self.right.find(digest, len(digest), ctx.now)
        if found is not NULL:
            return <object> found
        if self.wrong.find(digest, len(digest), ctx.now) is not NULL:
            return self.refusals["password"]
        return self.first_sight(digest, token, ctx.now)

    cdef object first_sight(self, bytes digest, bytes token, double now):
        cdef Check check
        pair = self.split(token)
        if pair is None:
            return self.refusals["malformed"]
        if self.waiting >= WAITING_MAX:
            return self.busy
        self.waiting += 1
        check = self.checks.get(digest)
        if check is None:
            check = self.checks[digest] = Check(self, digest, *pair)
        return Wait(check.run, partial(check.settled, now))

    cdef bint decides(self, Request request) except -1:
        cdef Span shown
        return self.source.find(request, &shown) != NONE_SHOWN

    cdef int conceal(self, Request request, Context ctx, bint checked) except -1:
        return 0 if self.forward_password and checked else self.source.conceal(request, ctx.plan)

    def trace(self, Request request not None, Context ctx not None):
        """Checks the password here and now."""
        cdef Span shown
        if self.source.find(request, &shown) != ONE_SHOWN:
            return [("header", "no password")]
        pair = self.split(shown.at[:shown.size])
        if pair is None:
            return [("header", "cannot be read (malformed)")]
        return [("header", f"a password of {pair[0]}"), ("password", "fits" if self.knows(*pair) else "does not fit (password)")]


@cython.final
cdef class Check:
    def __init__(self, BasicGate gate, bytes digest, str user, bytes password):
        self.gate, self.digest, self.user, self.password = gate, digest, user, password

    def run(self):
        """Off the loop, and also when nobody waits for the answer any more: so the count goes down here. What is written
        to are single objects and numbers, under the interpreter's lock; a second thread at most checks once more."""
        try:
            if self.outcome is None:
                self.outcome = self.gate.knows(self.user, self.password)
            return self.outcome
        finally:
            self.gate.waiting -= 1
            self.gate.checks.pop(self.digest, None)

    def settled(self, double now, answer):
        """On the loop: what the credentials that were shown at `now` are worth."""
        cdef BasicGate gate = self.gate
        if isinstance(answer, BaseException):
            raise answer
        if answer is not True:
            gate.wrong.keep(self.digest, False, now, now + REFUSED_S, COST)
            return gate.refusals["password"]
        admission = gate.admission_of(self.user)
        gate.right.keep(self.digest, admission, now, now + gate.remember_s, COST)
        return admission
