"""JSON Web Tokens: signature, then claims (RFC 7519 §7.2, RFC 8725). `now` is an argument.

Never raises for what a client sent, and never lets the token choose how it is checked.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp

from fastedge._core.base64url cimport decode_span
from fastedge.identity.jws cimport Header, Parts, check_form, parse_header
from fastedge.identity.refusal import TokenRefusal
from fastedge.identity.rules cimport Rules
from fastedge.identity.signature cimport Check
from fastedge.identity.strict_json cimport parse_object
from fastedge.identity.trace import trace
from fastedge.limits import token_headers_learned_max

cdef Py_ssize_t HEADERS_MAX = token_headers_learned_max

cdef object _MALFORMED = TokenRefusal.MALFORMED
cdef object _NO_KEY = TokenRefusal.NO_KEY
cdef object _SIGNATURE = TokenRefusal.SIGNATURE


@cython.final
cdef class Verified:
    def __repr__(self):
        return f"<Verified from {self.not_before} to {self.expires}>"


@cython.final
cdef class Verifier:
    """One key set and one set of rules. Immutable, but for a memo of the headers under which signatures were good."""

    def __init__(self, keys not None, Rules rules not None):
        self.keys = keys
        self.rules = rules
        # Issuers write a handful of headers. Only a header that came with a good signature is remembered, so that
        # inventions cannot fill the memo.
        self.checks = {}
        self.last_head = b""

    def verify(self, bytes token not None, double now):
        """A Verified for a token that the keys signed and the rules accept at `now` (Unix seconds); or why not."""
        cdef Trial trial
        cdef Verified verified
        found = self.examine(token, now, &trial)
        if type(found) is not dict:
            return found
        verified = Verified.__new__(Verified)
        verified.claims = found
        verified.not_before, verified.expires = trial.validity.not_before, trial.validity.expires
        return verified

    def trace(self, bytes token not None, double now):
        """The checks in their order up to the first that fails, each with its outcome: texts without secrets, nor the
        token, nor anything of it that a terminal would not print."""
        return trace(self.keys, self.rules, token, now)

    cdef object examine(self, bytes token, double now, Trial* trial):
        """The claims of a good token, or a TokenRefusal."""
        cdef Parts parts
        cdef const unsigned char* at = <const unsigned char*> PyBytes_AS_STRING(token)
        cdef bytes payload, signature
        trial.checked = False
        reason = check_form(token, &parts)
        if reason is not None:
            return reason
        known = self._known(at, parts.header)
        check = self._choose(token[:parts.header]) if known is None else known
        if not isinstance(check, Check):
            return check
        payload = decode_span(at + parts.header + 1, parts.payload - parts.header - 1)
        signature = decode_span(at + parts.payload + 1, PyBytes_GET_SIZE(token) - parts.payload - 1)
        if payload is None or signature is None:
            return _MALFORMED
        trial.checked = True
        if not (<Check> check).holds(PyBytes_FromStringAndSize(<const char*> at, parts.payload), signature):
            return _SIGNATURE
        if known is None and len(self.checks) < HEADERS_MAX:
            self.checks[token[:parts.header]] = check
        return self._judge(payload, now, trial)

    cdef Check _known(self, const unsigned char* at, Py_ssize_t size):
        """The check for an encoded header under which a signature was good; None for any other."""
        if PyBytes_GET_SIZE(self.last_head) != size or memcmp(PyBytes_AS_STRING(self.last_head), at, size) != 0:
            head = PyBytes_FromStringAndSize(<const char*> at, size)
            check = self.checks.get(head)
            if check is None:
                return None
            self.last_head, self.last_check = head, check
        return self.last_check

    cdef object _choose(self, bytes head):
        """The check for an encoded header, or a TokenRefusal."""
        found = parse_header(head)
        if type(found) is not Header:
            return found
        reason = self.rules.check_header((<Header> found).algorithm, (<Header> found).type)
        if reason is not None:
            return reason
        key = self.keys.choose((<Header> found).algorithm, (<Header> found).kid)
        return _NO_KEY if key is None else key.checks[(<Header> found).algorithm]

    cdef object _judge(self, bytes payload, double now, Trial* trial):
        """The claims, where the rules accept them, or a TokenRefusal."""
        cdef dict claims = parse_object(payload)
        if claims is None:
            return _MALFORMED
        reason = self.rules.check_names(claims)
        if reason is None:
            reason = self.rules.check_issuer(claims)
        if reason is None:
            reason = self.rules.check_audience(claims)
        if reason is None:
            reason = self.rules.check_dates(claims, now, &trial.validity)
        return claims if reason is None else reason
