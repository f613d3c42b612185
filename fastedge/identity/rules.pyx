"""What a token has to say beside being signed: the registered header parameters and claims (RFC 7519 §4.1, RFC 8725 §3).

Each check gives None or the refusal. `now` is an argument.
"""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.math cimport INFINITY

from fastedge.identity.refusal import TokenRefusal

cdef object _ALGORITHM = TokenRefusal.ALGORITHM
cdef object _TYPE = TokenRefusal.TYPE
cdef object _MISSING_CLAIM = TokenRefusal.MISSING_CLAIM
cdef object _INVALID_CLAIM = TokenRefusal.INVALID_CLAIM
cdef object _ISSUER = TokenRefusal.ISSUER
cdef object _AUDIENCE = TokenRefusal.AUDIENCE
cdef object _EXPIRED = TokenRefusal.EXPIRED
cdef object _NOT_YET = TokenRefusal.NOT_YET


@cython.final
cdef class Rules:
    def __init__(
        self, frozenset algorithms not None, frozenset issuers, frozenset audiences, double leeway_s=0.0,
        bint require_issuer=True, bint require_audience=True, bint require_expiry=True, tuple required not None=(),
        frozenset types=None,
    ):
        self.algorithms, self.issuers, self.audiences = algorithms, issuers, audiences
        self.types = None if types is None else frozenset([media_type(one) for one in types])
        self.leeway_s = leeway_s
        self.require_issuer, self.require_audience, self.require_expiry = require_issuer, require_audience, require_expiry
        self.required = required

    cpdef object check_header(self, str algorithm, str type):
        if algorithm not in self.algorithms:
            return _ALGORITHM
        if self.types is not None and (type is None or media_type(type) not in self.types):
            return _TYPE
        return None

    cpdef object check_names(self, dict claims):
        """What has to be there, and what has to be a string (RFC 7519 §4.1.2 and §4.1.7)."""
        for name in self.required:
            if claims.get(name) is None:
                return _MISSING_CLAIM
        return None if _is_text_or_absent(claims, "sub") and _is_text_or_absent(claims, "jti") else _INVALID_CLAIM

    cpdef object check_issuer(self, dict claims):
        issuer = claims.get("iss")
        if issuer is None:
            return _MISSING_CLAIM if self.require_issuer else None
        if type(issuer) is not str:
            return _INVALID_CLAIM
        return None if self.issuers is None or issuer in self.issuers else _ISSUER

    cpdef object check_audience(self, dict claims):
        audience = claims.get("aud")
        if audience is None:
            return _MISSING_CLAIM if self.require_audience else None
        if type(audience) is str:
            return None if self.audiences is None or audience in self.audiences else _AUDIENCE
        if type(audience) is not list:
            return _INVALID_CLAIM
        for one in <list> audience:
            if type(one) is not str:
                return _INVALID_CLAIM
        return None if self.audiences is None or not self.audiences.isdisjoint(audience) else _AUDIENCE

    def check_times(self, dict claims not None, double now):
        """`exp`, `nbf` and `iat`, with leeway."""
        cdef Validity validity
        return self.check_dates(claims, now, &validity)

    cdef object check_dates(self, dict claims, double now, Validity* validity):
        """`check_times`; sets `validity`, which means something where the answer is None, expired or not yet."""
        cdef double expires = INFINITY, not_before = -INFINITY, issued = -INFINITY
        if not (_read(claims, "exp", &expires) and _read(claims, "nbf", &not_before) and _read(claims, "iat", &issued)):
            return _INVALID_CLAIM
        if expires == INFINITY and self.require_expiry:
            return _MISSING_CLAIM
        validity.expires = expires + self.leeway_s
        validity.not_before = max(not_before, issued) - self.leeway_s
        validity.issued = issued
        if now >= validity.expires:  # RFC 7519 §4.1.4: on or after is too late
            return _EXPIRED
        return _NOT_YET if now < validity.not_before else None


cdef bint _is_text_or_absent(dict claims, str name) except -1:
    return type(claims.get(name, "")) is str


cdef bint _read(dict claims, str name, double* date) except -1:
    """Reads a NumericDate, where there is one (RFC 7519 §2); False for what is none: a string, a bool, null, a number that
    no clock will show. The parser has refused what is not finite."""
    cdef PyObject* found = PyDict_GetItemWithError(claims, name)
    if found is NULL:
        return True
    if type(<object> found) is not int and type(<object> found) is not float:
        return False
    try:
        date[0] = <object> found
    except OverflowError:
        return False
    return True


cpdef str media_type(str text):
    """RFC 7515 §4.1.9: "application/" may be left out, and case means nothing."""
    return (text if "/" in text else "application/" + text).lower()
