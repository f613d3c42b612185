"""Values as HTML: what a visitor sends comes out as text, an attribute's value or a harmless URL, and as nothing else.

No value can begin an element, an attribute or a script, in any encoding that a page may have. A value that cannot be written
safely is refused: None.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memcpy, strlen

from fastedge.limits import html_value_bytes_max

cdef enum:
    MARKUP = 1          # & < >
    QUOTE = 2
    RESERVED = 4        # what a part of a URL is percent-encoded for

cdef Py_ssize_t VALUE_MAX = html_value_bytes_max
cdef uint8_t CLASS[256]
cdef tuple CONTEXTS = ("text", "quoted", "url", "local_url", "url_part", "raw", "nothing")
cdef const char* HEX = b"0123456789ABCDEF"


cdef int classify() except -1:
    cdef int c
    for c in range(256):
        CLASS[c] = 0
        if not (c"a" <= c | 0x20 <= c"z" and c < 128 or c"0" <= c <= c"9" or c in (c"-", c".", c"_", c"~")):
            CLASS[c] |= RESERVED
    for c in b"&<>":
        CLASS[c] |= MARKUP
    for c in b"\"'":
        CLASS[c] |= QUOTE
    return 0


classify()


cdef bytes escape(object value, int context, bint ascii):
    """The value for its context, in UTF-8, or in ASCII with character references. None: it is refused."""
    cdef bytes data
    if type(value) is bytes:
        data = <bytes> value
    elif type(value) is str:
        data = (<str> value).encode("utf-8", "replace")
    else:
        raise TypeError(f"a value is bytes or str, not {type(value).__name__}")
    if PyBytes_GET_SIZE(data) > VALUE_MAX:
        return None
    if context == NOTHING:
        return b""
    if (context == URL or context == LOCAL_URL) and not is_harmless(data, context == LOCAL_URL):
        return None
    if context == URL_PART:     # a dot segment is one, percent-encoded or not (RFC 3986 §5.2.4)
        return None if data == b"." or data == b".." else percent_encoded(data)
    if context != RAW:
        data = referenced(data, MARKUP if context == TEXT else MARKUP | QUOTE)
    if ascii and not data.isascii():
        return data.decode("utf-8", "replace").encode("ascii", "xmlcharrefreplace")
    return data


cdef bytes referenced(bytes data, uint8_t classes):
    """Character references for the bytes of these classes; the very same object where there are none."""
    cdef const uint8_t* at = <const uint8_t*> PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), i, more = 0
    cdef bytes made
    cdef char* out
    for i in range(size):
        if CLASS[at[i]] & classes:
            more += strlen(reference(at[i])) - 1
    if more == 0:
        return data
    made = PyBytes_FromStringAndSize(NULL, size + more)
    out = PyBytes_AS_STRING(made)
    for i in range(size):
        if CLASS[at[i]] & classes:
            out = written(reference(at[i]), out)
        else:
            out[0] = <char> at[i]
            out += 1
    return made


cdef inline const char* reference(uint8_t c) noexcept:
    if c == c"&":
        return b"&amp;"
    if c == c"<":
        return b"&lt;"
    if c == c">":
        return b"&gt;"
    return b"&#34;" if c == c'"' else b"&#39;"


cdef inline char* written(const char* text, char* out) noexcept:
    cdef size_t size = strlen(text)
    memcpy(out, text, size)
    return out + size


cdef bytes percent_encoded(bytes data):
    """As one component of a URL (RFC 3986 §2.3): no separator, no scheme and no dot segment is left in it."""
    cdef const uint8_t* at = <const uint8_t*> PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), i
    cdef bytes made = PyBytes_FromStringAndSize(NULL, 3 * size)
    cdef char* out = PyBytes_AS_STRING(made)
    for i in range(size):
        if CLASS[at[i]] & RESERVED:
            out[0], out[1], out[2] = c"%", HEX[at[i] >> 4], HEX[at[i] & 15]
            out += 3
        else:
            out[0] = <char> at[i]
            out += 1
    return made[:out - PyBytes_AS_STRING(made)]


cdef bint is_harmless(bytes url, bint local):
    """Whether a URL is relative, or http, https, mailto or tel; `local`: whether it stays on this host.

    Browsers drop tabs and line ends from URLs, and spaces around them: one with controls, or a space at its front, is refused.
    """
    cdef const uint8_t* at = <const uint8_t*> PyBytes_AS_STRING(url)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(url), i
    for i in range(size):
        if at[i] < 0x20 or at[i] == 0x7F:
            return False
    if size and at[0] == c" ":
        return False
    if local and size and (at[0] == c"\\" or (at[0] == c"/" and size > 1 and at[1] in (c"/", c"\\"))):
        return False
    for i in range(size):
        if at[i] in (c"/", c"?", c"#", c"\\"):
            return True
        if at[i] == c":":
            return not local and url[:i].lower() in (b"http", b"https", b"mailto", b"tel")
    return True


# --- the Python face -------------------------------------------------------------------------------------------------

def escape_value(value, str context not None, bint ascii=False):
    """A value for "text", a "quoted" attribute, a "url", a "local_url" (of the same host), a "url_part", or "raw"; None: refused.

    `ascii`: for a page that is not in UTF-8, with character references for all that is no ASCII.
    """
    return escape(value, CONTEXTS.index(context), ascii)
