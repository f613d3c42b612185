"""Why a token was refused: a closed list, for the log and for `explain`. Never for the client, never with the token."""

from enum import Enum


class TokenRefusal(Enum):
    """The value is the word in the log."""

    MISSING = "missing"  # no credentials, or those of another scheme
    SEVERAL = "several"  # more than one Authorization field, or tokens in several places that differ
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"  # not three parts of strict base64url, not JSON objects, a member twice, a wrong type
    CRITICAL = "critical"  # `crit` or `b64`: an extension that has to be understood, and none is (RFC 7515 §4.1.11)
    TYPE = "type"  # another `typ` than was asked for; or `cty`: something else than claims is inside
    ALGORITHM = "algorithm"  # not in the allow-list of this stage and its keys
    NO_KEY = "no_key"  # no key by that `kid`, or several that fit
    KEYS_UNAVAILABLE = "keys_unavailable"  # none could be fetched, or not for too long: the answer is a 503
    SIGNATURE = "signature"
    MISSING_CLAIM = "missing_claim"
    INVALID_CLAIM = "invalid_claim"  # a registered claim of the wrong type, a date that is no finite number
    EXPIRED = "expired"
    NOT_YET = "not_yet"  # `nbf` or `iat` lies ahead
    ISSUER = "issuer"
    AUDIENCE = "audience"
    REVOKED = "revoked"
