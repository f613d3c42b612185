"""The normal form of a field's value: two values with one normal form mean the same (RFC 9111 §4.1).

White space at commas means nothing, and of Accept-Encoding only the set of codings that it accepts does. In place: a normal
form is never longer than the value.
"""

from libc.string cimport memchr, memcmp, memcpy, memmove

from fastedge._core.codings cimport ACCEPTED, REFUSED, UNCLEAR, Acceptance, pass_blanks, weigh
from fastedge._core.fields cimport ACCEPT_ENCODING, FieldName, intern_text
from fastedge.caching.structured cimport is_token_char

cdef extern from "strings.h" nogil:
    int strncasecmp(const char*, const char*, size_t)

cdef enum:
    CODINGS_MAX = 16        # in an Accept-Encoding that is put in order; others stay as they are
    CODINGS_BYTES_MAX = 256
    SPELLINGS = 64          # of Accept-Encoding that are remembered with their normal form
    SPELLING_BYTES_MAX = 112

cdef struct Spelling:
    Py_ssize_t size
    Py_ssize_t normal_size
    char text[SPELLING_BYTES_MAX]
    char normal[SPELLING_BYTES_MAX]

cdef Spelling _spellings[SPELLINGS]


def normal(str name not None, bytes value not None):
    """The Python face of `normalise`."""
    cdef bytearray room = bytearray(value)
    return bytes(room[:normalise(room, len(room), intern_text(name))])


cdef Py_ssize_t normalise(char* value, Py_ssize_t size, FieldName name) noexcept:
    """Gives the new size."""
    return _normal_codings(value, size) if name.id == ACCEPT_ENCODING else _squeeze(value, size)


cdef const char* next_member(const char* at, const char* end, Span* member) noexcept:
    """What stands before the next comma, without white space; gives what is behind the comma."""
    cdef const char* stop = <const char*> memchr(at, c",", end - at)
    cdef const char* behind = end if stop is NULL else stop + 1
    if stop is NULL:
        stop = end
    at = pass_blanks(at, stop)
    while at < stop and ((stop - 1)[0] == c" " or (stop - 1)[0] == c"\t"):
        stop -= 1
    member.at = at
    member.size = stop - at
    return behind


cdef Py_ssize_t _squeeze(char* value, Py_ssize_t size) noexcept:
    """Takes out the white space around commas, in place; not between quotes."""
    cdef Py_ssize_t i = 0, kept = 0
    cdef bint quoted = False, after_comma = False
    while i < size:
        if quoted and value[i] == c"\\" and i + 1 < size:
            value[kept] = value[i]
            kept += 1
            i += 1
        elif value[i] == c'"':
            quoted = not quoted
        elif value[i] == c"," and not quoted:
            while kept and (value[kept - 1] == c" " or value[kept - 1] == c"\t"):
                kept -= 1
            after_comma = True
            value[kept] = c","
            kept += 1
            i += 1
            continue
        elif after_comma and (value[i] == c" " or value[i] == c"\t"):
            i += 1
            continue
        after_comma = False
        value[kept] = value[i]
        kept += 1
        i += 1
    return kept


cdef Py_ssize_t _normal_codings(char* value, Py_ssize_t size) noexcept:
    """Accept-Encoding's normal form, in place; remembered, as there are only so many browsers."""
    cdef Spelling* known
    if not 0 < size <= SPELLING_BYTES_MAX:
        return _put_in_order(value, _squeeze(value, size))
    known = &_spellings[(size * 31 + <unsigned char> value[size >> 1]) % SPELLINGS]
    if known.size != size or memcmp(known.text, value, size) != 0:
        known.size = size
        memcpy(known.text, value, size)
        known.normal_size = _put_in_order(value, _squeeze(value, size))
        memcpy(known.normal, value, known.normal_size)
    memcpy(value, known.normal, known.normal_size)
    return known.normal_size


cdef Py_ssize_t _put_in_order(char* value, Py_ssize_t size) noexcept:
    """Accept-Encoding as the sorted set of the codings that it accepts: b"br,gzip". What names "*", or refuses what it would
    otherwise accept (identity;q=0), stays as it is: there the rest matters too. So does what is malformed."""
    cdef Span codings[CODINGS_MAX]
    cdef Span coding
    cdef const char* at = value
    cdef const char* end = value + size
    cdef Py_ssize_t count = 0
    cdef Acceptance acceptance
    if not 0 < size <= CODINGS_BYTES_MAX:
        return size
    while at < end:
        at = next_member(at, end, &coding)
        if coding.size == 0:
            continue
        acceptance = _read_coding(&coding)
        if acceptance == UNCLEAR or count == CODINGS_MAX:
            return size
        if acceptance == ACCEPTED:
            count = _insert(codings, count, coding)
    return _write_codings(value, codings, count)


cdef Acceptance _read_coding(Span* coding) noexcept:
    """Leaves the coding's name alone."""
    cdef const char* end = coding.at + coding.size
    cdef const char* at = coding.at
    cdef Acceptance acceptance
    while at < end and is_token_char(at[0]):
        at += 1
    coding.size = at - coding.at
    acceptance = weigh(at, end)
    if coding.size == 0 or _is_coding(coding, b"*", 1) or (acceptance == REFUSED and _is_coding(coding, b"identity", 8)):
        return UNCLEAR
    if _is_coding(coding, b"x-gzip", 6) or _is_coding(coding, b"x-compress", 10):     # aliases (RFC 9110 §8.4.1)
        coding.at += 2
        coding.size -= 2
    return acceptance


cdef inline bint _is_coding(Span* coding, const char* name, Py_ssize_t size) noexcept:
    return coding.size == size and strncasecmp(coding.at, name, size) == 0


cdef Py_ssize_t _insert(Span* codings, Py_ssize_t count, Span coding) noexcept:
    """In order, unless it is there already; gives the new count."""
    cdef Py_ssize_t i = count
    cdef int order
    while i > 0:
        order = _compare(&codings[i - 1], &coding)
        if order == 0:
            return count
        if order < 0:
            break
        i -= 1
    memmove(&codings[i + 1], &codings[i], (count - i) * sizeof(Span))
    codings[i] = coding
    return count + 1


cdef inline int _compare(Span* one, Span* other) noexcept:
    cdef int order = strncasecmp(one.at, other.at, min(one.size, other.size))
    return order if order else <int> (one.size - other.size)


cdef Py_ssize_t _write_codings(char* value, Span* codings, Py_ssize_t count) noexcept:
    cdef char sorted_value[CODINGS_BYTES_MAX + 1]
    cdef Py_ssize_t i, k, size = 0
    for i in range(count):
        for k in range(codings[i].size):
            sorted_value[size] = codings[i].at[k] | 0x20 if c"A" <= codings[i].at[k] <= c"Z" else codings[i].at[k]
            size += 1
        sorted_value[size] = c","
        size += 1
    size = max(size - 1, 0)
    memcpy(value, sorted_value, size)
    return size
