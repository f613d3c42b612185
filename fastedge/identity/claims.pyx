"""What is done with verified claims: made unchangeable for policies, and spelled as fields for an origin.

Never lets a claim's text become a control character, a line break or a second field.
"""

import json
from urllib.parse import quote

from cpython.dict cimport PyDictProxy_New


def read_only(dict claims not None):
    """The claims as a read-only mapping (arrays as tuples, objects as such mappings) and how many values they hold.

    Takes the dictionary over. Its depth is the parser's to bound.
    """
    cdef Py_ssize_t values = 0
    frozen = freeze_claims(claims, &values)
    return frozen, values


cdef object freeze_claims(dict claims, Py_ssize_t* values):
    """`read_only`; adds to `values`."""
    values[0] += len(claims)
    for name, value in claims.items():
        if type(value) is list or type(value) is dict:
            claims[name] = _freeze(value, values)
    return PyDictProxy_New(claims)


cdef object _freeze(object value, Py_ssize_t* values):
    if type(value) is dict:
        return freeze_claims(value, values)
    if type(value) is list:
        values[0] += len(<list> value)
        return tuple([_freeze(one, values) for one in <list> value])
    return value


cpdef str field_value(object claim):
    """A claim as the value of a field: printable ASCII, nothing around it that a recipient would trim.

    A string stands as it is, with "%", spaces at its ends and all that is not printable ASCII percent-encoded as UTF-8
    (RFC 3986 §2.1), so that decoding once gives back exactly that string. Anything else is compact JSON in ASCII.
    """
    if type(claim) is not str:
        return json.dumps(claim, separators=(",", ":"))
    if claim.isascii() and claim.isprintable() and "%" not in claim and claim == claim.strip(" "):
        return claim
    inner = claim.strip(" ")
    before = len(claim) - len(claim.lstrip(" ")) if inner else 0
    after = len(claim) - len(inner) - before
    return "%20" * before + quote(inner, safe=_PRINTABLE) + "%20" * after


cdef str _PRINTABLE = "".join([chr(code) for code in range(0x20, 0x7F) if chr(code) != "%"])
