"""Rows of a redirect table, checked one by one and collected; what is wrong with them is gathered, not raised.

Never lets a target through that a client's own bytes could turn to another host, or that could break a field line.
"""

cimport cython
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.string cimport memchr
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from fastedge._core.redirecttable cimport CAPTURES, EXACT, PATTERN, PREFIX, RedirectTable, Row

from fastedge.limits import (
    redirect_errors_max, redirect_pattern_bytes_max, redirect_source_bytes_max, redirect_target_bytes_max,
    redirect_wildcards_max,
)

assert redirect_wildcards_max == CAPTURES
cdef enum:
    TARGET_BYTES = 2048
    KEEP = 1
    DROP = 2
    HOST_BYTES = 253  # RFC 1035 §2.3.4, without the last dot
assert redirect_target_bytes_max == TARGET_BYTES
cdef Py_ssize_t SOURCE_MAX = redirect_source_bytes_max
cdef Py_ssize_t PATTERN_MAX = redirect_pattern_bytes_max
cdef Py_ssize_t ERRORS_MAX = redirect_errors_max

cdef dict STATUSES = {key: status for status in (301, 302, 303, 307, 308) for key in (status, str(status))}
cdef dict QUERIES = {"": KEEP, "keep": KEEP, "drop": DROP}
STATUSES[""] = 301


@cython.final
cdef class RedirectBuilder:
    """Takes rows with `add`, gives the table with `finish`; `problems` has the first few as `(line, column, text)`.

    `unit` is what a row's number counts: lines of a file, or rows.
    """

    def __init__(self, str unit not None="line"):
        self.table = RedirectTable()
        self.problems = []
        self.unit = unit

    def add(self, Py_ssize_t line, source, target, status="", query=""):
        """Check and keep one row; whatever is wrong with it becomes a problem of its line."""
        cdef Row row
        cdef char target_text[TARGET_BYTES]
        cdef char host_text[HOST_BYTES]
        cdef const char* path = NULL
        row.line = <uint32_t> line
        problem = read_source(source, &row, host_text, &path)
        if problem is not None:
            return self.refuse(line, "source", problem)
        problem = read_target(target, &row, target_text)
        if problem is not None:
            return self.refuse(line, "target", problem)
        row.status = <uint16_t> choice(STATUSES, status)
        if row.status == 0:
            return self.refuse(line, "status", f"expected 301, 302, 303, 307 or 308, found {shown(status)}")
        row.keep_query = choice(QUERIES, query) == KEEP
        if choice(QUERIES, query) == 0:
            return self.refuse(line, "query", f"expected keep or drop, found {shown(query)}")
        return self.table.append(row, host_text, path, target_text)

    def problem(self, Py_ssize_t line, str column not None, str text not None):
        """Note what the reader of the file found wrong."""
        self.refuse(line, column, text)

    cdef int refuse(self, Py_ssize_t line, str column, str text) except -1:
        self.problem_count += 1
        if len(self.problems) < ERRORS_MAX:
            self.problems.append((line, column, text))
        return 0

    def finish(self):
        """The table of all rows. Rows that contradict each other become problems; equal ones are one."""
        cdef Py_ssize_t number, earlier
        cdef RedirectTable table = self.table
        table.unit = self.unit
        table.index()
        for number in range(table.size):
            earlier = table.claim(number)
            if earlier >= 0 and table.describe(number)[4:] != table.describe(earlier)[4:]:
                self.refuse(table.rows[number].line, "source", contradiction(table, number, earlier, self.unit))
        self.table = RedirectTable()
        return table


cdef inline int choice(dict choices, object cell) except -1:
    """What a cell chooses; 0 if it is none of the choices."""
    cdef PyObject* found
    if type(cell) is not str and type(cell) is not int:
        return 0
    found = PyDict_GetItem(choices, cell)
    return 0 if found == NULL else <int> <object> found


cdef str contradiction(RedirectTable table, Py_ssize_t number, Py_ssize_t earlier, str unit):
    described = table.describe(number)
    return f"{shown(described[2] + described[3])} is in {unit} {table.rows[earlier].line} already, and goes elsewhere"


# --- the source column -----------------------------------------------------------------------------------------------

cdef str read_source(object source, Row* row, char* host, const char** path):
    """Fill in host, path, kind and stars. None, or what is wrong."""
    cdef Py_ssize_t size = 0, path_size, host_size
    cdef const char* text
    if type(source) is not str:
        return f"expected a text, found {shown(source)}"
    if not (<str> source).isascii():
        return refused_character(source)
    text = PyUnicode_AsUTF8AndSize(source, &size)
    if size == 0:
        return "is empty; expected a path like /old"
    if size > SOURCE_MAX:
        return f"is {size} bytes long, at most {SOURCE_MAX}"
    path[0] = <const char*> memchr(text, c"/", size)
    if path[0] == NULL or (path[0] > text and (path[0] - 1)[0] == c":"):
        return f"expected a path like /old or a host and a path like shop.example/old, found {shown(source)}"
    host_size = path[0] - text
    path_size = size - host_size
    problem = read_host(text, host_size, host)
    if problem is None:
        problem = check_path(source, path[0], path_size)
    if problem is not None:
        return problem
    row.host_size = <uint8_t> host_size
    return read_kind(path[0], path_size, row)


cdef str read_host(const char* text, Py_ssize_t size, char* host):
    """Copy the host in lower case (RFC 9110 §4.2.3). Ports are no part of a row: what listens decides them."""
    cdef Py_ssize_t i
    cdef char c
    if size > HOST_BYTES:
        return f"has a host of {size} bytes, at most {HOST_BYTES}"
    for i in range(size):
        c = text[i]
        if c"A" <= c <= c"Z":
            c += 32
        if not (c"a" <= c <= c"z" or c"0" <= c <= c"9" or c == c"-" or c == c"." or c == c"_"):
            return f"has a host with {shown(chr(c & 0xFF))}; expected a name like shop.example, without a port"
        host[i] = c
    return None


cdef str check_path(str source, const char* text, Py_ssize_t size):
    cdef Py_ssize_t i
    for i in range(size):
        if text[i] == c"?" or text[i] == c"#":
            return f"has a {'query' if text[i] == c'?' else 'fragment'}; rows are found by their path alone"
        if text[i] <= 0x20 or text[i] >= 0x7F or text[i] == c"\\":
            return refused_character(source)
    return None


cdef str read_kind(const char* path, Py_ssize_t size, Row* row):
    """An `*` after the last slash, and no other, is a prefix; any other `*` makes a pattern."""
    cdef Py_ssize_t i, stars = 0
    for i in range(size):
        stars += path[i] == c"*"
        if path[i] == c"*" and i + 1 < size and path[i + 1] == c"*":
            return "has `**`; one `*` is enough"
    if stars > CAPTURES:
        return f"has {stars} `*`, at most {CAPTURES}"
    if stars == 0:
        row.kind = EXACT
    elif stars == 1 and path[size - 1] == c"*" and path[size - 2] == c"/":
        row.kind = PREFIX
    else:
        row.kind = PATTERN
    if row.kind == PATTERN and size > PATTERN_MAX:
        return f"is a pattern of {size} bytes, at most {PATTERN_MAX}"
    row.stars = <uint8_t> stars
    row.path_size = <uint16_t> (size - (row.kind == PREFIX))
    return None


# --- the target column -----------------------------------------------------------------------------------------------

cdef str read_target(object target, Row* row, char* compiled):
    """Copy a target with its references as bytes 1 to 9. None, or what is wrong."""
    cdef Py_ssize_t size = 0
    cdef const char* text
    if type(target) is not str:
        return f"expected a text, found {shown(target)}"
    if not (<str> target).isascii():
        return refused_character(target)
    text = PyUnicode_AsUTF8AndSize(target, &size)
    if size == 0:
        return "is empty; expected a path like /new or a URL like https://shop.example/new"
    if size > TARGET_BYTES:
        return f"is {size} bytes long, at most {TARGET_BYTES}"
    if text[0] != c"/" and not has_plain_host(text, size):
        return f"expected a path like /new or an http or https URL with a plain host, found {shown(target)}"
    if size > 1 and text[0] == c"/" and text[1] == c"/":
        return "begins with //, which is another host; write https:// in full"
    if not is_uri(text, size):
        return refused_character(target)
    return compile_target(text, size, row, compiled)


cdef bint has_plain_host(const char* text, Py_ssize_t size) noexcept nogil:
    """Whether it begins with `http://host` or `https://host:port`, and the host ends there.

    No user information, no references: the host of a Location is always the operator's own text.
    """
    cdef Py_ssize_t start = scheme_size(text, size), i
    cdef char c
    if start == 0:
        return False
    for i in range(start, size):
        c = text[i] | 0x20 if c"A" <= text[i] <= c"Z" else text[i]
        if c == c"/" or c == c"?" or c == c"#":
            return i > start
        if not (c"a" <= c <= c"z" or c"0" <= c <= c"9" or c in (c"-", c".", c"_", c":", c"[", c"]")):
            return False
    return size > start


cdef Py_ssize_t scheme_size(const char* text, Py_ssize_t size) noexcept nogil:
    cdef const char* https = b"https"
    cdef Py_ssize_t i = 0
    while i < 5 and i < size and (text[i] | 0x20) == https[i]:
        i += 1
    if i < 4 or i + 3 > size or text[i] != c":" or text[i + 1] != c"/" or text[i + 2] != c"/":
        return 0
    return i + 3


cdef bint is_uri(const char* text, Py_ssize_t size) noexcept nogil:
    """Whether each byte may stand in a URI (RFC 3986 §2). Percent signs are the operator's own business."""
    cdef Py_ssize_t i
    for i in range(size):
        if text[i] <= 0x20 or text[i] >= 0x7F or text[i] in (
            c'"', c"<", c">", c"\\", c"^", c"`", c"{", c"|", c"}"
        ):
            return False
    return True


cdef str compile_target(const char* text, Py_ssize_t size, Row* row, char* compiled):
    """References: `*` is the next wildcard of the source, `$1` to `$9` the one of that number, `$$` a dollar."""
    cdef Py_ssize_t i = 0, out = 0, number, stars = 0, fragment = -1
    cdef bint dollars = False
    row.has_query = row.carries = False
    while i < size:
        number = 0
        compiled[out] = text[i]
        if text[i] == c"*":
            stars += 1
            number = stars
        elif text[i] == c"$" and i + 1 < size and text[i + 1] == c"$":
            i += 1
        elif text[i] == c"$" and i + 1 < size and c"1" <= text[i + 1] <= c"9":
            i += 1
            number = text[i] - c"0"
            dollars = True
        elif text[i] == c"#" and fragment < 0:
            fragment = out
        elif text[i] == c"?" and fragment < 0:
            row.has_query = True
        if number > row.stars:
            return f"asks for wildcard {number}, but the source has {row.stars}"
        if number:
            compiled[out] = <char> number
            row.carries = True
        i += 1
        out += 1
    if dollars and stars:
        return "mixes `*` and `$1`; use one of them"
    row.target_size = <uint16_t> out
    row.query_at = <uint16_t> (out if fragment < 0 else fragment)
    return None


# --- words for errors ------------------------------------------------------------------------------------------------

cdef str refused_character(str text):
    for position, character in enumerate(text, 1):
        if character <= " " or character >= "\x7f" or character in '"<>\\^`{|}':
            hint = "; percent-encode it" if character > " " and character != "\x7f" else ""
            return f"has {shown(character)} as character {position}, which no URI can have{hint}"
    return "has a character that no URI can have"


cdef str shown(object value):
    """A value for a message: quoted, without control characters, and short."""
    text = ascii(value) if not isinstance(value, str) or not value.isprintable() else f"'{value}'"
    return text if len(text) <= 80 else f"{text[:77]}..."
