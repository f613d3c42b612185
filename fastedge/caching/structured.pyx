"""Structured Fields (RFC 9651), as far as the fields of caching go: dictionaries and lists, read strictly.

Parameters and inner lists are checked and passed over. What is malformed anywhere is malformed as a whole, so a field is
read to its end before anything of it is believed. A Display String, which no such field holds, counts as malformed.
"""

from cpython.bytes cimport PyBytes_AS_STRING

cdef enum:
    INTEGER_DIGITS_MAX = 15
    WHOLE_DIGITS_MAX = 12       # of a decimal, before its point
    FRACTION_DIGITS_MAX = 3


def dictionary(bytes value not None):
    """The members in their order as (key, value), None standing for a value that is no Boolean, Integer or String; None
    for what is no Dictionary. A key that comes twice is there twice: the last one counts."""
    cdef Reader reader = reader_of(value)
    cdef Member member
    cdef int more
    members = []
    while (more := next_in_dictionary(&reader, &member)) > 0:
        members.append((member.key[:member.key_size], _value_of(&member)))
    return None if more < 0 else members


def strings(bytes value not None):
    """The Python face of `strings_of`."""
    return strings_of(value)


cdef object _value_of(Member* member):
    if member.kind == BOOLEAN:
        return member.number == 1
    if member.kind == INTEGER:
        return member.number
    return text_of(member) if member.kind == STRING else None


cdef Reader reader_of(bytes value) noexcept:
    """Reads `value`, which must outlive it."""
    cdef Reader reader
    reader.at = PyBytes_AS_STRING(value)
    reader.end = reader.at + len(value)
    reader.begun = False
    return reader


cdef list strings_of(bytes value):
    """A List of Strings as bytes; None for what is none."""
    cdef Reader reader = reader_of(value)
    cdef Member member
    cdef list found = []
    cdef int more
    while (more := next_in_list(&reader, &member)) > 0:
        if member.kind != STRING:
            return None
        found.append(text_of(&member))
    return None if more < 0 else found


cdef bytes text_of(Member* member):
    """A String's characters."""
    cdef bytes text = member.at[:member.size]
    return text.replace(b'\\"', b'"').replace(b"\\\\", b"\\") if b"\\" in text else text


# Both give 1 for a member, 0 at the end, -1 for what is malformed.


cdef int next_in_dictionary(Reader* reader, Member* member) noexcept:
    cdef int more = _comes_another(reader)
    if more <= 0:
        return more
    member.key = reader.at
    if not _pass_key(reader):
        return -1
    member.key_size = reader.at - member.key
    if _pass(reader, c"="):
        return 1 if _read_item_or_list(reader, member) else -1
    member.kind = BOOLEAN
    member.number = 1
    return 1 if _pass_parameters(reader) else -1


cdef int next_in_list(Reader* reader, Member* member) noexcept:
    cdef int more = _comes_another(reader)
    if more <= 0:
        return more
    return 1 if _read_item_or_list(reader, member) else -1


cdef int _comes_another(Reader* reader) noexcept:
    if not reader.begun:
        reader.begun = True
        _pass_blanks(reader, False)
        return reader.at < reader.end
    _pass_blanks(reader, True)
    if reader.at == reader.end:
        return 0
    if not _pass(reader, c","):
        return -1
    _pass_blanks(reader, True)
    return 1 if reader.at < reader.end else -1


cdef bint _read_item_or_list(Reader* reader, Member* member) noexcept:
    if not _pass(reader, c"("):
        return _read_item(reader, member)
    while True:
        _pass_blanks(reader, False)
        if _pass(reader, c")"):
            break
        if not _read_item(reader, member) or not (_is_next(reader, c" ") or _is_next(reader, c")")):
            return False
    member.kind = ANOTHER
    return _pass_parameters(reader)


cdef bint _read_item(Reader* reader, Member* member) noexcept:
    return _read_bare(reader, member) and _pass_parameters(reader)


cdef bint _pass_parameters(Reader* reader) noexcept:
    cdef Member ignored
    while _pass(reader, c";"):
        _pass_blanks(reader, False)
        if not _pass_key(reader):
            return False
        if _pass(reader, c"=") and not _read_bare(reader, &ignored):
            return False
    return True


cdef bint _read_bare(Reader* reader, Member* member) noexcept:
    cdef char first
    if reader.at == reader.end:
        return False
    first = reader.at[0]
    member.kind = ANOTHER
    if first == c"-" or _is_digit(first):
        return _read_number(reader, member)
    if _pass(reader, c'"'):
        return _read_string(reader, member)
    if _pass(reader, c"?"):
        return _read_boolean(reader, member)
    if first == c"*" or _is_letter(first):
        return _pass_token(reader)
    if _pass(reader, c":"):
        return _pass_bytes(reader)
    if _pass(reader, c"@"):
        return _read_number(reader, member) and _becomes_date(member)
    return False


cdef bint _read_number(Reader* reader, Member* member) noexcept:
    cdef bint negative = _pass(reader, c"-")
    cdef Py_ssize_t digits = 0
    member.number = 0
    while reader.at < reader.end and _is_digit(reader.at[0]):
        digits += 1
        if digits > INTEGER_DIGITS_MAX:
            return False
        member.number = 10 * member.number + reader.at[0] - c"0"
        reader.at += 1
    if _pass(reader, c"."):
        return 0 < digits <= WHOLE_DIGITS_MAX and _pass_fraction(reader)
    member.kind = INTEGER
    if negative:
        member.number = -member.number
    return digits > 0


cdef bint _pass_fraction(Reader* reader) noexcept:
    cdef const char* start = reader.at
    while reader.at < reader.end and _is_digit(reader.at[0]):
        reader.at += 1
    return 0 < reader.at - start <= FRACTION_DIGITS_MAX


cdef bint _becomes_date(Member* member) noexcept:
    """A Date is "@" and an Integer."""
    cdef bint whole = member.kind == INTEGER
    member.kind = ANOTHER
    return whole


cdef bint _read_string(Reader* reader, Member* member) noexcept:
    member.kind = STRING
    member.at = reader.at
    while reader.at < reader.end:
        if reader.at[0] == c'"':
            member.size = reader.at - member.at
            reader.at += 1
            return True
        if reader.at[0] == c"\\":
            reader.at += 1
            if not (_is_next(reader, c'"') or _is_next(reader, c"\\")):
                return False
        elif not c" " <= reader.at[0] <= c"~":
            return False
        reader.at += 1
    return False


cdef bint _read_boolean(Reader* reader, Member* member) noexcept:
    member.kind = BOOLEAN
    member.number = _is_next(reader, c"1")
    return _pass(reader, c"1") or _pass(reader, c"0")


cdef bint _pass_token(Reader* reader) noexcept:
    reader.at += 1
    while reader.at < reader.end and (is_token_char(reader.at[0]) or reader.at[0] == c":" or reader.at[0] == c"/"):
        reader.at += 1
    return True


cdef bint _pass_bytes(Reader* reader) noexcept:
    while reader.at < reader.end and reader.at[0] != c":":
        if not (_is_letter(reader.at[0]) or _is_digit(reader.at[0]) or reader.at[0] in b"+/="):
            return False
        reader.at += 1
    return _pass(reader, c":")


cdef bint _pass_key(Reader* reader) noexcept:
    if not (_is_next(reader, c"*") or reader.at < reader.end and c"a" <= reader.at[0] <= c"z"):
        return False
    while reader.at < reader.end and (
        c"a" <= reader.at[0] <= c"z" or _is_digit(reader.at[0]) or reader.at[0] in b"_-.*"
    ):
        reader.at += 1
    return True


cdef inline void _pass_blanks(Reader* reader, bint tabs) noexcept:
    while _is_next(reader, c" ") or tabs and _is_next(reader, c"\t"):
        reader.at += 1


cdef inline bint _is_next(Reader* reader, char wanted) noexcept:
    return reader.at < reader.end and reader.at[0] == wanted


cdef inline bint _pass(Reader* reader, char wanted) noexcept:
    cdef bint there = _is_next(reader, wanted)
    reader.at += there
    return there


cdef inline bint _is_digit(char c) noexcept:
    return c"0" <= c <= c"9"


cdef inline bint _is_letter(char c) noexcept:
    return c"a" <= (c | 0x20) <= c"z"


cdef bint is_token_char(char c) noexcept:
    """tchar of RFC 9110 §5.6.2."""
    return _is_letter(c) or _is_digit(c) or c in b"!#$%&'*+-.^_`|~"


cdef bint is_token(bytes text) noexcept:
    cdef const char* at = PyBytes_AS_STRING(text)
    cdef Py_ssize_t i
    for i in range(len(text)):
        if not is_token_char(at[i]):
            return False
    return len(text) > 0
